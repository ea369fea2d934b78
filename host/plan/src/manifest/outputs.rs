//! The section `[outputs]`.

use std::path::PathBuf;

use tidemill_model::connector::{FileFormat, FilesSink, PrintSink, PrintStyle, SinkSpec};

use super::{OutputEntry, reader::Reader, values};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Name, Value, ValueKind},
    keys, operators,
    reader::not_yet,
    suggest,
};

/// So many outputs at most.
const OUTPUTS_MAX: usize = 1_000;

/// Rows that are printed where the pipeline does not say how many.
const PRINTED_ROWS_DEFAULT: usize = 10;

const STYLES: &[(&str, PrintStyle)] =
    &[("python", PrintStyle::Python), ("scala", PrintStyle::Scala), ("json", PrintStyle::Json)];

const FORMATS: &[(&str, FileFormat)] = &[("text", FileFormat::Text), ("jsonl", FileFormat::Jsonl)];

pub(super) fn read(value: &Value, diagnostics: &mut Diagnostics) -> Vec<OutputEntry> {
    let Some(table) = values::section(value, "outputs", OUTPUTS_MAX, diagnostics) else { return Vec::new() };
    let outputs = table.entries.iter().map(|(name, value)| {
        values::check_name(name, "an output", diagnostics);
        output(name, value, diagnostics)
    });
    outputs.collect()
}

fn output(name: &Name, value: &Value, diagnostics: &mut Diagnostics) -> OutputEntry {
    let mut entry = OutputEntry { name: name.clone(), from: None, function: None, sink: None };
    let place = format!("output `{}`", name.text);
    let Some(mut reader) = Reader::try_new(place, value, diagnostics) else { return entry };
    reader.check_keys(keys::OUTPUT, "outputs");
    if let Some(value) = reader.need("from", "from = \"counts\"") {
        entry.from = values::text(value, reader.diagnostics);
    }
    match reader.get("output") {
        Some(value) => entry.function = operators::call(value, &mut reader),
        None => {
            for (key, _) in reader.entries().filter(|(key, _)| operators::OF_CALLS.contains(&key.text.as_str())) {
                let error = Diagnostic::error(key.span, format!("`{}` belongs to an output's function", key.text));
                reader.diagnostics.push(error.help("name one: output = \"plugin/function\""));
            }
        }
    }
    entry.sink = sink(name, &mut reader);
    entry
}

fn sink(name: &Name, reader: &mut Reader<'_, '_>) -> Option<SinkSpec> {
    let present: Vec<&Name> =
        reader.entries().map(|(key, _)| key).filter(|key| keys::SINKS.contains(&key.text.as_str())).collect();
    match present.as_slice() {
        [] => {
            let later = reader.entries().any(|(key, _)| keys::is_later("outputs", &key.text));
            if !later && !reader.has_misspelt(keys::SINKS) {
                let error = Diagnostic::error(name.span, format!("output `{}` has no sink", name.text));
                let help = format!("sinks: {}", suggest::list(keys::SINKS.iter().copied()));
                reader.diagnostics.push(error.help(help));
            }
            None
        }
        [key] if key.text == "print" => reader.read("print", print).map(SinkSpec::Print),
        [_] => reader.read("files", files).map(SinkSpec::Files),
        [_, second, ..] => {
            let error = Diagnostic::error(second.span, format!("output `{}` has two sinks", name.text));
            reader.diagnostics.push(error.label("the second one").help("make an output of each"));
            None
        }
    }
}

fn print(value: &Value, diagnostics: &mut Diagnostics) -> Option<PrintSink> {
    let mut sink = PrintSink { rows: PRINTED_ROWS_DEFAULT, style: PrintStyle::Python };
    match value.kind {
        ValueKind::Table(_) => {}
        ValueKind::Boolean(_) => return values::only_true(value, "print", diagnostics).map(|()| sink),
        _ => {
            values::wrong_type(value, "true or a table", diagnostics);
            return None;
        }
    }
    let mut reader = Reader::try_new("`print`", value, diagnostics)?;
    reader.check_keys(keys::PRINT, "");
    let rows = |value: &Value, diagnostics: &mut Diagnostics| {
        usize::try_from(values::integer(value, "`rows`", 0..=u64::MAX, diagnostics)?).ok()
    };
    if let Some(rows) = reader.read("rows", rows) {
        sink.rows = rows;
    }
    if let Some(style) = reader.read("style", |value, diagnostics| values::choice(value, "style", STYLES, diagnostics))
    {
        sink.style = style;
    }
    Some(sink)
}

fn files(value: &Value, diagnostics: &mut Diagnostics) -> Option<FilesSink> {
    if matches!(value.kind, ValueKind::Text(_)) || value.typed.is_some() {
        let folder = values::filled_text(value, "the folder", diagnostics)?;
        return Some(FilesSink { folder: PathBuf::from(folder.text), format: FileFormat::Text });
    }
    if !matches!(value.kind, ValueKind::Table(_)) {
        values::wrong_type(value, "the path of a folder, or a table", diagnostics);
        return None;
    }
    let mut reader = Reader::try_new("`files`", value, diagnostics)?;
    reader.check_keys(keys::WRITTEN_FILES, "");
    let format = reader.read("format", format);
    let folder = reader.need("folder", "folder = \"out/words\"")?;
    let folder = values::filled_text(folder, "the folder", reader.diagnostics)?;
    Some(FilesSink { folder: PathBuf::from(folder.text), format: format.unwrap_or(FileFormat::Text) })
}

fn format(value: &Value, diagnostics: &mut Diagnostics) -> Option<FileFormat> {
    if let ValueKind::Text(text) = &value.kind
        && keys::is_later("formats", text)
    {
        diagnostics.push(not_yet(&Name { text: text.clone(), span: value.span }));
        return None;
    }
    values::choice(value, "format", FORMATS, diagnostics)
}
