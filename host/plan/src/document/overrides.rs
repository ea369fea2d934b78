//! Values of the command line in the place of the file's.

use std::str::FromStr;

use tidemill_model::object_url::ObjectUrl;

use super::{Name, Table, Value, ValueKind, parse_value};
use crate::{
    connector::Connectors,
    diagnostics::{Diagnostic, Diagnostics, Span},
    keys, suggest,
};

/// A value that replaces one of the pipeline's, as `--set PATH=VALUE` gives it.
///
/// The value is read as TOML where it is TOML, else it is a text: `2s` and `127.0.0.1:9999` need no quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Keys with dots between them: `streams.lines.socket`.
    pub path: String,
    /// As it was typed.
    pub value: String,
}

/// A `--set` without `=`, or without a path before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not PATH=VALUE; write for example pipeline.interval=2s")]
pub struct InvalidOverride(String);

impl FromStr for Override {
    type Err = InvalidOverride;

    fn from_str(text: &str) -> Result<Override, InvalidOverride> {
        let (path, value) = text.split_once('=').ok_or_else(|| InvalidOverride(text.to_owned()))?;
        let (path, value) = (path.trim(), value.trim());
        if path.is_empty() || path.split('.').any(str::is_empty) {
            return Err(InvalidOverride(text.to_owned()));
        }
        Ok(Override { path: path.to_owned(), value: value.to_owned() })
    }
}

const PREFIX: &str = "--set ";

/// Puts all of them into the tree, the later over the earlier.
pub(crate) fn apply(table: &mut Table, overrides: &[Override], connectors: Connectors, diagnostics: &mut Diagnostics) {
    for change in overrides {
        let source = diagnostics.add_override(format!("{PREFIX}{}={}", change.path, change.value));
        if let Err(error) = apply_one(table, change, connectors, source) {
            diagnostics.push(error);
        }
    }
}

fn apply_one(table: &mut Table, change: &Override, connectors: Connectors, source: usize) -> Result<(), Diagnostic> {
    let new = read_value(change, source)?;
    let segments = segments(&change.path, source);
    let Some((last, parents)) = segments.split_last() else {
        return Ok(()); // A path has at least one segment.
    };
    let mut table = table;
    for (depth, segment) in parents.iter().enumerate() {
        table = enter(table, &parents[..depth], segment, connectors)?;
    }
    // A section as a whole is never one value; the mistake is more likely a path that is too short.
    if parents.is_empty() && !matches!(new.kind, ValueKind::Table(_)) {
        if !keys::SECTIONS.contains(&last.text.as_str()) {
            let help = "a path begins with pipeline, plugins, streams or outputs: streams.NAME.socket=HOST:PORT";
            return Err(Diagnostic::error(last.span, format!("there is no section `{}`", last.text)).help(help));
        }
        let help = format!("go on with a dot and a key: {}.KEY=VALUE", last.text);
        return Err(Diagnostic::error(last.span, format!("`{}` is a section, not a value", last.text)).help(help));
    }
    match table.get_mut(&last.text) {
        Some(value) => *value = new,
        None => table.entries.push((last.clone(), new)),
    }
    Ok(())
}

fn read_value(change: &Override, source: usize) -> Result<Value, Diagnostic> {
    let text = change.value.as_str();
    let offset = PREFIX.len() + change.path.len() + 1;
    let span = Span { source, start: offset, end: offset + text.len() };
    match parse_value(text, source, offset) {
        Ok(mut value) => {
            let scalar = !matches!(value.kind, ValueKind::Text(_) | ValueKind::List(_) | ValueKind::Table(_));
            value.typed = scalar.then(|| text.to_owned());
            Ok(value)
        }
        Err(reason) if text.starts_with(['[', '{', '"', '\'']) => {
            Err(Diagnostic::error(span, format!("this is not TOML: {reason}")))
        }
        Err(_) => Ok(Value { kind: ValueKind::Text(text.to_owned()), span, typed: None }),
    }
}

fn segments(path: &str, source: usize) -> Vec<Name> {
    let mut start = PREFIX.len();
    path.split('.')
        .map(|text| {
            let span = Span { source, start, end: start + text.len() };
            start = span.end + 1;
            Name { text: text.to_owned(), span }
        })
        .collect()
}

/// The table called `segment`. It is made where nothing of the file could have been meant instead: below a stream,
/// a plugin or an output that is there, and for the limits of the pipeline.
fn enter<'a>(
    table: &'a mut Table,
    parents: &[Name],
    segment: &Name,
    connectors: Connectors,
) -> Result<&'a mut Table, Diagnostic> {
    let missing = table.get(&segment.text).is_none();
    let known: &[&str] = if parents.is_empty() { keys::SECTIONS } else { &[] };
    let is_own = parents.len() == 1 && parents[0].text == "pipeline" && segment.text == "limits";
    if missing && parents.len() == 1 && !is_own
        || missing && parents.is_empty() && !known.contains(&segment.text.as_str())
    {
        let path: Vec<&str> = parents.iter().chain([segment]).map(|name| name.text.as_str()).collect();
        let error = Diagnostic::error(segment.span, format!("the pipeline has no `{}`", path.join(".")));
        let help = match parents.first() {
            Some(section) => suggest::help(&segment.text, &section.text, table.keys()),
            None => suggest::help(&segment.text, "sections", known.iter().copied()),
        };
        return Err(error.help(help));
    }
    if missing {
        let empty = Value { kind: ValueKind::Table(Table::default()), span: segment.span, typed: None };
        table.entries.push((segment.clone(), empty));
    }
    let value = table.get_mut(&segment.text).ok_or_else(|| Diagnostic::error(segment.span, "no such key"))?;
    expand(parents, segment, connectors, value);
    let type_name = value.type_name();
    match &mut value.kind {
        ValueKind::Table(inner) => Ok(inner),
        _ => Err(Diagnostic::error(segment.span, format!("`{}` is {type_name}, it has no keys", segment.text))),
    }
}

/// Makes the short form of a value the long one, so that a key beside it can be set: `print = true` becomes
/// `print = {}`, and `socket = "..."` becomes `socket = { connect = "..." }`.
fn expand(parents: &[Name], segment: &Name, connectors: Connectors, value: &mut Value) {
    let section = parents.first().map_or("", |name| name.text.as_str());
    let depth = parents.len();
    let is_url = matches!(&value.kind, ValueKind::Text(text) if ObjectUrl::is_meant(text));
    let Some(key) = keys::long_form(connectors, section, depth, &segment.text, is_url) else { return };
    let inner = match &value.kind {
        ValueKind::Table(_) | ValueKind::Broken => return,
        ValueKind::Boolean(true) => Table::default(),
        _ => {
            let name = Name { text: key.to_owned(), span: value.span };
            Table { entries: vec![(name, value.clone())] }
        }
    };
    value.kind = ValueKind::Table(inner);
}

#[test]
fn a_path_has_names_between_its_dots() {
    let check = |text: &str, expect: Option<(&str, &str)>| {
        let read = text.parse::<Override>().ok().map(|found| (found.path, found.value));
        assert_eq!(read, expect.map(|(path, value)| (path.to_owned(), value.to_owned())), "{text}");
    };
    check("a=1", Some(("a", "1")));
    check(" a.b = 1 = 2 ", Some(("a.b", "1 = 2")));
    check("a.b=", Some(("a.b", "")));
    for wrong in ["", "a", "=1", " =1", ".=1", "a.=1", ".a=1", "a..b=1"] {
        check(wrong, None);
    }
}
