//! Rows as text.

use arrow_array::RecordBatch;
use tidemill_model::{
    columns::{Rows, columns_of, compact},
    schema::Schema,
    testing::{Value, values_of},
};

/// The rows of a batch.
pub fn values(schema: &Schema, rows: &RecordBatch) -> Vec<Vec<Value>> {
    let rows = compact(rows);
    values_of(&Rows { schema, len: rows.num_rows(), columns: &columns_of(&rows) })
}

/// A row's values with blanks between them.
pub fn row(values: &[Value]) -> String {
    values.iter().map(value).collect::<Vec<_>>().join(" ")
}

fn value(value: &Value) -> String {
    match value {
        Value::Missing => "-".to_owned(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Integer(integer) => integer.to_string(),
        Value::Float(float) => format!("{:?}", float.0),
        Value::Text(text) if text.is_empty() => "\"\"".to_owned(),
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => format!("{bytes:?}"),
        Value::List(items) => format!("[{}]", row(items)),
        Value::Record(fields) => format!("{{{}}}", row(fields)),
    }
}
