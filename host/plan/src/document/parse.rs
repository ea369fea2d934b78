//! From TOML text to the tree. Mistakes of syntax are reported here; what can be read around them is read.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Name, Table, Value, ValueKind};
use crate::diagnostics::{Diagnostic, Diagnostics, Span};

/// What could be read of a text.
pub(crate) struct Parsed {
    pub(crate) table: Table,
    /// Whether something is missing from the table or may stand at the wrong place of it, so that saying more of it
    /// would mislead.
    pub(crate) incomplete: bool,
    /// A list or an inline table has no end, and took what follows for its own: more mistakes would follow from that.
    swallowed: bool,
}

/// Reads a pipeline's text. Errors go to `diagnostics`.
pub(crate) fn parse(text: &str, diagnostics: &mut Diagnostics) -> Parsed {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut parsed = Parsed { table: table(document.get_ref(), 0, 0), incomplete: false, swallowed: false };
    let mut errors: Vec<(Range<usize>, String)> = errors
        .iter()
        .map(|error| (error.span().unwrap_or(text.len()..text.len()), error.message().to_owned()))
        .collect();
    errors.sort_by_key(|(span, _)| span.start);
    let mut last: Option<Range<usize>> = None;
    for (range, message) in errors {
        if last.as_ref().is_some_and(|last| last.contains(&range.start) || last.end == range.start) {
            continue; // The same value is hardly wrong for two reasons.
        }
        last = Some(report(text, range, &message, &mut parsed, diagnostics));
        if parsed.swallowed {
            break;
        }
    }
    parsed
}

/// Reports one mistake; the answer is the range within which it is the only one worth telling.
fn report(
    text: &str,
    range: Range<usize>,
    message: &str,
    parsed: &mut Parsed,
    diagnostics: &mut Diagnostics,
) -> Range<usize> {
    let span = Span::of_file(range.clone());
    if message == "duplicate key" {
        let key = text.get(range.clone()).unwrap_or_default();
        let error = Diagnostic::error(span, format!("`{key}` is defined twice")).label("the second one");
        diagnostics.push(error.help("names are unique; remove one of the two"));
        return range;
    }
    let error = Diagnostic::error(span, format!("this is not TOML: {message}"));
    let Some(value) = find(text, &mut parsed.table, range.start) else {
        parsed.incomplete = true;
        diagnostics.push(error);
        return range;
    };
    let whole = value.span.start..value.span.end;
    let written = text.get(whole.clone()).unwrap_or_default();
    let is_bare = written.starts_with(|c: char| c.is_alphanumeric()) && !written.contains(['"', '\'', '\n']);
    let line = 1 + text.bytes().take(whole.start).filter(|&byte| byte == b'\n').count();
    diagnostics.push(describe(value, written, is_bare, line, error));
    // Text without quotes is recovered as if it had them.
    if !(is_bare && matches!(value.kind, ValueKind::Text(_))) {
        parsed.swallowed |= is_structure(value);
        parsed.incomplete |= is_structure(value);
        value.kind = ValueKind::Broken;
    }
    whole
}

/// What to say of a value that is not TOML: what people get wrong most has words of its own. `error` says what the
/// parser found.
fn describe(value: &Value, written: &str, is_bare: bool, line: usize, error: Diagnostic) -> Diagnostic {
    match written.chars().next() {
        _ if is_bare => Diagnostic::error(value.span, format!("text stands in quotes: \"{written}\""))
            .label("neither a number, nor true or false, nor quoted text"),
        Some(open @ ('[' | '{')) if is_structure(value) => {
            error.help(format!("this is read as part of what `{open}` begins in line {line}; does that end?"))
        }
        Some(quote @ ('"' | '\'')) if !written[1..].contains(quote) => {
            Diagnostic::error(value.span, "the text does not end").label(format!("a second {quote} is missing"))
        }
        _ => error,
    }
}

fn is_structure(value: &Value) -> bool {
    matches!(value.kind, ValueKind::List(_) | ValueKind::Table(_))
}

/// The value that stands around `at`: a section is none, but a list or an inline table is one as a whole.
fn find<'a>(text: &str, table: &'a mut Table, at: usize) -> Option<&'a mut Value> {
    let index = table.entries.iter().position(|(_, value)| holds(text, value, at))?;
    let value = &mut table.entries[index].1;
    if !is_section(text, value) {
        return Some(value);
    }
    match &mut value.kind {
        ValueKind::Table(inner) => find(text, inner, at),
        _ => None,
    }
}

fn holds(text: &str, value: &Value, at: usize) -> bool {
    match &value.kind {
        ValueKind::Table(inner) if is_section(text, value) => {
            inner.entries.iter().any(|(_, value)| holds(text, value, at))
        }
        _ => value.span.start <= at && at <= value.span.end,
    }
}

/// Whether a value is a table whose keys have lines of their own: its span is then that of its name only.
fn is_section(text: &str, value: &Value) -> bool {
    let begins_inline = || text.get(value.span.start..).is_some_and(|rest| rest.starts_with('{'));
    matches!(value.kind, ValueKind::Table(_)) && !begins_inline()
}

/// Reads one value that begins at byte `offset` of `source`.
pub(crate) fn parse_value(text: &str, source: usize, offset: usize) -> Result<Value, String> {
    let parsed = DeValue::parse(text).map_err(|error| error.message().to_owned())?;
    Ok(value(&parsed, source, offset))
}

fn span(range: Range<usize>, source: usize, offset: usize) -> Span {
    Span { source, start: range.start + offset, end: range.end + offset }
}

fn table(table: &DeTable<'_>, source: usize, offset: usize) -> Table {
    let mut entries: Vec<(Name, Value)> = table
        .iter()
        .map(|(key, item)| {
            let name = Name { text: key.get_ref().to_string(), span: span(key.span(), source, offset) };
            (name, value(item, source, offset))
        })
        .collect();
    entries.sort_by_key(|(name, _)| name.span.start);
    Table { entries }
}

fn value(item: &Spanned<DeValue<'_>>, source: usize, offset: usize) -> Value {
    let kind = match item.get_ref() {
        DeValue::String(text) => ValueKind::Text(text.to_string()),
        DeValue::Integer(integer) => ValueKind::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok()),
        DeValue::Float(float) => ValueKind::Float(float.as_str().to_owned()),
        DeValue::Boolean(boolean) => ValueKind::Boolean(*boolean),
        DeValue::Datetime(datetime) => ValueKind::Datetime(*datetime),
        DeValue::Array(items) => ValueKind::List(items.iter().map(|item| value(item, source, offset)).collect()),
        DeValue::Table(entries) => ValueKind::Table(table(entries, source, offset)),
    };
    Value { kind, span: span(item.span(), source, offset), typed: None }
}
