//! Values to columns and back.

use super::Value;
use crate::{
    columns::{Column, ColumnBuffer, Rows, RowsBuffer, blank_node},
    schema::{Kind, Schema, Type},
};

/// The rows as columns. Values that are not of the schema's types are a mistake of the test, and panic.
pub fn buffer_of(schema: &Schema, rows: &[Vec<Value>]) -> RowsBuffer {
    let mut buffer = RowsBuffer::new(schema);
    for row in rows {
        assert_eq!(row.len(), schema.len(), "a row has a value for each field");
        let mut at = 0;
        for (field, value) in schema.fields().iter().zip(row) {
            push_value(&field.ty, value, &mut buffer.nodes_mut()[at..]);
            at += field.ty.nodes();
        }
        buffer.end_row();
    }
    buffer
}

/// Appends a value to a node of type `ty` and its children.
pub fn push_value(ty: &Type, value: &Value, nodes: &mut [ColumnBuffer]) {
    let room = "a test's values fit into a column";
    match (value, &ty.kind) {
        (Value::Missing, _) => {
            assert!(ty.optional, "only an optional value is missing");
            blank_node(ty, nodes, 1);
        }
        (Value::Boolean(value), Kind::Boolean) => nodes[0].push_boolean(*value),
        (Value::Integer(value), Kind::Integer | Kind::Timestamp) => nodes[0].push_word(value.cast_unsigned()),
        (Value::Float(value), Kind::Float) => nodes[0].push_word(value.0.to_bits()),
        (Value::Text(text), Kind::Text) => nodes[0].push_bytes(text.as_bytes()).expect(room),
        (Value::Bytes(bytes), Kind::Bytes) => nodes[0].push_bytes(bytes).expect(room),
        (Value::List(items), Kind::List(item)) => {
            items.iter().for_each(|value| push_value(item, value, &mut nodes[1..]));
            let items = nodes[1].len();
            nodes[0].end_list(items).expect(room);
        }
        (Value::Record(values), Kind::Record(schema)) => {
            let mut at = 1;
            for (field, value) in schema.fields().iter().zip(values) {
                push_value(&field.ty, value, &mut nodes[at..]);
                at += field.ty.nodes();
            }
            nodes[0].end_record();
        }
        (value, _) => unreachable!("{value:?} is no {ty}"),
    }
}

/// The columns as rows. Text must be UTF-8.
pub fn values_of(rows: &Rows<'_>) -> Vec<Vec<Value>> {
    let firsts = rows.schema.first_nodes();
    let fields = rows.schema.fields();
    (0..rows.len)
        .map(|row| fields.iter().zip(&firsts).map(|(field, &at)| value(&field.ty, &rows.columns[at..], row)).collect())
        .collect()
}

fn value(ty: &Type, columns: &[Column<'_>], row: usize) -> Value {
    let column = &columns[0];
    if ty.optional && !column.is_valid(row) {
        return Value::Missing;
    }
    match &ty.kind {
        Kind::Boolean => Value::Boolean(column.boolean(row)),
        Kind::Integer | Kind::Timestamp => Value::Integer(column.integers()[row]),
        Kind::Float => Value::float(column.floats()[row]),
        Kind::Text => Value::text(str::from_utf8(column.slice(row)).expect("a test's text is UTF-8")),
        Kind::Bytes => Value::Bytes(column.slice(row).to_vec()),
        Kind::List(item) => {
            let items = column.offsets[row] as usize..column.offsets[row + 1] as usize;
            Value::List(items.map(|i| value(item, &columns[1..], i)).collect())
        }
        Kind::Record(schema) => {
            let firsts = schema.first_nodes();
            let fields = schema.fields().iter().zip(firsts);
            Value::Record(fields.map(|(field, at)| value(&field.ty, &columns[1 + at..], row)).collect())
        }
        Kind::Any => Value::Missing,
    }
}
