//! Values as Scala's `toString` writes tuples of them.

use super::float;
use crate::{json, value::Value};

/// A row: its only value, or a tuple of its values.
pub(super) fn write_row(row: &[(&str, Value<'_>)], out: &mut String) {
    match row {
        [(_, only)] => value(only, out),
        _ => tuple(row, out),
    }
}

fn value(one: &Value<'_>, out: &mut String) {
    match one {
        Value::Missing => out.push_str("None"),
        Value::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Integer(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&float::java(*value)),
        Value::Text(value) => out.push_str(value),
        // An array of bytes has no text in Scala; its numbers are signed.
        Value::Bytes(bytes) => {
            separated("Array", bytes.iter().map(|&byte| Value::Integer(i64::from(byte.cast_signed()))), out)
        }
        Value::Timestamp(micros) => out.push_str(&json::timestamp(*micros)),
        Value::List(items) => separated("List", items.iter().cloned(), out),
        Value::Record(fields) => tuple(fields, out),
    }
}

fn separated<'a>(name: &str, items: impl Iterator<Item = Value<'a>>, out: &mut String) {
    out.push_str(name);
    out.push('(');
    for (i, item) in items.enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        value(&item, out);
    }
    out.push(')');
}

fn tuple(fields: &[(&str, Value<'_>)], out: &mut String) {
    out.push('(');
    for (i, (_, one)) in fields.iter().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        value(one, out);
    }
    out.push(')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_in_scala() {
        let row = [
            ("a", Value::Text("it's")),
            ("b", Value::Integer(1)),
            ("c", Value::Float(1e7)),
            ("d", Value::Missing),
            ("e", Value::Boolean(true)),
            ("f", Value::List(vec![Value::Integer(1), Value::Integer(2)])),
            ("g", Value::Record(vec![("x", Value::Bytes(&[1, 255]))])),
            ("h", Value::Timestamp(0)),
        ];
        let mut out = String::new();
        write_row(&row, &mut out);
        assert_eq!(out, "(it's,1,1.0E7,None,true,List(1, 2),(Array(1, -1)),1970-01-01T00:00:00Z)");
        out.clear();
        write_row(&row[..1], &mut out);
        assert_eq!(out, "it's");
    }
}
