//! Operators of streams, as they are written.

use super::{on_error, reader::Reader, values};
use crate::{
    diagnostics::{Diagnostic, Diagnostics, Span},
    document::{Name, Value, ValueKind},
    graph::{KeySet, OnError},
    suggest,
};

/// An operator and what it is given.
#[derive(Clone, Debug)]
pub(crate) enum OperatorEntry {
    Map { call: Call, keep: Vec<Name> },
    FilterField(Name),
    FilterFunction(Call),
    Reduce { by: Vec<Name>, call: Call },
    ReduceNative { by: Vec<Name>, native: NativeCall },
    UpdateState { by: Vec<Name>, call: Call, run: KeySet, emit: KeySet },
    Count,
    Union,
    Sort(Vec<(Name, bool)>),
    Limit(usize),
    Distinct,
}

/// A plugin's function and what is said of its use.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) plugin: Name,
    pub(crate) function: Name,
    /// Of `plugin/function`.
    pub(crate) span: Span,
    /// The function's field, the stream's field.
    pub(crate) fields: Vec<(Name, Name)>,
    /// Sorted by name.
    pub(crate) parameters: Vec<(String, String)>,
    /// What the function's single field is called in the stream.
    pub(crate) rename: Option<Name>,
    /// What happens when it fails; `None`: what holds for the pipeline.
    pub(crate) on_error: Option<OnError>,
}

/// Keys that belong to the call of a plugin's function.
pub(super) const OF_CALLS: &[&str] = &["fields", "parameters", "on-error"];

/// One of the host's own reducers.
#[derive(Clone, Debug)]
pub(crate) struct NativeCall {
    pub(crate) native: Native,
    pub(crate) name: Name,
    pub(crate) fields: Vec<(Name, Name)>,
    pub(crate) rename: Option<Name>,
}

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Native {
    Count,
    Sum,
    Min,
    Max,
    Mean,
}

const NATIVES: &[(&str, Native)] = &[
    ("count", Native::Count),
    ("sum", Native::Sum),
    ("min", Native::Min),
    ("max", Native::Max),
    ("mean", Native::Mean),
];

const KEY_SETS: &[(&str, KeySet)] = &[("changed", KeySet::Changed), ("all", KeySet::All)];

/// Reads the operator that the key `kind` makes. `None`: it has been reported.
pub(super) fn read(kind: &str, reader: &mut Reader<'_, '_>) -> Option<OperatorEntry> {
    let value = reader.get(kind)?;
    match kind {
        "map" => map(value, reader),
        "filter" => filter(value, reader),
        "reduce" => reduce(value, reader),
        "update-state" => update_state(value, reader),
        "count" => values::only_true(value, kind, reader.diagnostics).map(|()| OperatorEntry::Count),
        "union" => values::only_true(value, kind, reader.diagnostics).map(|()| OperatorEntry::Union),
        "distinct" => values::only_true(value, kind, reader.diagnostics).map(|()| OperatorEntry::Distinct),
        "sort" => sort(value, reader.diagnostics),
        "limit" => {
            let rows = values::integer(value, "`limit`", 1..=u64::MAX, reader.diagnostics)?;
            Some(OperatorEntry::Limit(usize::try_from(rows).unwrap_or(usize::MAX)))
        }
        _ => None,
    }
}

fn map(value: &Value, reader: &mut Reader<'_, '_>) -> Option<OperatorEntry> {
    let call = call(value, reader);
    let keep = reader.read("keep", values::different_texts).unwrap_or_default();
    Some(OperatorEntry::Map { call: call?, keep })
}

fn filter(value: &Value, reader: &mut Reader<'_, '_>) -> Option<OperatorEntry> {
    let text = values::text(value, reader.diagnostics)?;
    if text.text.contains('/') {
        return Some(OperatorEntry::FilterFunction(call(value, reader)?));
    }
    for (key, _) in reader.entries().filter(|(key, _)| OF_CALLS.contains(&key.text.as_str())) {
        let message = format!("`{}` belongs to a filter by a plugin's function", key.text);
        reader.diagnostics.push(Diagnostic::error(key.span, message));
    }
    Some(OperatorEntry::FilterField(text))
}

fn reduce(value: &Value, reader: &mut Reader<'_, '_>) -> Option<OperatorEntry> {
    let by = reader.read("by", values::different_texts);
    let text = values::text(value, reader.diagnostics)?;
    if text.text.contains('/') {
        return Some(OperatorEntry::Reduce { by: by.unwrap_or_default(), call: call(value, reader)? });
    }
    let Some((_, native)) = NATIVES.iter().find(|(name, _)| *name == text.text) else {
        let known = NATIVES.iter().map(|(name, _)| *name);
        let help = suggest::help(&text.text, "reducers of the host", known);
        let error = Diagnostic::error(text.span, format!("`{}` is no reducer of the host", text.text));
        reader.diagnostics.push(error.help(format!("{help}; a plugin's function is written plugin/function")));
        return None;
    };
    for (key, _) in reader.entries().filter(|(key, _)| ["parameters", "on-error"].contains(&key.text.as_str())) {
        let error = Diagnostic::error(key.span, format!("`{}` takes no `{}`", text.text, key.text));
        reader.diagnostics.push(error.help("that belongs to a plugin's function"));
    }
    let fields = reader.read("fields", fields).unwrap_or_default();
    let native = NativeCall { native: *native, name: text, fields, rename: rename(reader) };
    Some(OperatorEntry::ReduceNative { by: by.unwrap_or_default(), native })
}

fn update_state(value: &Value, reader: &mut Reader<'_, '_>) -> Option<OperatorEntry> {
    let call = call(value, reader);
    let by = match reader.need("by", "by = [\"word\"]") {
        Some(value) => {
            let by = values::different_texts(value, reader.diagnostics);
            if by.as_ref().is_some_and(Vec::is_empty) {
                let error = Diagnostic::error(value.span, "state is kept by key, and `by` is empty");
                reader.diagnostics.push(error.help("name at least one field: by = [\"word\"]"));
            }
            by
        }
        None => None,
    };
    let run = reader.read("run", |value, diagnostics| values::choice(value, "value of `run`", KEY_SETS, diagnostics));
    let emit =
        reader.read("emit", |value, diagnostics| values::choice(value, "value of `emit`", KEY_SETS, diagnostics));
    Some(OperatorEntry::UpdateState {
        by: by.filter(|by| !by.is_empty())?,
        call: call?,
        run: run.unwrap_or(KeySet::Changed),
        emit: emit.unwrap_or(KeySet::Changed),
    })
}

fn sort(value: &Value, diagnostics: &mut Diagnostics) -> Option<OperatorEntry> {
    let names = values::texts(value, diagnostics)?;
    if names.is_empty() {
        let error = Diagnostic::error(value.span, "`sort` names no field");
        diagnostics.push(error.help("for example: sort = [\"-count\", \"word\"]; - means largest first"));
        return None;
    }
    let mut keys: Vec<(Name, bool)> = Vec::new();
    for name in names {
        let (text, descending) = match name.text.strip_prefix('-') {
            Some(rest) => (rest.to_owned(), true),
            None => (name.text, false),
        };
        if keys.iter().any(|(key, _)| key.text == text) {
            diagnostics.push(Diagnostic::error(name.span, format!("`{text}` is here twice")));
        } else {
            keys.push((Name { text, span: name.span }, descending));
        }
    }
    Some(OperatorEntry::Sort(keys))
}

/// `plugin/function` with the keys that go with it.
pub(super) fn call(value: &Value, reader: &mut Reader<'_, '_>) -> Option<Call> {
    let name = values::text(value, reader.diagnostics);
    let fields = reader.read("fields", fields).unwrap_or_default();
    let parameters = reader.read("parameters", parameters).unwrap_or_default();
    let rename = rename(reader);
    let on_error = reader.read("on-error", on_error::read);
    let name = name?;
    match name.text.split_once('/') {
        Some((plugin, function)) if !plugin.is_empty() && !function.is_empty() && !function.contains('/') => {
            let part = |text: &str| Name { text: text.to_owned(), span: name.span };
            let (plugin, function) = (part(plugin), part(function));
            Some(Call { plugin, function, span: name.span, fields, parameters, rename, on_error })
        }
        _ => {
            let error = Diagnostic::error(name.span, format!("`{}` is no function", name.text));
            reader.diagnostics.push(error.help("a function is written plugin/function, for example \"words/split\""));
            None
        }
    }
}

fn rename(reader: &mut Reader<'_, '_>) -> Option<Name> {
    reader.read("as", |value, diagnostics| {
        let name = values::text(value, diagnostics)?;
        values::check_name(&name, "a field", diagnostics);
        Some(name)
    })
}

fn fields(value: &Value, diagnostics: &mut Diagnostics) -> Option<Vec<(Name, Name)>> {
    let table = values::table(value, diagnostics)?;
    values::check_number(value, table.entries.len(), "fields", values::LISTED_MAX, diagnostics)?;
    let pairs = table.entries.iter();
    Some(pairs.filter_map(|(name, value)| Some((name.clone(), values::text(value, diagnostics)?))).collect())
}

fn parameters(value: &Value, diagnostics: &mut Diagnostics) -> Option<Vec<(String, String)>> {
    let table = values::table(value, diagnostics)?;
    values::check_number(value, table.entries.len(), "parameters", values::LISTED_MAX, diagnostics)?;
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (name, value) in &table.entries {
        let text = match (&value.kind, &value.typed) {
            (_, Some(text)) | (ValueKind::Text(text) | ValueKind::Float(text), _) => text.clone(),
            (ValueKind::Integer(Some(integer)), _) => integer.to_string(),
            (ValueKind::Boolean(boolean), _) => boolean.to_string(),
            (ValueKind::Datetime(datetime), _) => datetime.to_string(),
            (ValueKind::Integer(None), _) => {
                values::beyond_64_bits(value, diagnostics);
                continue;
            }
            _ => {
                values::wrong_type(value, "text, a number, or true or false", diagnostics);
                continue;
            }
        };
        pairs.push((name.text.clone(), text));
    }
    pairs.sort();
    Some(pairs)
}
