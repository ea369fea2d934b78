//! What an answer counts for.

use tidemill_model::{
    columns::Column,
    schema::{Kind, Schema, Type},
};

/// Bytes of columns that have been checked, in which no value counts for less than one: a boolean is a bit here and a record
/// nothing, and elsewhere each is a byte in a key or a word of text.
pub(crate) fn weight(schema: &Schema, rows: usize, columns: &[Column<'_>]) -> usize {
    of_fields(schema, rows, &mut columns.iter())
}

fn of_fields(schema: &Schema, rows: usize, columns: &mut std::slice::Iter<'_, Column<'_>>) -> usize {
    schema.fields().iter().map(|field| of_node(&field.ty, rows, columns)).sum()
}

fn of_node(ty: &Type, rows: usize, columns: &mut std::slice::Iter<'_, Column<'_>>) -> usize {
    let Some(column) = columns.next() else { return 0 };
    let bytes = column.values.len() + size_of_val(column.offsets) + column.validity.map_or(0, <[u8]>::len);
    let inside = match &ty.kind {
        Kind::List(item) => {
            let items = column.offsets.last().map_or(0, |&end| end as usize);
            of_node(item, items, columns)
        }
        Kind::Record(schema) => of_fields(schema, rows, columns),
        _ => 0,
    };
    bytes.max(rows) + inside
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    /// Two rows of a field of this type.
    #[track_caller]
    fn check(field: &str, columns: &[Column<'_>], expect: usize) {
        assert_eq!(weight(&format!("f: {field}").parse().unwrap(), 2, columns), expect, "{field}");
    }

    #[test]
    fn no_value_counts_for_less_than_a_byte() {
        let bytes = |bytes| Column { values: bytes, ..Column::default() };
        let list = |offsets| Column { offsets, ..Column::default() };
        let none = Column::default();
        check("boolean", &[bytes(&[3])], 2);
        check("integer", &[bytes(&[0; 16])], 16);
        check("text", &[Column { offsets: &[0, 3, 5], values: b"abcde", validity: None }], 17);
        check("integer?", &[Column { validity: Some(&[1]), ..bytes(&[0; 16]) }], 17);
        check("record<a: boolean>", &[none, bytes(&[3])], 4);
        check("record<a: record<b: boolean>, c: boolean>", &[none, none, bytes(&[3]), bytes(&[3])], 8);
        check("list<boolean>", &[list(&[0, 0, 1_000]), bytes(&[0; 125])], 12 + 1_000);
        check("list<record<a: boolean>>", &[list(&[0, 0, 1_000]), none, bytes(&[0; 125])], 12 + 2_000);
        check("list<list<boolean>>", &[list(&[0, 1, 2]), list(&[0, 0, 0]), none], 12 + 12);
    }
}
