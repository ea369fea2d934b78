//! `reduce`: the rows of a key to one row.

mod native;

use tidemill_model::{function::FunctionKind, schema::Schema};

use super::{
    Call, Entry, Inputs, OperatorKind, Page,
    call::{call, fields as read_fields, rename},
    keyed::{keyed, keyed_schema},
    page::{Form, Reads},
    window::{Lengths, panes},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Name, Value},
    graph::{self, Aggregate, FunctionUse, Letters, Node, Operator, OwnFunction, Part, Placement, Reducer, Role, Way},
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
struct ReduceEntry {
    by: Vec<Name>,
    reducer: ReducerEntry,
    window: Option<Lengths>,
}

#[derive(Debug)]
enum ReducerEntry {
    Guest(Call),
    Native(NativeCall),
}

impl OperatorKind for Reduce {
    fn page(&self) -> &'static Page {
        const GUEST: Form = Form {
            written: &["reduce = \"plugin/function\""],
            beside: &["by", "fields", "parameters", "window", "slide", "as", "on-error", "previously"],
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
            beside: &["by", "fields", "window", "slide", "as", "on-error", "previously"],
            rows: "the same, natively and without a plugin",
            holds: "the same",
        };
        &Page { key: "reduce", reads: Reads::One, forms: &[GUEST, NATIVE] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        let by = reader.read("by", values::different_texts);
        let window = Lengths::read_beside(reader);
        let text = values::text(value, reader.diagnostics)?;
        let reducer = if text.text.contains('/') {
            ReducerEntry::Guest(call(value, reader)?)
        } else {
            ReducerEntry::Native(native(text, reader)?)
        };
        Some(Box::new(ReduceEntry { by: by.unwrap_or_default(), reducer, window: window? }))
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
        if let ReducerEntry::Guest(call) = &self.reducer { Some(call) } else { None }
    }

    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let (by, stream) = (&self.by[..], inputs.first());
        let (node, accumulated) = match &self.reducer {
            ReducerEntry::Guest(call) => by_guest(by, call, stream, plugins, diagnostics)?,
            ReducerEntry::Native(native) => by_host(by, native, stream?, plugins, diagnostics)?,
        };
        windowed(node, self.window, &accumulated, stream?, diagnostics)
    }
}

fn by_guest(
    by: &[Name],
    call: &Call,
    stream: Option<Stream<'_>>,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(Node, Accumulated)> {
    let (by, function) = keyed(by, call, FunctionKind::Reduce, stream, plugins, diagnostics)?;
    let stream = stream?;
    let schema = keyed_schema(&by, call, &function, &function.signature.output, stream, diagnostics)?;
    let letters = Letters { key: Some(stream.schema.project(&by)), values: stream.schema.clone() };
    let names = stream.schema.names_of(&by);
    let reduce = graph::Reduce { by, reducer: Reducer::Guest, counts_nothing: false, window: None };
    let holds = Some(function.on_error.then);
    let accumulated = Accumulated {
        rows: function.signature.state.clone(),
        version: function.signature.state_version,
        of: inputs_of(&function, stream),
    };
    Some((Node { function: Some(function), letters, holds, ..node(reduce, names, schema) }, accumulated))
}

fn by_host(
    by: &[Name],
    call: &NativeCall,
    stream: Stream<'_>,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(Node, Accumulated)> {
    let by = fields::find_all(by, stream, diagnostics)?;
    let (aggregate, returned) = native::resolve(call, &by, stream, diagnostics)?;
    let groups = Groups { function: &call.name.text, span: call.name.span, other: "by", single: true };
    let schema = fields::join(&stream.schema.project(&by), &returned, &groups, diagnostics)?;
    let names = stream.schema.names_of(&by);
    let letters = Letters { key: Some(stream.schema.project(&by)), values: stream.schema.clone() };
    let on_error = call.on_error.unwrap_or(plugins.on_error);
    let own = native::may_fail(call.native, &returned).then(|| OwnFunction { name: call.name.text.clone(), on_error });
    let reduce = graph::Reduce { by, reducer: Reducer::Native(aggregate), counts_nothing: false, window: None };
    let accumulated = Accumulated::by_host(Some(aggregate), &call.name.text, stream.schema);
    Some((Node { own, letters, holds: Some(on_error.then), ..node(reduce, names, schema) }, accumulated))
}

/// A node that reduces by the fields with these names.
pub(super) fn node(reduce: graph::Reduce, names: Vec<String>, schema: Schema) -> Node {
    let is_one = reduce.by.is_empty();
    let merge = Part { role: Role::Merge, way: Way::ByGroup { is_one }, tables: Vec::new() };
    let mut node = Node::new(Operator::Reduce(reduce), schema, Role::Combine, Way::Here);
    node.parts.push(merge);
    Node { placement: Placement::By(names), ..node }
}

/// What a reduce accumulates for a key.
pub(super) struct Accumulated {
    rows: Schema,
    version: u32,
    /// What accumulators hang on besides the function of a plugin: they are not to be merged with others.
    of: String,
}

impl Accumulated {
    /// By a reducer of the host, of this name.
    pub(super) fn by_host(aggregate: Option<Aggregate>, name: &str, input: &Schema) -> Accumulated {
        let field = match aggregate {
            None | Some(Aggregate::Count) => String::new(),
            Some(Aggregate::Sum(field) | Aggregate::Min(field) | Aggregate::Max(field) | Aggregate::Mean(field)) => {
                format!(" {}", input.fields()[field].name)
            }
        };
        let rows = graph::accumulator(aggregate, input);
        // Those of a plugin's function may get and lose fields; those of the host do not.
        let of = if rows.is_empty() { format!("{name}{field}") } else { format!("{name}{field}: {rows}") };
        Accumulated { rows, version: 1, of }
    }
}

/// The fields that a plugin's function reads, and what it is opened with.
fn inputs_of(function: &FunctionUse, stream: Stream<'_>) -> String {
    let fields = stream.schema.names_of(&function.fields).join(", ");
    let parameters = function.binding.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
    format!("{fields}{}", parameters.collect::<String>())
}

/// A reduce as one over a window, if it is to have one: the accumulators of its batches are kept.
pub(super) fn windowed(
    mut node: Node,
    window: Option<Lengths>,
    accumulated: &Accumulated,
    stream: Stream<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let Some(window) = window else { return Some(node) };
    let (window, slide) = window.resolve(stream, diagnostics)?;
    let Operator::Reduce(reduce) = &mut node.operator else { unreachable!("only a reduce accumulates") };
    reduce.window = Some(window);
    let Accumulated { rows, version, of } = accumulated;
    let table = panes(stream.schema.project(&reduce.by), rows.clone(), *version, of, window.every);
    let merge = node.parts.last_mut()?;
    (merge.role, merge.tables) = (Role::WindowMerge, vec![table]);
    Some(Node { slide, is_always_present: true, ..node })
}
