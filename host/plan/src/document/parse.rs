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
}

/// Reads a pipeline's text. Errors go to `diagnostics`.
pub(crate) fn parse(text: &str, diagnostics: &mut Diagnostics) -> Parsed {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut parsed = Parsed { table: table(document.get_ref(), 0, 0), incomplete: false };
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
    let Some(value) = find(&mut parsed.table, range.start) else {
        parsed.incomplete = true;
        diagnostics.push(Diagnostic::error(span, format!("this is not TOML: {message}")));
        return range;
    };
    let whole = value.span.start..value.span.end;
    let written = text.get(whole.clone()).unwrap_or_default();
    let bare = written.starts_with(|c: char| c.is_alphanumeric()) && !written.contains(['"', '\'', '\n']);
    if bare {
        let error = Diagnostic::error(value.span, format!("text stands in quotes: \"{written}\""));
        diagnostics.push(error.label("neither a number, nor true or false, nor quoted text"));
    } else {
        diagnostics.push(Diagnostic::error(span, format!("this is not TOML: {message}")));
    }
    // Unquoted text that was recovered is as good as quoted.
    if !(bare && matches!(value.kind, ValueKind::Text(_))) {
        parsed.incomplete |= matches!(value.kind, ValueKind::List(_) | ValueKind::Table(_));
        value.kind = ValueKind::Broken;
    }
    whole
}

/// The innermost value that stands around `at`; tables that are spread over the file do not.
fn find(table: &mut Table, at: usize) -> Option<&mut Value> {
    let index = table.entries.iter().position(|(_, value)| holds(value, at))?;
    match &mut table.entries[index].1 {
        Value { kind: ValueKind::Table(inner), .. } => find(inner, at),
        value => Some(value),
    }
}

fn holds(value: &Value, at: usize) -> bool {
    match &value.kind {
        ValueKind::Table(inner) => inner.entries.iter().any(|(_, value)| holds(value, at)),
        _ => value.span.start <= at && at <= value.span.end,
    }
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
