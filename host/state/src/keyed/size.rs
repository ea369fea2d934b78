//! How large stored values become as columns.

use tidemill_model::schema::{Kind, Schema, Type};

/// Bounds for values of one type: at most `bytes_min`, and `bytes_per_byte` for each byte that is stored of a text,
/// bytes, list or record. A missing value in a list takes a byte where it is stored and the room of a whole one in
/// columns, so that a list can be several times larger there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ColumnSize {
    pub(super) bytes_min: usize,
    pub(super) bytes_per_byte: usize,
}

impl ColumnSize {
    pub(super) fn of(ty: &Type) -> ColumnSize {
        ColumnSize { bytes_min: fixed_bytes(ty), bytes_per_byte: growth(ty) }
    }
}

/// Bytes of a value in columns beside what its texts and lists contain, a bit taken as a byte.
fn fixed_bytes(ty: &Type) -> usize {
    match &ty.kind {
        Kind::Boolean => 1,
        Kind::Integer | Kind::Timestamp | Kind::Float => 8,
        Kind::Text | Kind::Bytes | Kind::List(_) => 4,
        Kind::Record(schema) => sum(schema, fixed_bytes),
        Kind::Any => 0,
    }
}

/// The bytes of the shortest value as it is stored inside another.
fn stored_bytes_min(ty: &Type) -> usize {
    match &ty.kind {
        _ if ty.optional => 1,
        Kind::Boolean | Kind::List(_) => 1,
        Kind::Integer | Kind::Timestamp | Kind::Float => 8,
        Kind::Text | Kind::Bytes => 2,
        Kind::Record(schema) => sum(schema, stored_bytes_min),
        Kind::Any => 0,
    }
}

/// By how much the items of lists in a value can be larger in columns than they are stored.
fn growth(ty: &Type) -> usize {
    match &ty.kind {
        // An item has a byte before it.
        Kind::List(item) => fixed_bytes(item).div_ceil(1 + stored_bytes_min(item)).max(growth(item)),
        Kind::Record(schema) => schema.fields().iter().map(|field| growth(&field.ty)).max().unwrap_or(1),
        _ => 1,
    }
}

fn sum(schema: &Schema, of: impl Fn(&Type) -> usize) -> usize {
    schema.fields().iter().map(|field| of(&field.ty)).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use tidemill_model::{
        key::encode_value,
        testing::{Value, buffer_of},
    };

    use super::*;

    #[track_caller]
    fn check(ty: &str, bytes_min: usize, bytes_per_byte: usize) {
        assert_eq!(ColumnSize::of(&ty.parse().unwrap()), ColumnSize { bytes_min, bytes_per_byte });
    }

    #[test]
    fn missing_items_make_lists_larger() {
        check("integer?", 8, 1);
        check("text", 4, 1);
        check("record<a: integer, b: text?, c: boolean>", 13, 1);
        check("list<integer>", 4, 1);
        check("list<boolean>", 4, 1);
        check("list<text>", 4, 2);
        check("list<integer?>", 4, 4);
        check("list<record<a: integer, b: integer>?>", 4, 8);
        check("record<a: list<list<text?>>, n: float>?", 12, 2);
    }

    /// What there may be in an item of a list.
    const FIELDS: [&str; 10] = [
        "boolean",
        "integer",
        "float?",
        "timestamp?",
        "text",
        "text?",
        "bytes",
        "boolean?",
        "list<integer?>",
        "record<a: text, b: integer>?",
    ];

    /// The shortest value of a type, with so many items in each list.
    fn shortest(ty: &Type, items: usize) -> Value {
        match &ty.kind {
            _ if ty.optional => Value::Missing,
            Kind::Boolean => Value::Boolean(false),
            Kind::Integer => Value::Integer(0),
            Kind::Text => Value::text(""),
            Kind::Bytes => Value::Bytes(Vec::new()),
            Kind::List(item) => Value::List(vec![shortest(item, items); items]),
            Kind::Record(schema) => {
                Value::Record(schema.fields().iter().map(|field| shortest(&field.ty, items)).collect())
            }
            kind => unreachable!("{kind:?} stands in no field above"),
        }
    }

    /// Nothing can be larger as columns than is said, or more of it would be handed out at once than there is room for.
    #[test]
    fn no_list_is_larger_than_its_bound() {
        let fields = FIELDS.iter().flat_map(|one| FIELDS.map(|other| [*one, other]));
        for item in fields.map(|[one, other]| format!("record<a: {one}, b: {other}>")).chain(FIELDS.map(str::to_owned))
        {
            let schema: Schema = format!("v: list<{item}>").parse().unwrap();
            let ty = &schema.fields()[0].ty;
            let Kind::List(of) = &ty.kind else { unreachable!("{ty:?} is no list") };
            let bound = ColumnSize::of(ty);
            for items in [0, 1, 5] {
                let rows = buffer_of(&schema, &[vec![Value::List(vec![shortest(of, items); 64])]]);
                let mut stored = Vec::new();
                encode_value(ty, &rows.columns(), 0, &mut stored);
                // Bitmaps aside, and an offset more than there are values.
                let bitmaps: usize =
                    rows.columns().iter().map(|column| column.validity.map_or(0, <[u8]>::len) + 4).sum();
                let most = bound.bytes_min + bound.bytes_per_byte * stored.len() + bitmaps;
                assert!(
                    rows.bytes() <= most,
                    "{item}: {} bytes of {} stored, and {bound:?}",
                    rows.bytes(),
                    stored.len()
                );
            }
        }
    }
}
