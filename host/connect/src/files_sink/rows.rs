//! Rows as lines of a file. A line is never held as a whole.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use tidemill_model::schema::Schema;

use super::FileFormat;
use crate::{
    json,
    value::{self, Record, Value},
};

/// Writes many small pieces: `file` collects them.
pub(super) fn write_rows(
    file: &mut impl Write,
    format: FileFormat,
    schema: &Schema,
    rows: &RecordBatch,
) -> io::Result<()> {
    for row in 0..rows.num_rows() {
        let values = value::row(schema, rows, row);
        match format {
            FileFormat::Jsonl => json::write_row(&values, file)?,
            FileFormat::Text => write_text(&values, file)?,
        }
        file.write_all(b"\n")?;
    }
    Ok(())
}

/// Values with tabs between them. Text and bytes stand as they are, a missing value is empty, the rest is as in JSON but
/// without quotes.
fn write_text(row: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
    for (i, (_, value)) in row.fields().enumerate() {
        if i > 0 {
            out.write_all(b"\t")?;
        }
        match value {
            Value::Missing => {}
            Value::Text(text) => out.write_all(text.as_bytes())?,
            Value::Bytes(bytes) => out.write_all(bytes)?,
            Value::Timestamp(micros) => out.write_all(json::timestamp(micros).as_bytes())?,
            Value::Float(value) if !value.is_finite() => write!(out, "{value}")?,
            value => json::write_value(&value, out)?,
        }
    }
    Ok(())
}
