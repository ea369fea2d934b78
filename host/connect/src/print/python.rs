//! Values as Python's `str` and `repr` write them.

use std::fmt::Write;

use jiff::tz::TimeZone;

use super::{civil, float};
use crate::value::Value;

/// A row: the `str` of its only value, or of a tuple of its values.
pub(super) fn write_row(row: &[(&str, Value<'_>)], out: &mut String) {
    match row {
        [(_, Value::Text(text))] => out.push_str(text),
        [(_, value)] => repr(value, out),
        _ => tuple(row, out),
    }
}

fn repr(value: &Value<'_>, out: &mut String) {
    match value {
        Value::Missing => out.push_str("None"),
        Value::Boolean(value) => out.push_str(if *value { "True" } else { "False" }),
        Value::Integer(value) => out.push_str(&value.to_string()),
        Value::Float(value) => out.push_str(&float::python(*value)),
        Value::Text(value) => text(value, out),
        Value::Bytes(value) => bytes(value, out),
        // Not datetime.datetime(...), which nobody likes to read.
        Value::Timestamp(micros) => {
            out.push_str(&civil(*micros, &TimeZone::UTC, ' ').unwrap_or_else(|| micros.to_string()));
        }
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                repr(item, out);
            }
            out.push(']');
        }
        Value::Record(fields) => tuple(fields, out),
    }
}

fn tuple(fields: &[(&str, Value<'_>)], out: &mut String) {
    out.push('(');
    for (i, (_, value)) in fields.iter().enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        repr(value, out);
    }
    out.push_str(if fields.len() == 1 { ",)" } else { ")" });
}

/// Double quotes only around what has single ones and no double ones.
fn quote(has: impl Fn(char) -> bool) -> char {
    if has('\'') && !has('"') { '"' } else { '\'' }
}

fn text(text: &str, out: &mut String) {
    let quote = quote(|c| text.contains(c));
    out.push(quote);
    for c in text.chars() {
        if !escape(c, quote, out) {
            if is_printable(c) {
                out.push(c);
            } else {
                numbered(c, out);
            }
        }
    }
    out.push(quote);
}

fn bytes(bytes: &[u8], out: &mut String) {
    let quote = quote(|c| bytes.contains(&(c as u8)));
    out.push('b');
    out.push(quote);
    for &byte in bytes {
        if !escape(char::from(byte), quote, out) {
            match byte {
                b' '..=b'~' => out.push(char::from(byte)),
                _ => numbered(char::from(byte), out),
            }
        }
    }
    out.push(quote);
}

/// Writes a character that has an escape of its own.
fn escape(c: char, quote: char, out: &mut String) -> bool {
    let escaped = match c {
        '\\' => '\\',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        c if c == quote => c,
        _ => return false,
    };
    out.extend(['\\', escaped]);
    true
}

fn numbered(c: char, out: &mut String) {
    let written = match c as u32 {
        code @ 0..=0xff => write!(out, "\\x{code:02x}"),
        code @ 0x100..=0xffff => write!(out, "\\u{code:04x}"),
        code => write!(out, "\\U{code:08x}"),
    };
    written.expect("a string takes every character");
}

/// Whether Python shows a character as it is. Rust's `escape_debug` goes by the same categories of Unicode; behind
/// another character it leaves combining ones alone, as Python does.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let mut behind = String::from("a");
    behind.push(c);
    behind.escape_debug().nth(1) == Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &Value<'_>, expect: &str) {
        let mut out = String::new();
        repr(value, &mut out);
        assert_eq!(out, expect);
    }

    /// Each expectation was printed by Python 3.
    #[test]
    fn texts_are_quoted_as_in_python() {
        check(&Value::Text("a"), "'a'");
        check(&Value::Text("it's"), r#""it's""#);
        check(&Value::Text(r#"it's "so""#), r#"'it\'s "so"'"#);
        check(&Value::Text(r#"a "b""#), r#"'a "b"'"#);
        check(&Value::Text("\\ \n\r\t\0\x7f"), r"'\\ \n\r\t\x00\x7f'");
        check(&Value::Text("äß€𝄞e\u{301}"), "'äß€𝄞e\u{301}'");
        check(
            &Value::Text("\u{85}\u{a0}\u{ad}\u{200b}\u{2028}\u{e000}\u{1d173}"),
            r"'\x85\xa0\xad\u200b\u2028\ue000\U0001d173'",
        );
        check(&Value::Bytes(b"a'\"\n\\\xff"), r#"b'a\'"\n\\\xff'"#);
        check(&Value::Bytes(b"it's"), r#"b"it's""#);
    }

    #[test]
    fn values_are_written_as_in_python() {
        check(&Value::Missing, "None");
        check(&Value::Boolean(false), "False");
        check(&Value::Integer(-1), "-1");
        check(&Value::Timestamp(1_767_225_600_000_000), "2026-01-01 00:00:00");
        check(&Value::Timestamp(1_767_225_600_000_001), "2026-01-01 00:00:00.000001");
        check(&Value::Timestamp(253_402_300_799_999_999), "9999-12-31 23:59:59.999999");
        check(&Value::List(vec![Value::Text("a"), Value::Missing]), "['a', None]");
        check(&Value::Record(vec![("a", Value::Float(1.0))]), "(1.0,)");
        check(&Value::Record(vec![("a", Value::List(vec![])), ("b", Value::Boolean(true))]), "([], True)");
    }
}
