//! Rows as lines of a file.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use tidemill_model::schema::Schema;

use super::FileFormat;
use crate::{
    json,
    value::{self, Value},
};

pub(super) fn write_rows(
    file: &mut impl Write,
    format: FileFormat,
    schema: &Schema,
    rows: &RecordBatch,
) -> io::Result<()> {
    let mut line = Vec::new();
    for row in 0..rows.num_rows() {
        line.clear();
        let values = value::row(schema, rows, row);
        match format {
            FileFormat::Jsonl => json::write_row(&values, &mut line),
            FileFormat::Text => write_text(&values, &mut line),
        }
        line.push(b'\n');
        file.write_all(&line)?;
    }
    Ok(())
}

/// Values with tabs between them. Text and bytes stand as they are, a missing value is empty, the rest is as in JSON but
/// without quotes.
fn write_text(row: &[(&str, Value<'_>)], out: &mut Vec<u8>) {
    for (i, (_, value)) in row.iter().enumerate() {
        if i > 0 {
            out.push(b'\t');
        }
        match value {
            Value::Missing => {}
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            Value::Bytes(bytes) => out.extend_from_slice(bytes),
            Value::Timestamp(micros) => out.extend_from_slice(json::timestamp(*micros).as_bytes()),
            Value::Float(value) if !value.is_finite() => out.extend_from_slice(value.to_string().as_bytes()),
            value => json::write_value(value, out),
        }
    }
}
