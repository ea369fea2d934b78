//! Values as Python's `str` and `repr` write them.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use tidemill_model::text::is_printable;

use super::{civil, float, write_char};
use crate::value::{Record, Value};

/// A row: the `str` of its only value, or of a tuple of its values.
pub(super) fn write_row(row: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
    match row.only() {
        Some(Value::Text(text)) => out.write_all(text.as_bytes()),
        Some(value) => repr(&value, out),
        None => tuple(row, out),
    }
}

fn repr(value: &Value<'_>, out: &mut impl Write) -> io::Result<()> {
    match value {
        Value::Missing => out.write_all(b"None"),
        Value::Boolean(value) => out.write_all(if *value { b"True" } else { b"False" }),
        Value::Integer(value) => write!(out, "{value}"),
        Value::Float(value) => out.write_all(float::python(*value).as_bytes()),
        Value::Text(value) => text(value, out),
        Value::Bytes(value) => bytes(value, out),
        // Not datetime.datetime(...), which nobody likes to read.
        Value::Timestamp(micros) => match civil(*micros, &TimeZone::UTC, ' ') {
            Some(time) => out.write_all(time.as_bytes()),
            None => write!(out, "{micros}"),
        },
        Value::List(list) => {
            out.write_all(b"[")?;
            for (i, item) in list.items().enumerate() {
                out.write_all(if i > 0 { b", " } else { b"" })?;
                repr(&item, out)?;
            }
            out.write_all(b"]")
        }
        Value::Record(record) => tuple(record, out),
    }
}

fn tuple(record: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"(")?;
    let fields = record.fields();
    let end: &[u8] = if fields.len() == 1 { b",)" } else { b")" };
    for (i, (_, value)) in fields.enumerate() {
        out.write_all(if i > 0 { b", " } else { b"" })?;
        repr(&value, out)?;
    }
    out.write_all(end)
}

/// Double quotes only around what has single ones and no double ones.
fn quote(has: impl Fn(char) -> bool) -> char {
    if has('\'') && !has('"') { '"' } else { '\'' }
}

fn text(text: &str, out: &mut impl Write) -> io::Result<()> {
    let quote = quote(|c| text.contains(c));
    write_char(quote, out)?;
    for c in text.chars() {
        match escape(c, quote) {
            Some(escaped) => out.write_all(&[b'\\', escaped])?,
            None if is_printable(c) => write_char(c, out)?,
            None => numbered(c, out)?,
        }
    }
    write_char(quote, out)
}

fn bytes(bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
    let quote = quote(|c| bytes.contains(&(c as u8)));
    write!(out, "b{quote}")?;
    for &byte in bytes {
        match (escape(char::from(byte), quote), byte) {
            (Some(escaped), _) => out.write_all(&[b'\\', escaped])?,
            (None, b' '..=b'~') => out.write_all(&[byte])?,
            (None, _) => numbered(char::from(byte), out)?,
        }
    }
    write_char(quote, out)
}

/// What stands behind the backslash of a character that has an escape of its own.
fn escape(c: char, quote: char) -> Option<u8> {
    Some(match c {
        '\\' => b'\\',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        c if c == quote => c as u8,
        _ => return None,
    })
}

fn numbered(c: char, out: &mut impl Write) -> io::Result<()> {
    match c as u32 {
        code @ 0..=0xff => write!(out, "\\x{code:02x}"),
        code @ 0x100..=0xffff => write!(out, "\\u{code:04x}"),
        code => write!(out, "\\U{code:08x}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    #[track_caller]
    fn check(value: &Value<'_>, expect: &str) {
        let mut out = Vec::new();
        repr(value, &mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), expect);
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
    }

    #[test]
    fn lists_and_records_are_written_as_in_python() {
        for (schema, row, expect) in [
            ("l: list<text?>", r#"{"l": ["a", null]}"#, "['a', None]"),
            ("r: record<a: float>", r#"{"r": {"a": 1.0}}"#, "(1.0,)"),
            ("r: record<a: list<text>, b: boolean>", r#"{"r": {"a": [], "b": true}}"#, "([], True)"),
            ("a: text, r: record<b: integer>", r#"{"a": "x", "r": {"b": 1}}"#, "('x', (1,))"),
        ] {
            crate::print::tests::check_row(schema, row, expect, write_row);
        }
    }
}
