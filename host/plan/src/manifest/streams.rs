//! The section `[streams]`: which kind each one is, and whether its keys belong to it.

use std::sync::Arc;

use tidemill_model::connector::SourceSettings;

use super::{reader::Reader, values};
use crate::{
    connector::Connectors,
    diagnostics::{Diagnostic, Diagnostics},
    document::{Name, Value},
    keys::{self, KeyKind},
    operators::{ABSENT, Entry, Page, Reads},
    suggest,
};

/// A stream as it is written.
#[derive(Clone, Debug)]
pub(crate) struct StreamEntry {
    pub(crate) name: Name,
    /// What it reads.
    pub(crate) from: Vec<Name>,
    /// How many of them, the last ones, are side inputs of its function.
    pub(crate) shared: usize,
    /// What it was called before.
    pub(crate) previously: Option<Name>,
    /// It fails where a stream that it reads has no batch.
    pub(crate) fails_if_absent: bool,
    /// `None`: it could not be read, which has been reported.
    pub(crate) body: Option<Body>,
}

/// How a stream's rows come about.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// From outside.
    Source(Arc<dyn SourceSettings>),
    /// From other streams.
    Operator(Arc<dyn Entry>),
}

/// So many streams at most.
const STREAMS_MAX: usize = 10_000;

pub(super) fn read(value: &Value, connectors: Connectors, diagnostics: &mut Diagnostics) -> Vec<StreamEntry> {
    let Some(table) = values::section(value, "streams", STREAMS_MAX, diagnostics) else { return Vec::new() };
    let streams = table.entries.iter().map(|(name, value)| {
        values::check_name(name, "a stream", diagnostics);
        stream(name, value, connectors, diagnostics)
    });
    streams.collect()
}

fn stream(name: &Name, value: &Value, connectors: Connectors, diagnostics: &mut Diagnostics) -> StreamEntry {
    let mut entry = StreamEntry {
        name: name.clone(),
        from: Vec::new(),
        shared: 0,
        previously: None,
        fails_if_absent: false,
        body: None,
    };
    let place = format!("stream `{}`", name.text);
    let Some(mut reader) = Reader::try_new(place, value, diagnostics) else { return entry };
    let present: Vec<(&Name, KeyKind)> = reader
        .entries()
        .filter_map(|(key, _)| Some((key, keys::kinds(connectors).find(|kind| kind.key() == key.text)?)))
        .collect();
    // What stands beside another kind is none itself.
    let is_beside = |key: &str| present.iter().any(|(name, kind)| name.text != key && kind.has_beside(key));
    let present: Vec<(&Name, KeyKind)> = present.iter().filter(|(name, _)| !is_beside(&name.text)).copied().collect();
    check_keys(&mut reader, connectors, &present);
    if !present.iter().any(|(_, kind)| kind.is_source()) {
        entry.from = reader.read("from", from).unwrap_or_default();
    }
    let Some(kind) = only_kind(name, &mut reader, connectors, &present) else { return entry };
    if kind.has_beside("previously") {
        entry.previously = reader.read("previously", values::text);
    }
    let operator = match kind {
        KeyKind::Source(key, form) => {
            let read = reader.read(key, |value, diagnostics| form.read(key, value, "streams", diagnostics));
            entry.body = read.map(Body::Source);
            return entry;
        }
        KeyKind::Operator(operator) => operator,
    };
    let from = reader.need("from", "from = \"lines\"").is_some();
    if from && !entry.from.is_empty() {
        check_from(name, operator.page(), &entry.from, reader.diagnostics);
    }
    let absent = |value: &Value, diagnostics: &mut Diagnostics| {
        values::choice(value, "value of `absent`", &[("empty", false), ("fail", true)], diagnostics)
    };
    entry.fails_if_absent = reader.read(ABSENT, absent).unwrap_or(false);
    let read = reader.get(operator.page().key).and_then(|value| operator.read(value, &mut reader));
    if let Some(read) = read {
        entry.from.extend(read.reads_beside());
        let shared = read.call().map(|call| &call.shared[..]).unwrap_or_default();
        entry.shared = shared.len();
        entry.from.extend(shared.iter().map(|input| input.stream.clone()));
        entry.body = Some(Body::Operator(read.into()));
    }
    entry
}

/// Reports keys that do not stand beside the stream's kind.
fn check_keys(reader: &mut Reader<'_, '_>, connectors: Connectors, present: &[(&Name, KeyKind)]) {
    for (key, _) in reader.entries() {
        let text = key.text.as_str();
        let is_kind = present.iter().any(|(name, _)| name.text == text);
        let belongs = present.iter().any(|(_, kind)| kind.has_beside(text));
        let elsewhere = keys::kinds_with(connectors, text).next().is_some();
        match present.first() {
            _ if is_kind || belongs => {}
            Some((_, kind)) if elsewhere => misplaced(key, *kind, connectors, reader.diagnostics),
            None if elsewhere => {} // That it has no kind is the mistake, and is reported.
            Some((_, kind)) => {
                let known: Vec<&str> = [kind.key()].into_iter().chain(kind.beside()).collect();
                reader.unknown_key(key, &known, "streams");
            }
            None => {
                let all = keys::kinds(connectors).map(KeyKind::key).chain(["from", "by"]);
                reader.unknown_key(key, &all.collect::<Vec<&str>>(), "streams");
            }
        }
    }
}

fn misplaced(key: &Name, kind: KeyKind, connectors: Connectors, diagnostics: &mut Diagnostics) {
    let message = format!("`{}` does not belong to `{}`", key.text, kind.key());
    let help = match key.text.as_str() {
        "from" => "a source reads no other stream".to_owned(),
        key => format!("it belongs to {}", suggest::and(keys::kinds_with(connectors, key))),
    };
    diagnostics.push(Diagnostic::error(key.span, message).label("does not belong here").help(help));
}

/// The one source or operator of a stream; none or several are reported.
fn only_kind(
    name: &Name,
    reader: &mut Reader<'_, '_>,
    connectors: Connectors,
    present: &[(&Name, KeyKind)],
) -> Option<KeyKind> {
    let list = |source: bool| {
        suggest::list(keys::kinds(connectors).filter(|kind| kind.is_source() == source).map(KeyKind::key))
    };
    match present {
        [] => {
            // A kind that comes later, or one that is misspelt, has been reported.
            let unknown = |key: &str| keys::kinds_with(connectors, key).next().is_none();
            if !reader.entries().any(|(key, _)| unknown(&key.text)) {
                let message = format!("stream `{}` has no source and no operator", name.text);
                let help = format!("sources: {}; operators: {}", list(true), list(false));
                reader.diagnostics.push(Diagnostic::error(name.span, message).help(help));
            }
            None
        }
        [(_, kind)] => Some(*kind),
        [(first, _), more @ ..] => {
            for (key, _) in more {
                let message = format!("stream `{}` is both `{}` and `{}`", name.text, first.text, key.text);
                let help = "a stream has one source or operator; make a stream of each, one `from` the other";
                reader.diagnostics.push(Diagnostic::error(key.span, message).label("the second one").help(help));
            }
            None
        }
    }
}

fn from(value: &Value, diagnostics: &mut Diagnostics) -> Option<Vec<Name>> {
    let names = values::texts(value, diagnostics)?;
    if names.is_empty() {
        let error = Diagnostic::error(value.span, "`from` names no stream");
        diagnostics.push(error.help("for example: from = \"lines\""));
    }
    Some(names)
}

/// Whether it reads one stream or several.
fn check_from(name: &Name, page: &Page, from: &[Name], diagnostics: &mut Diagnostics) {
    if page.reads.may_be(from.len()) {
        return;
    }
    if let [single] = from {
        let error = Diagnostic::error(single.span, format!("{} `{}` reads only one stream", page.key, name.text));
        let how_many = if page.reads == Reads::Two { "two" } else { "at least two" };
        diagnostics.push(error.help(format!("write {how_many}: from = [\"a\", \"b\"]")));
        return;
    }
    let (may_be, place, which) = match page.reads {
        Reads::One => ("one stream", 1, "the second one"),
        _ => ("two streams", 2, "the third one"),
    };
    let message = format!("`{}` reads {may_be}, and `{}` is given {}", page.key, name.text, from.len());
    let help = "put some together first: a stream of its own with union = true";
    diagnostics.push(Diagnostic::error(from[place].span, message).label(which).help(help));
}
