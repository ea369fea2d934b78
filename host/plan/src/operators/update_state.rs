//! `update-state`: keyed state that new rows change.

use tidemill_model::{
    function::FunctionKind,
    table::{TableKind, TableSpec},
};

use super::{
    Call, Entry, Inputs, OperatorKind, Page, call,
    keyed::{keyed, keyed_schema},
    page::{Form, Reads},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Name, Value},
    graph::{self, KeySet, Keys, Letters, Node, Operator, Part, Placement, Role, Way},
    reader::{Reader, values},
    resolve::Plugins,
};

const KEY_SETS: &[(&str, KeySet)] = &[("changed", KeySet::Changed), ("all", KeySet::All)];

pub(super) struct UpdateState;

#[derive(Debug)]
struct UpdateStateEntry {
    by: Vec<Name>,
    call: Call,
    run: KeySet,
    emit: KeySet,
}

impl OperatorKind for UpdateState {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["update-state = \"plugin/function\""],
            beside: &["by", "fields", "parameters", "run", "emit", "as", "on-error", "previously"],
            rows: "the key's fields, then its state; or what the function emits",
            holds: "of the new rows the fields that the function reads",
        };
        &Page { key: "update-state", reads: Reads::One, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
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
        let mut key_set = |key, what| {
            let set = reader.read(key, |value: &Value, diagnostics| values::choice(value, what, KEY_SETS, diagnostics));
            set.unwrap_or(KeySet::Changed)
        };
        let (run, emit) = (key_set("run", "value of `run`"), key_set("emit", "value of `emit`"));
        Some(Box::new(UpdateStateEntry { by: by.filter(|by| !by.is_empty())?, call: call?, run, emit }))
    }
}

impl Entry for UpdateStateEntry {
    fn call(&self) -> Option<&Call> {
        Some(&self.call)
    }

    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let UpdateStateEntry { by, call, run, emit } = self;
        let stream = inputs.first();
        let (by, function) = keyed(by, call, FunctionKind::UpdateState, stream, plugins, diagnostics)?;
        let signature = &function.signature;
        if signature.state.is_empty() {
            let error = Diagnostic::error(call.span, format!("`{}` keeps no state", signature.name));
            diagnostics.push(error.help("that is a mistake of the plugin: tell its author"));
            return None;
        }
        let rows = if signature.output.is_empty() { &signature.state } else { &signature.output };
        let schema = keyed_schema(&by, call, &function, rows, stream?, diagnostics)?;
        let keys = function.binding.keys.clone();
        let table = TableSpec {
            name: String::new(),
            kind: TableKind::Keyed,
            keys: keys.clone(),
            rows: signature.state.clone(),
            version: signature.state_version,
            settings: String::new(),
        };
        let way = Way::ByKey(Keys::of(by.clone(), stream?.schema));
        let part = Part { role: Role::UpdateState, way: way.clone(), tables: vec![table] };
        let operator = Operator::UpdateState(graph::UpdateState { by: by.clone(), run: *run, emit: *emit });
        Some(Node {
            letters: Letters { key: Some(keys), values: function.binding.input.clone() },
            holds: Some(function.on_error.then),
            function: Some(function),
            placement: Placement::By(stream?.schema.names_of(&by)),
            parts: vec![part],
            is_always_present: true,
            ..Node::new(operator, schema, Role::UpdateState, way)
        })
    }
}
