//! TOML values as rows of a schema, in JSON: always an object of all of the schema's fields, `null` where a value is
//! missing. A timestamp is its microseconds; bytes are base64.

use tidemill_model::schema::{Kind, Schema, Type};
use toml::value::{Datetime, Offset};

use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Table, Value, ValueKind},
    reader::values,
    suggest,
};

/// A row as JSON: a table of the fields or, where there is a single field, its value. `None`: what is wrong has been reported.
pub fn row(value: &Value, schema: &Schema, diagnostics: &mut Diagnostics) -> Option<String> {
    match (&value.kind, schema.fields()) {
        (ValueKind::Table(table), _) => object(value, table, schema, diagnostics),
        (_, [field]) => Some(format!("{{{}:{}}}", quoted(&field.name), item(value, &field.ty, diagnostics)?)),
        _ => {
            values::wrong_type(value, "a table of the fields", diagnostics);
            None
        }
    }
}

fn object(value: &Value, table: &Table, schema: &Schema, diagnostics: &mut Diagnostics) -> Option<String> {
    let errors = diagnostics.error_count();
    let names = schema.fields().iter().map(|field| field.name.as_str());
    for (key, _) in table.entries.iter().filter(|(key, _)| schema.index_of(&key.text).is_none()) {
        let error = Diagnostic::error(key.span, format!("the schema has no field `{}`", key.text));
        diagnostics.push(error.help(suggest::help(&key.text, "fields", names.clone())));
    }
    let mut members = Vec::new();
    for field in schema.fields() {
        let text = match table.get(&field.name) {
            Some(value) => item(value, &field.ty, diagnostics).unwrap_or_default(),
            None if field.ty.optional => "null".to_owned(),
            None => {
                let error = Diagnostic::error(value.span, format!("the row has no `{}`", field.name));
                diagnostics.push(error.help(format!("where a value may be missing the type is `{}?`", field.ty)));
                continue;
            }
        };
        members.push(format!("{}:{text}", quoted(&field.name)));
    }
    (diagnostics.error_count() == errors).then(|| format!("{{{}}}", members.join(",")))
}

fn item(value: &Value, ty: &Type, diagnostics: &mut Diagnostics) -> Option<String> {
    match (&ty.kind, &value.kind) {
        (Kind::Boolean, ValueKind::Boolean(boolean)) => Some(boolean.to_string()),
        (Kind::Integer | Kind::Timestamp, ValueKind::Integer(Some(integer))) => Some(integer.to_string()),
        (Kind::Float, ValueKind::Integer(Some(integer))) => Some(format!("{:?}", *integer as f64)),
        (Kind::Float, ValueKind::Float(float)) => number(value, float, diagnostics),
        (Kind::Text, ValueKind::Text(text)) => Some(quoted(text)),
        (Kind::Bytes, ValueKind::Text(text)) => {
            if !is_base64(text) {
                let error = Diagnostic::error(value.span, format!("`{text}` is not base64"));
                diagnostics.push(error.help("bytes are written in base64 with padding: \"Zm9v\" is foo"));
                return None;
            }
            Some(quoted(text))
        }
        (Kind::Timestamp, ValueKind::Datetime(datetime)) => {
            let micros = micros(datetime);
            if micros.is_none() {
                let error = Diagnostic::error(value.span, "this date-time has no offset, so it is not one moment");
                diagnostics.push(error.help("write date, time and offset, for example 2026-01-31T12:00:00Z"));
            }
            micros.map(|micros| micros.to_string())
        }
        (Kind::List(ty), ValueKind::List(items)) => {
            let items: Vec<Option<String>> = items.iter().map(|value| item(value, ty, diagnostics)).collect();
            Some(format!("[{}]", items.into_iter().collect::<Option<Vec<String>>>()?.join(",")))
        }
        (Kind::Record(schema), ValueKind::Table(table)) => object(value, table, schema, diagnostics),
        (_, ValueKind::Integer(None)) => {
            values::beyond_64_bits(value, diagnostics);
            None
        }
        (kind, _) => {
            values::wrong_type(value, &kind.to_string(), diagnostics);
            None
        }
    }
}

/// JSON has no infinite numbers and no NaN.
fn number(value: &Value, written: &str, diagnostics: &mut Diagnostics) -> Option<String> {
    let number = written.parse::<f64>().ok().filter(|number| number.is_finite());
    if number.is_none() {
        diagnostics.push(Diagnostic::error(value.span, "a queue holds finite numbers only"));
    }
    number.map(|number| format!("{number:?}"))
}

/// Whether a text is base64 after RFC 4648, with padding, and with zeros in the bits that belong to no byte.
fn is_base64(text: &str) -> bool {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (digits, spare) = match (text.strip_suffix("=="), text.strip_suffix('=')) {
        (Some(digits), _) => (digits, 0b1111),
        (None, Some(digits)) => (digits, 0b11),
        (None, None) => (text, 0),
    };
    let last = digits.bytes().last().and_then(digit).unwrap_or(0);
    text.len().is_multiple_of(4) && digits.bytes().all(|byte| digit(byte).is_some()) && last & spare == 0
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

/// Microseconds since 1970-01-01T00:00:00Z, of a date-time that says its offset.
fn micros(datetime: &Datetime) -> Option<i64> {
    let (date, time) = (datetime.date?, datetime.time?);
    let offset_minutes = match datetime.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let minutes = days(date.year.into(), date.month.into(), date.day.into()) * 1_440
        + i64::from(time.hour) * 60
        + i64::from(time.minute)
        - offset_minutes;
    let seconds = minutes * 60 + time.second.map_or(0, i64::from);
    Some(seconds * 1_000_000 + i64::from(time.nanosecond.unwrap_or(0) / 1_000))
}

/// Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the day that comes and goes
/// is their last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_times_become_microseconds() {
        for (text, expect) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("2000-02-29T12:30:00.000001Z", Some(951_827_400_000_001)),
            ("1969-12-31T23:59:59Z", Some(-1_000_000)),
            ("2026-08-31T07:32Z", Some(1_788_161_520_000_000)),
            ("2026-08-31T07:32:00Z", Some(1_788_161_520_000_000)),
            ("2026-08-31T07:32:59.000999999Z", Some(1_788_161_579_000_999)),
            ("2026-08-31T00:32:00-07:00", Some(1_788_161_520_000_000)),
            ("2026-08-31T07:32:00", None),
            ("2026-08-31", None),
        ] {
            let datetime: Datetime = text.parse().expect("a date-time");
            assert_eq!(micros(&datetime), expect, "{text}");
        }
    }

    #[test]
    fn days_go_on_one_by_one() {
        let mut expect = days(1599, 12, 31);
        assert_eq!((days(1970, 1, 1), days(1969, 12, 31), days(2000, 3, 1)), (0, -1, 11_017));
        for year in 1600..2110 {
            let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
            for (month, length) in (1..).zip([31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                for day in 1..=length {
                    expect += 1;
                    assert_eq!(days(year, month, day), expect, "{year}-{month}-{day}");
                }
            }
        }
    }

    #[test]
    fn base64_is_what_the_connector_reads() {
        for text in ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYmFy", "+/+/"] {
            assert!(is_base64(text), "{text}");
        }
        for text in ["Z", "Zg=", "Zh==", "Zm9=", "====", "=", "Zg==Zg==", "Zm9*", "Zm 9", "\u{e4}\u{e4}"] {
            assert!(!is_base64(text), "{text}");
        }
    }

    #[test]
    fn a_last_digit_has_no_bits_to_spare() {
        let digits = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']);
        for (value, digit) in digits.enumerate() {
            assert!(is_base64(&format!("AAA{digit}")), "{digit}");
            assert_eq!(is_base64(&format!("AA{digit}=")), value % 4 == 0, "{digit}");
            assert_eq!(is_base64(&format!("A{digit}==")), value % 16 == 0, "{digit}");
        }
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(quoted("a\"b\\c\n\u{1f600}"), "\"a\\\"b\\\\c\\u000a\u{1f600}\"");
        assert_eq!(quoted("a b!\u{1f}\0"), "\"a b!\\u001f\\u0000\"");
    }
}
