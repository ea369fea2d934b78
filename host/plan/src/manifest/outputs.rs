//! The section `[outputs]`.

use std::sync::Arc;

use tidemill_model::connector::SinkSettings;

use super::{OutputEntry, reader::Reader, values};
use crate::{
    connector::Connectors,
    diagnostics::{Diagnostic, Diagnostics},
    document::{Name, Value},
    keys, operators, suggest,
};

/// So many outputs at most.
const OUTPUTS_MAX: usize = 1_000;

pub(super) fn read(value: &Value, connectors: Connectors, diagnostics: &mut Diagnostics) -> Vec<OutputEntry> {
    let Some(table) = values::section(value, "outputs", OUTPUTS_MAX, diagnostics) else { return Vec::new() };
    let outputs = table.entries.iter().map(|(name, value)| {
        values::check_name(name, "an output", diagnostics);
        output(name, value, connectors, diagnostics)
    });
    outputs.collect()
}

fn output(name: &Name, value: &Value, connectors: Connectors, diagnostics: &mut Diagnostics) -> OutputEntry {
    let mut entry = OutputEntry { name: name.clone(), from: None, function: None, sink: None };
    let place = format!("output `{}`", name.text);
    let Some(mut reader) = Reader::try_new(place, value, diagnostics) else { return entry };
    reader.check_keys(&keys::output(connectors), "outputs");
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
    entry.sink = sink(name, &mut reader, connectors);
    entry
}

fn sink(name: &Name, reader: &mut Reader<'_, '_>, connectors: Connectors) -> Option<Arc<dyn SinkSettings>> {
    let form_of = |name: &Name| {
        let connector = connectors.iter().find(|connector| connector.key == name.text)?;
        Some((connector.key, connector.sink.as_ref()?))
    };
    let present: Vec<_> = reader.entries().filter_map(|(name, _)| Some((name, form_of(name)?))).collect();
    match present.as_slice() {
        [] => {
            let later = reader.entries().any(|(key, _)| keys::is_later("outputs", &key.text));
            let sinks: Vec<&str> = keys::sinks(connectors).collect();
            if !later && !reader.has_misspelt(&sinks) {
                let error = Diagnostic::error(name.span, format!("output `{}` has no sink", name.text));
                let help = format!("sinks: {}", suggest::list(sinks));
                reader.diagnostics.push(error.help(help));
            }
            None
        }
        [(_, (key, form))] => reader.read(key, |value, diagnostics| form.read(key, value, "", diagnostics)),
        [_, (second, _), ..] => {
            let error = Diagnostic::error(second.span, format!("output `{}` has two sinks", name.text));
            reader.diagnostics.push(error.label("the second one").help("make an output of each"));
            None
        }
    }
}
