//! Values as Scala's `toString` writes tuples of them.

use std::io::{self, Write};

use super::float;
use crate::{
    json,
    value::{Record, Value},
};

/// A row: its only value, or a tuple of its values.
pub(super) fn write_row(row: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
    match row.only() {
        Some(only) => value(&only, out),
        None => tuple(row, out),
    }
}

fn value(one: &Value<'_>, out: &mut impl Write) -> io::Result<()> {
    match one {
        Value::Missing => out.write_all(b"None"),
        Value::Boolean(value) => out.write_all(if *value { b"true" } else { b"false" }),
        Value::Integer(value) => write!(out, "{value}"),
        Value::Float(value) => out.write_all(float::java(*value).as_bytes()),
        Value::Text(value) => out.write_all(value.as_bytes()),
        // An array of bytes has no text in Scala; its numbers are signed.
        Value::Bytes(bytes) => {
            separated("Array", bytes.iter().map(|&byte| Value::Integer(i64::from(byte.cast_signed()))), out)
        }
        Value::Timestamp(micros) => out.write_all(json::timestamp(*micros).as_bytes()),
        Value::List(list) => separated("List", list.items(), out),
        Value::Record(record) => tuple(record, out),
    }
}

fn separated<'a>(name: &str, items: impl Iterator<Item = Value<'a>>, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{name}(")?;
    for (i, item) in items.enumerate() {
        out.write_all(if i > 0 { b", " } else { b"" })?;
        value(&item, out)?;
    }
    out.write_all(b")")
}

fn tuple(record: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"(")?;
    for (i, (_, one)) in record.fields().enumerate() {
        out.write_all(if i > 0 { b"," } else { b"" })?;
        value(&one, out)?;
    }
    out.write_all(b")")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_in_scala() {
        let schema =
            "a: text, b: integer, c: float, d: text?, e: boolean, f: list<integer>, g: record<x: bytes>, h: timestamp";
        let row = r#"{"a": "it's", "b": 1, "c": 1e7, "d": null, "e": true, "f": [1, 2], "g": {"x": "Af8="}, "h": 0}"#;
        let expect = "(it's,1,1.0E7,None,true,List(1, 2),(Array(1, -1)),1970-01-01T00:00:00Z)";
        crate::print::tests::check_row(schema, row, expect, write_row);
        crate::print::tests::check_row("a: text", r#"{"a": "it's"}"#, "it's", write_row);
    }
}
