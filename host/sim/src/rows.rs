//! Rows as text.

use arrow_array::RecordBatch;
use tidemill_model::{
    columns::{Rows, columns_of, compact},
    schema::Schema,
    testing::{Value, values_of},
};

/// Each row's values with blanks between them.
pub(crate) fn texts(schema: &Schema, rows: &RecordBatch) -> Vec<String> {
    let rows = compact(rows);
    let values = values_of(&Rows { schema, len: rows.num_rows(), columns: &columns_of(&rows) });
    values.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join(" ")).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::Integer(integer) => integer.to_string(),
        Value::Text(text) => text.clone(),
        Value::Missing => "-".to_owned(),
        Value::Record(fields) => format!("{{{}}}", fields.iter().map(text).collect::<Vec<_>>().join(" ")),
        other => format!("{other:?}"),
    }
}
