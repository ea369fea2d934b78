//! Rows and values as JSON: what the sinks write and the queue source reads.
//!
//! | type | JSON |
//! |--|--|
//! | boolean, integer, text | as they are |
//! | float | a number with a point or an exponent; not-a-number and the infinities: `null` |
//! | bytes | text in base64 (RFC 4648, padded) |
//! | timestamp | `"2026-01-01T00:00:00Z"`, with six digits of a second if there is a fraction |
//! | list | an array |
//! | record | an object, its fields in the schema's order |
//! | a missing value | `null` |

mod base64;
mod read;

use std::io::{self, Write};

use arrow_array::RecordBatch;
use tidemill_model::schema::Schema;

use crate::value::{List, Record, Value};

pub(crate) use read::{parse, rows};

/// Writes a row of a batch as a JSON object, piece by piece: what a row takes as text may be far more than it takes in columns.
/// The batch's columns are what the schema says.
pub fn write_json(schema: &Schema, rows: &RecordBatch, row: usize, out: &mut impl Write) -> io::Result<()> {
    write_row(&crate::value::row(schema, rows, row), out)
}

/// Writes a row, or a record, as an object.
pub(crate) fn write_row(row: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"{")?;
    for (i, (name, value)) in row.fields().enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        write_text(name, out)?;
        out.write_all(b":")?;
        write_value(&value, out)?;
    }
    out.write_all(b"}")
}

/// Writes a value.
pub(crate) fn write_value(value: &Value<'_>, out: &mut impl Write) -> io::Result<()> {
    match value {
        Value::Missing => out.write_all(b"null"),
        Value::Boolean(value) => out.write_all(if *value { b"true" } else { b"false" }),
        Value::Integer(value) => write!(out, "{value}"),
        Value::Float(value) if value.is_finite() => write!(out, "{value:?}"),
        Value::Float(_) => out.write_all(b"null"),
        Value::Text(value) => write_text(value, out),
        Value::Bytes(value) => {
            out.write_all(b"\"")?;
            base64::write(value, out)?;
            out.write_all(b"\"")
        }
        Value::Timestamp(micros) => write!(out, "\"{}\"", timestamp(*micros)),
        Value::List(list) => write_list(list, out),
        Value::Record(record) => write_row(record, out),
    }
}

fn write_list(list: &List<'_>, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"[")?;
    for (i, item) in list.items().enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        write_value(&item, out)?;
    }
    out.write_all(b"]")
}

fn write_text(text: &str, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(out, text).map_err(io::Error::from)
}

/// A timestamp after RFC 3339, in UTC.
pub(crate) fn timestamp(micros: i64) -> String {
    crate::print::civil(micros, &jiff::tz::TimeZone::UTC, 'T').map_or_else(|| micros.to_string(), |text| text + "Z")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;
    use crate::queue::JsonText;

    #[track_caller]
    fn check(value: &Value<'_>, expect: &str) {
        let mut out = Vec::new();
        write_value(value, &mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), expect);
    }

    #[test]
    fn values_are_written() {
        check(&Value::Missing, "null");
        check(&Value::Boolean(true), "true");
        check(&Value::Integer(i64::MIN), "-9223372036854775808");
        check(&Value::Float(1.0), "1.0");
        check(&Value::Float(1e16), "1e16");
        check(&Value::Float(f64::NAN), "null");
        check(&Value::Float(f64::NEG_INFINITY), "null");
        check(&Value::Text("a\"\n\u{1}ä"), r#""a\"\n\u0001ä""#);
        check(&Value::Bytes(&[0, 255]), r#""AP8=""#);
        check(&Value::Timestamp(1), r#""1970-01-01T00:00:00.000001Z""#);
        check(&Value::Timestamp(-1_000_000), r#""1969-12-31T23:59:59Z""#);
        // The last day and the last microsecond that a calendar of four digits has, the first one, and what is beyond.
        check(&Value::Timestamp(253_402_214_400_000_000), r#""9999-12-31T00:00:00Z""#);
        check(&Value::Timestamp(253_402_300_799_999_999), r#""9999-12-31T23:59:59.999999Z""#);
        check(&Value::Timestamp(253_402_300_800_000_000), r#""253402300800000000""#);
        check(&Value::Timestamp(-62_167_219_200_000_000), r#""0000-01-01T00:00:00Z""#);
        check(&Value::Timestamp(i64::MAX), r#""9223372036854775807""#);
        check(&Value::Timestamp(i64::MIN), r#""-9223372036854775808""#);
    }

    #[test]
    fn lists_and_records_are_written() {
        let nested = r#"{"a":[1,null],"b":"","c":[],"d":{"e":[true],"f":null}}"#;
        let schema: Schema =
            "a: list<integer?>, b: text, c: list<text>, d: record<e: list<boolean>, f: text?>".parse().unwrap();
        let rows = rows(&schema, &[parse(&schema, &JsonText(nested.to_owned())).unwrap()]).unwrap();
        let mut out = Vec::new();
        write_json(&schema, &rows, 0, &mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), nested);
    }
}
