//! `update-state`: keyed state that new rows change.

use tidemill_model::{
    function::FunctionKind,
    schema::{Field, Schema},
    table::{TableKind, TableSpec},
    time::Interval,
};

use super::{
    Call, Entry, Inputs, OperatorKind, Page, call,
    keyed::{keyed, keyed_schema},
    page::{Form, Reads},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Name, Value},
    graph::{self, FunctionUse, KeySet, Keys, Letters, Node, Operator, Part, Placement, Role, Way},
    reader::{Reader, values},
    resolve::{Plugins, Stream, fields},
};

const KEY_SETS: &[(&str, KeySet)] = &[("changed", KeySet::Changed), ("all", KeySet::All)];

/// The table that says when keys had new rows. It is there also where nobody asks, so that a time-out may come and go.
const TOUCHED: &str = "touched";

pub(super) struct UpdateState;

#[derive(Debug)]
struct UpdateStateEntry {
    by: Vec<Name>,
    call: Call,
    run: KeySet,
    emit: KeySet,
    initial: Option<Name>,
    idle_timeout: Option<Interval>,
}

impl OperatorKind for UpdateState {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["update-state = \"plugin/function\""],
            beside: &[
                "by",
                "fields",
                "parameters",
                "shared",
                "run",
                "emit",
                "initial",
                "idle-timeout",
                "as",
                "on-error",
                "previously",
            ],
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
        let initial = reader.read("initial", values::text);
        let idle_timeout = reader
            .read("idle-timeout", |value, diagnostics| values::interval(value, "value of `idle-timeout`", diagnostics));
        let is_wrong = |key: &str, is_read: bool| reader.get(key).is_some() && !is_read;
        if is_wrong("initial", initial.is_some()) || is_wrong("idle-timeout", idle_timeout.is_some()) {
            return None;
        }
        let by = by.filter(|by| !by.is_empty())?;
        Some(Box::new(UpdateStateEntry { by, call: call?, run, emit, initial, idle_timeout }))
    }
}

impl Entry for UpdateStateEntry {
    fn call(&self) -> Option<&Call> {
        Some(&self.call)
    }

    fn reads_beside(&self) -> Vec<Name> {
        self.initial.iter().cloned().collect()
    }

    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let UpdateStateEntry { by: names, call, run, emit, .. } = self;
        let stream = inputs.first();
        let (by, function) = keyed(names, call, FunctionKind::UpdateState, stream, plugins, diagnostics)?;
        let signature = &function.signature;
        if signature.state.is_empty() {
            let error = Diagnostic::error(call.span, format!("`{}` keeps no state", signature.name));
            diagnostics.push(error.help("that is a mistake of the plugin: tell its author"));
            return None;
        }
        let rows = if signature.output.is_empty() { &signature.state } else { &signature.output };
        let schema = keyed_schema(&by, call, &function, rows, stream?, diagnostics)?;
        let states = if signature.output.is_empty() {
            schema.clone()
        } else {
            // `as` names what is emitted.
            let call = Call { rename: None, ..call.clone() };
            keyed_schema(&by, &call, &function, &signature.state, stream?, diagnostics)?
        };
        let initial = match &self.initial {
            Some(name) => Some(self.initial(name, *inputs.streams?.get(1)?, stream?, &by, &function, diagnostics)?),
            None => None,
        };
        let keys = function.binding.keys.clone();
        let of_keys = initial.as_ref().map(|(keys, _)| keys.clone());
        let way = Way::ByKey(Keys {
            fields: [Some(by.clone()), of_keys].into_iter().flatten().collect(),
            schema: keys.clone(),
        });
        let tables = tables(&keys, &signature.state, signature.state_version);
        let part = Part { role: Role::UpdateState, way: way.clone(), tables };
        let operator = Operator::UpdateState(graph::UpdateState {
            by: by.clone(),
            run: *run,
            emit: *emit,
            initial: initial.map(|(_, states)| states),
            idle_timeout: self.idle_timeout,
        });
        Some(Node {
            letters: Letters { key: Some(keys), values: function.binding.input.clone() },
            holds: Some(function.on_error.then),
            function: Some(function),
            placement: Placement::By(stream?.schema.names_of(&by)),
            parts: vec![part],
            is_always_present: true,
            state: Some(states),
            ..Node::new(operator, schema, Role::UpdateState, way)
        })
    }
}

impl UpdateStateEntry {
    /// Which fields of the stream of first states are the key, and which ones the state.
    fn initial(
        &self,
        name: &Name,
        initial: Stream<'_>,
        stream: Stream<'_>,
        by: &[usize],
        function: &FunctionUse,
        diagnostics: &mut Diagnostics,
    ) -> Option<(Vec<usize>, Vec<usize>)> {
        let at = |name_of_key: &Name| Name { text: name_of_key.text.clone(), span: name.span };
        let keys = fields::find_all(&self.by.iter().map(at).collect::<Vec<_>>(), initial, diagnostics)?;
        for (&key, &own) in by.iter().zip(&keys) {
            let (key, own) = (&stream.schema.fields()[key], &initial.schema.fields()[own]);
            if !key.ty.accepts(&own.ty) {
                let message =
                    format!("`{}` is {} in `{}`, and {} in `{}`", own.name, own.ty, initial.name, key.ty, stream.name);
                diagnostics.push(Diagnostic::error(name.span, message).label("another type of key"));
                return None;
            }
        }
        let state = &function.signature.state;
        let others: Vec<usize> = (0..initial.schema.len()).filter(|field| !keys.contains(field)).collect();
        let place = |field: &Field| match (initial.schema.index_of(&field.name), &others[..]) {
            (Some(place), _) if others.contains(&place) => Some(place),
            (_, [only]) if state.len() == 1 => Some(*only),
            _ => None,
        };
        let given = |field: &Field| {
            let place = place(field).filter(|place| field.ty.accepts(&initial.schema.fields()[*place].ty));
            if place.is_none() {
                let message = format!("`{}` has nothing for the state's `{field}`", initial.name);
                let (function, has) = (&function.signature.name, fields::shown_fields(initial.schema));
                let help = format!("a state of `{function}` is {state}; `{}` has {has}", initial.name);
                diagnostics.push(Diagnostic::error(name.span, message).label("does not fit").help(help));
            }
            place
        };
        let states: Vec<Option<usize>> = state.fields().iter().map(given).collect();
        let states: Vec<usize> = states.into_iter().collect::<Option<_>>()?;
        Some((keys, states))
    }
}

/// A row a key: its state; and when it had new rows for the last time, if that is asked for.
fn tables(keys: &Schema, state: &Schema, version: u32) -> Vec<TableSpec> {
    let table = |name: &str, rows: &Schema, version| TableSpec {
        name: name.to_owned(),
        kind: TableKind::Keyed,
        keys: keys.clone(),
        rows: rows.clone(),
        version,
        settings: String::new(),
    };
    vec![table("", state, version), table(TOUCHED, &Schema::default(), 1)]
}
