//! What a node of a schema is called in a verdict.

use tidemill_model::schema::{Kind, Schema, Type};

/// The path of the node at place `node`, depth first: `items.list.name` for the name in a list of records.
pub(super) fn column_path(schema: &Schema, node: usize) -> String {
    let mut left = node;
    in_schema(schema, &mut left).unwrap_or_else(|| format!("number {node}"))
}

fn in_schema(schema: &Schema, left: &mut usize) -> Option<String> {
    schema.fields().iter().find_map(|field| in_type(&field.ty, &field.name, left))
}

fn in_type(ty: &Type, name: &str, left: &mut usize) -> Option<String> {
    if *left == 0 {
        return Some(name.to_owned());
    }
    *left -= 1;
    let below = match &ty.kind {
        Kind::List(item) => in_type(item, "list", left),
        Kind::Record(fields) => in_schema(fields, left),
        _ => None,
    };
    below.map(|below| format!("{name}.{below}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_paths() {
        let schema: Schema = "a: integer, b: list<record<c: text, d: list<float>>>, e: text".parse().expect("a schema");
        let paths: Vec<String> = (0..=schema.nodes()).map(|node| column_path(&schema, node)).collect();
        assert_eq!(paths, ["a", "b", "b.list", "b.list.c", "b.list.d", "b.list.d.list", "e", "number 7"]);
    }
}
