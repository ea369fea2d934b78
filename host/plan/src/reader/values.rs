//! Single values. Each reader answers `None` after it has reported what is wrong.

use std::ops::RangeInclusive;

use tidemill_model::time::Interval;

use super::quantity;
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Name, Table, Value, ValueKind},
    suggest,
};

/// Reports a value of the wrong type.
pub fn wrong_type(value: &Value, expected: &str, diagnostics: &mut Diagnostics) {
    if !super::is_broken(value) {
        let message = format!("expected {expected}, found {}", value.type_name());
        diagnostics.push(Diagnostic::error(value.span, message));
    }
}

/// A text.
pub fn text(value: &Value, diagnostics: &mut Diagnostics) -> Option<Name> {
    let text = match (&value.kind, &value.typed) {
        (ValueKind::Text(text), _) | (_, Some(text)) => text.clone(),
        _ => {
            wrong_type(value, "text", diagnostics);
            return None;
        }
    };
    Some(Name { text, span: value.span })
}

/// A text that is not empty.
pub fn filled_text(value: &Value, what: &str, diagnostics: &mut Diagnostics) -> Option<Name> {
    let text = text(value, diagnostics)?;
    if text.text.is_empty() {
        diagnostics.push(Diagnostic::error(text.span, format!("{what} is empty")));
        return None;
    }
    Some(text)
}

/// True or false.
pub fn boolean(value: &Value, diagnostics: &mut Diagnostics) -> Option<bool> {
    match value.kind {
        ValueKind::Boolean(boolean) => Some(boolean),
        _ => {
            wrong_type(value, "true or false", diagnostics);
            None
        }
    }
}

/// `true`, for an operator that has nothing to say but that it is one.
pub fn only_true(value: &Value, key: &str, diagnostics: &mut Diagnostics) -> Option<()> {
    match value.kind {
        ValueKind::Boolean(true) => Some(()),
        ValueKind::Boolean(false) => {
            let error = Diagnostic::error(value.span, format!("`{key}` is true or not there"));
            diagnostics.push(error.help(format!("write {key} = true, or leave it out")));
            None
        }
        _ => {
            wrong_type(value, "true", diagnostics);
            None
        }
    }
}

/// Reports an integer that is too large to be one.
pub(crate) fn beyond_64_bits(value: &Value, diagnostics: &mut Diagnostics) {
    diagnostics.push(Diagnostic::error(value.span, "an integer has 64 bits, and this one is beyond them"));
}

/// An integer in a range. `what` is the subject of the sentence if it is not.
pub fn integer(value: &Value, what: &str, range: RangeInclusive<u64>, diagnostics: &mut Diagnostics) -> Option<u64> {
    let ValueKind::Integer(integer) = value.kind else {
        wrong_type(value, "integer", diagnostics);
        return None;
    };
    let Some(integer) = integer else {
        beyond_64_bits(value, diagnostics);
        return None;
    };
    let number = u64::try_from(integer).ok().filter(|number| range.contains(number));
    if number.is_none() {
        let (from, to) = (range.start(), range.end());
        let message = match *to {
            u64::MAX => format!("{what} is at least {from}"),
            _ => format!("{what} is from {from} to {to}"),
        };
        diagnostics.push(Diagnostic::error(value.span, message).label("out of range"));
    }
    number
}

/// There are no more partitions than there are slots.
pub(crate) const PARTITIONS_MAX: u32 = 4_096;

/// A number of partitions.
pub fn partitions(value: &Value, diagnostics: &mut Diagnostics) -> Option<u32> {
    let number = integer(value, "`partitions`", 1..=PARTITIONS_MAX.into(), diagnostics)?;
    u32::try_from(number).ok()
}

/// A time with its unit. What is none is no `what`.
pub fn interval(value: &Value, what: &str, diagnostics: &mut Diagnostics) -> Option<Interval> {
    let text = text(value, diagnostics)?;
    match quantity::interval(&text.text) {
        Ok(interval) => Some(interval),
        Err(reason) => {
            diagnostics.push(Diagnostic::error(text.span, format!("`{}` is no {what}", text.text)).help(reason));
            None
        }
    }
}

/// A number of bytes, as an integer or with a unit, in a range.
pub fn size(value: &Value, what: &str, range: RangeInclusive<usize>, diagnostics: &mut Diagnostics) -> Option<usize> {
    let bytes = match &value.kind {
        ValueKind::Integer(integer) => integer.and_then(|integer| u64::try_from(integer).ok()),
        ValueKind::Text(text) => match quantity::size(text) {
            Ok(bytes) => Some(bytes),
            Err(reason) => {
                diagnostics.push(Diagnostic::error(value.span, format!("`{text}` is no size")).help(reason));
                return None;
            }
        },
        _ => {
            wrong_type(value, "a size", diagnostics);
            return None;
        }
    };
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).filter(|bytes| range.contains(bytes));
    if bytes.is_none() {
        let show = |bytes: usize| quantity::show_size(bytes as u64);
        let message = format!("{what} is from {} to {}", show(*range.start()), show(*range.end()));
        diagnostics.push(Diagnostic::error(value.span, message).label("out of range"));
    }
    bytes
}

/// One of some texts.
pub fn choice<T: Clone>(value: &Value, what: &str, choices: &[(&str, T)], diagnostics: &mut Diagnostics) -> Option<T> {
    let text = text(value, diagnostics)?;
    let found = choices.iter().find(|(name, _)| *name == text.text).map(|(_, choice)| choice.clone());
    if found.is_none() {
        let help = suggest::help(&text.text, "possible", choices.iter().map(|(name, _)| *name));
        diagnostics.push(Diagnostic::error(text.span, format!("`{}` is no {what}", text.text)).help(help));
    }
    found
}

/// A table.
pub fn table<'v>(value: &'v Value, diagnostics: &mut Diagnostics) -> Option<&'v Table> {
    match &value.kind {
        ValueKind::Table(table) => Some(table),
        _ => {
            wrong_type(value, "table", diagnostics);
            None
        }
    }
}

/// The table of a section whose parts have names, `max` of them at most.
pub(crate) fn section<'v>(
    value: &'v Value,
    what: &str,
    max: usize,
    diagnostics: &mut Diagnostics,
) -> Option<&'v Table> {
    let table = table(value, diagnostics)?;
    check_number(value, table.entries.len(), what, max, diagnostics)?;
    Some(table)
}

/// The items of a list.
pub fn list<'v>(value: &'v Value, diagnostics: &mut Diagnostics) -> Option<&'v [Value]> {
    match &value.kind {
        ValueKind::List(items) => Some(items),
        _ => {
            wrong_type(value, "list", diagnostics);
            None
        }
    }
}

/// One text, or a list of texts.
pub fn texts(value: &Value, diagnostics: &mut Diagnostics) -> Option<Vec<Name>> {
    match &value.kind {
        ValueKind::List(items) => {
            check_number(value, items.len(), "texts", LISTED_MAX, diagnostics)?;
            // All are read before the first bad one ends it, so that each is reported.
            let names: Vec<Option<Name>> = items.iter().map(|item| text(item, diagnostics)).collect();
            names.into_iter().collect()
        }
        ValueKind::Text(_) => Some(vec![text(value, diagnostics)?]),
        _ => {
            wrong_type(value, "text or a list of texts", diagnostics);
            None
        }
    }
}

/// One text, or a list of texts that are all different. A text that is there again is reported and left out.
pub(crate) fn different_texts(value: &Value, diagnostics: &mut Diagnostics) -> Option<Vec<Name>> {
    let mut different: Vec<Name> = Vec::new();
    for name in texts(value, diagnostics)? {
        if different.iter().any(|other| other.text == name.text) {
            diagnostics.push(Diagnostic::error(name.span, format!("`{}` is here twice", name.text)));
        } else {
            different.push(name);
        }
    }
    Some(different)
}

/// Texts of a list, fields, parameters: so many at most.
pub(crate) const LISTED_MAX: usize = 1_000;

/// Reports a value that has too many parts; `what` is their plural.
pub(crate) fn check_number(
    value: &Value,
    number: usize,
    what: &str,
    max: usize,
    diagnostics: &mut Diagnostics,
) -> Option<()> {
    if number > max {
        let message = format!("there are {number} {what}, and at most {max} may be here");
        diagnostics.push(Diagnostic::error(value.span, message));
        return None;
    }
    Some(())
}

/// Names become names of files.
const NAME_BYTES_MAX: usize = 100;

/// Whether a name that a person gives (of a pipeline, a stream, a plugin, an output, a field) is one; if not it is
/// reported.
pub(crate) fn check_name(name: &Name, what: &str, diagnostics: &mut Diagnostics) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_name = !name.text.is_empty() && name.text.len() <= NAME_BYTES_MAX && name.text.chars().all(is_good);
    if !is_name {
        let message = match name.text.as_str() {
            "" => format!("the name of {what} is empty"),
            text => format!("`{text}` is no name for {what}"),
        };
        let help = format!("a name is made of a to z, A to Z, 0 to 9, - and _, {NAME_BYTES_MAX} at most");
        diagnostics.push(Diagnostic::error(name.span, message).help(help));
    }
    is_name
}
