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

use std::io::Write;

use arrow_array::RecordBatch;
use tidemill_model::schema::Schema;

use crate::value::Value;

pub(crate) use read::{parse, rows};

/// Appends a row of a batch as a JSON object. The batch's columns are what the schema says.
pub fn write_json(schema: &Schema, rows: &RecordBatch, row: usize, out: &mut Vec<u8>) {
    write_row(&crate::value::row(schema, rows, row), out);
}

/// Appends a row, or a record, as an object.
pub(crate) fn write_row(fields: &[(&str, Value<'_>)], out: &mut Vec<u8>) {
    out.push(b'{');
    for (i, (name, value)) in fields.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        write_value(value, out);
    }
    out.push(b'}');
}

/// Appends a value.
pub(crate) fn write_value(value: &Value<'_>, out: &mut Vec<u8>) {
    let written = match value {
        Value::Missing => out.write_all(b"null"),
        Value::Boolean(value) => write!(out, "{value}"),
        Value::Integer(value) => write!(out, "{value}"),
        Value::Float(value) if value.is_finite() => write!(out, "{value:?}"),
        Value::Float(_) => out.write_all(b"null"),
        Value::Text(value) => return write_text(value, out),
        Value::Bytes(value) => write!(out, "\"{}\"", base64::encode(value)),
        Value::Timestamp(micros) => write!(out, "\"{}\"", timestamp(*micros)),
        Value::List(items) => return write_list(items, out),
        Value::Record(fields) => return write_row(fields, out),
    };
    written.expect("memory takes every byte");
}

fn write_list(items: &[Value<'_>], out: &mut Vec<u8>) {
    out.push(b'[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_value(item, out);
    }
    out.push(b']');
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("memory takes every byte, and text is always JSON");
}

/// A timestamp after RFC 3339, in UTC.
pub(crate) fn timestamp(micros: i64) -> String {
    crate::print::civil(micros, &jiff::tz::TimeZone::UTC, 'T').map_or_else(|| micros.to_string(), |text| text + "Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &Value<'_>, expect: &str) {
        let mut out = Vec::new();
        write_value(value, &mut out);
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
        let record =
            Value::Record(vec![("a", Value::List(vec![Value::Integer(1), Value::Missing])), ("b", Value::Text(""))]);
        check(&record, r#"{"a":[1,null],"b":""}"#);
    }
}
