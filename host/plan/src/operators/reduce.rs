//! `reduce`: the rows of a key to one row.

mod native;

use tidemill_model::{function::FunctionKind, schema::Schema};

use super::{
    Call, Entry, Inputs, OperatorKind, Page,
    call::{call, fields as read_fields, rename},
    keyed::{keyed, keyed_schema},
    page::{Form, Reads},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Name, Value},
    graph::{self, Letters, Node, Operator, OwnFunction, Part, Placement, Reducer, Role, Way},
    manifest::on_error,
    reader::{Reader, values},
    resolve::{
        Plugins, Stream,
        fields::{self, Groups},
    },
    suggest,
};
use native::{NATIVES, NativeCall};

pub(super) struct Reduce;

#[derive(Debug)]
enum ReduceEntry {
    Guest { by: Vec<Name>, call: Call },
    Native { by: Vec<Name>, native: NativeCall },
}

impl OperatorKind for Reduce {
    fn page(&self) -> &'static Page {
        const GUEST: Form = Form {
            written: &["reduce = \"plugin/function\""],
            beside: &["by", "fields", "parameters", "as", "on-error"],
            rows: "one row a key: the key's fields, then what the function returns",
            holds: "each key, and what is accumulated of it",
        };
        const NATIVE: Form = Form {
            written: &[
                "reduce = \"count\"",
                "reduce = \"sum\"",
                "reduce = \"min\"",
                "reduce = \"max\"",
                "reduce = \"mean\"",
            ],
            beside: &["by", "fields", "as", "on-error"],
            rows: "the same, natively and without a plugin",
            holds: "the same",
        };
        &Page { key: "reduce", reads: Reads::One, forms: &[GUEST, NATIVE] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        let by = reader.read("by", values::different_texts);
        let text = values::text(value, reader.diagnostics)?;
        if text.text.contains('/') {
            return Some(Box::new(ReduceEntry::Guest { by: by.unwrap_or_default(), call: call(value, reader)? }));
        }
        let native = native(text, reader)?;
        Some(Box::new(ReduceEntry::Native { by: by.unwrap_or_default(), native }))
    }
}

fn native(text: Name, reader: &mut Reader<'_, '_>) -> Option<NativeCall> {
    let Some((_, native)) = NATIVES.iter().find(|(name, _)| *name == text.text) else {
        let known = NATIVES.iter().map(|(name, _)| *name);
        let help = suggest::help(&text.text, "reducers of the host", known);
        let error = Diagnostic::error(text.span, format!("`{}` is no reducer of the host", text.text));
        reader.diagnostics.push(error.help(format!("{help}; a plugin's function is written plugin/function")));
        return None;
    };
    for (key, _) in reader.entries().filter(|(key, _)| key.text == "parameters") {
        let error = Diagnostic::error(key.span, format!("`{}` takes no `{}`", text.text, key.text));
        reader.diagnostics.push(error.help("that belongs to a plugin's function"));
    }
    let fields = reader.read("fields", read_fields).unwrap_or_default();
    let (rename, on_error) = (rename(reader), reader.read("on-error", on_error::read));
    Some(NativeCall { native: *native, name: text, fields, rename, on_error })
}

impl Entry for ReduceEntry {
    fn call(&self) -> Option<&Call> {
        if let ReduceEntry::Guest { call, .. } = self { Some(call) } else { None }
    }

    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        match self {
            ReduceEntry::Guest { by, call } => by_guest(by, call, inputs.first(), plugins, diagnostics),
            ReduceEntry::Native { by, native } => by_host(by, native, inputs.first()?, plugins, diagnostics),
        }
    }
}

fn by_guest(
    by: &[Name],
    call: &Call,
    stream: Option<Stream<'_>>,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let (by, function) = keyed(by, call, FunctionKind::Reduce, stream, plugins, diagnostics)?;
    let stream = stream?;
    let schema = keyed_schema(&by, call, &function, &function.signature.output, stream, diagnostics)?;
    let letters = Letters { key: Some(stream.schema.project(&by)), values: stream.schema.clone() };
    let names = stream.schema.names_of(&by);
    let reduce = graph::Reduce { by, reducer: Reducer::Guest, counts_nothing: false };
    let holds = Some(function.on_error.then);
    Some(Node { function: Some(function), letters, holds, ..node(reduce, names, schema) })
}

fn by_host(
    by: &[Name],
    call: &NativeCall,
    stream: Stream<'_>,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let by = fields::find_all(by, stream, diagnostics)?;
    let (aggregate, returned) = native::resolve(call, &by, stream, diagnostics)?;
    let groups = Groups { function: &call.name.text, span: call.name.span, other: "by", single: true };
    let schema = fields::join(&stream.schema.project(&by), &returned, &groups, diagnostics)?;
    let names = stream.schema.names_of(&by);
    let letters = Letters { key: Some(stream.schema.project(&by)), values: stream.schema.clone() };
    let on_error = call.on_error.unwrap_or(plugins.on_error);
    let own = native::may_fail(call.native, &returned).then(|| OwnFunction { name: call.name.text.clone(), on_error });
    let reduce = graph::Reduce { by, reducer: Reducer::Native(aggregate), counts_nothing: false };
    Some(Node { own, letters, holds: Some(on_error.then), ..node(reduce, names, schema) })
}

/// A node that reduces by the fields with these names.
pub(super) fn node(reduce: graph::Reduce, names: Vec<String>, schema: Schema) -> Node {
    let is_one = reduce.by.is_empty();
    let merge = Part { role: Role::Merge, way: Way::ByGroup { is_one }, tables: Vec::new() };
    let mut node = Node::new(Operator::Reduce(reduce), schema, Role::Combine, Way::Here);
    node.parts.push(merge);
    Node { placement: Placement::By(names), ..node }
}
