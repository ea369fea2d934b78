//! Operators over streams whose fields are known.

use tidemill_model::{
    function::FunctionKind,
    schema::{Kind, Schema},
};

use super::{
    Stream, aggregates, calls,
    fields::{self, Groups, Naming},
    plugins::Plugins,
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::Name,
    graph::{Condition, FunctionUse, KeySet, Map, Operator, Reduce, Reducer, SortKey, UpdateState},
    manifest::{Body, Call, NativeCall, OperatorEntry, StreamEntry},
};

type Resolved = Option<(Operator, Schema)>;

/// The operator of a stream and what its rows are. `inputs` is `None` if those are not known, because of an error that
/// has been reported; then what can be said without them is.
pub(super) fn resolve(
    entry: &StreamEntry,
    inputs: Option<&[Stream<'_>]>,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Resolved {
    let operator = match entry.body.as_ref()? {
        Body::Source(spec, schema) => return Some((Operator::Source(spec.clone()), schema.clone())),
        Body::Operator(operator) => operator,
    };
    let stream = inputs.and_then(|inputs| inputs.first()).copied();
    match operator {
        OperatorEntry::Map { call, keep } => map(call, keep, stream, plugins, diagnostics),
        OperatorEntry::FilterFunction(call) => filter_function(call, stream, plugins, diagnostics),
        OperatorEntry::Reduce { by, call } => reduce(by, call, stream, plugins, diagnostics),
        OperatorEntry::UpdateState { by, call, run, emit } => {
            update_state(by, call, (*run, *emit), stream, plugins, diagnostics)
        }
        OperatorEntry::FilterField(name) => filter_field(name, stream?, diagnostics),
        OperatorEntry::ReduceNative { by, native } => reduce_native(by, native, stream?, diagnostics),
        OperatorEntry::Sort(keys) => sort(keys, stream?, diagnostics),
        OperatorEntry::Union => union(entry, inputs?, diagnostics),
        OperatorEntry::Count => Some((Operator::Count, Schema::single("count", Kind::Integer))),
        OperatorEntry::Limit(rows) => Some((Operator::Limit(*rows), stream?.schema.clone())),
        OperatorEntry::Distinct => Some((Operator::Distinct, stream?.schema.clone())),
    }
}

fn map(
    call: &Call,
    keep: &[Name],
    stream: Option<Stream<'_>>,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Resolved {
    let kept = stream.and_then(|stream| fields::find_all(keep, stream, diagnostics));
    let places = kept.as_deref().unwrap_or_default();
    let function = calls::resolve(call, FunctionKind::Map, stream, &[], places, plugins, diagnostics)?;
    let (stream, keep) = (stream?, kept?);
    let naming = Naming { rename: call.rename.as_ref(), value: None };
    let returned = fields::named(&function.signature.name, &function.signature.output, &naming, diagnostics)?;
    let groups =
        Groups { function: &function.signature.name, span: call.span, other: "keep", single: returned.len() == 1 };
    let schema = fields::join(&returned, &stream.schema.project(&keep), &groups, diagnostics)?;
    Some((Operator::Map(Map { function, keep }), schema))
}

fn filter_field(name: &Name, stream: Stream<'_>, diagnostics: &mut Diagnostics) -> Resolved {
    let place = fields::find(name, stream, diagnostics)?;
    let field = &stream.schema.fields()[place];
    if field.ty.kind != Kind::Boolean {
        let error = Diagnostic::error(
            name.span,
            format!("a filter takes a boolean field, and `{}` is {}", field.name, field.ty),
        );
        diagnostics.push(
            error.label("not boolean").help("or a map of a plugin that returns one boolean a row: plugin/function"),
        );
        return None;
    }
    Some((Operator::Filter(Condition::Field(place)), stream.schema.clone()))
}

fn filter_function(
    call: &Call,
    stream: Option<Stream<'_>>,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Resolved {
    let function = calls::resolve(call, FunctionKind::Map, stream, &[], &[], plugins, diagnostics)?;
    let output = &function.signature.output;
    if output.len() != 1 || output.fields()[0].ty.kind != Kind::Boolean {
        let message = format!(
            "a filter takes a map that returns one boolean, and `{}` returns {}",
            function.signature.name,
            fields::shown_fields(output)
        );
        diagnostics.push(Diagnostic::error(call.span, message));
        return None;
    }
    if function.signature.whole_partition {
        let message = format!(
            "a filter takes a map that answers row by row, and `{}` answers for a whole partition",
            function.signature.name
        );
        diagnostics.push(Diagnostic::error(call.span, message));
        return None;
    }
    let schema = stream?.schema.clone();
    Some((Operator::Filter(Condition::Function(function)), schema))
}

fn reduce(
    by: &[Name],
    call: &Call,
    stream: Option<Stream<'_>>,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Resolved {
    let (by, function) = keyed(by, call, FunctionKind::Reduce, stream, plugins, diagnostics)?;
    let schema = keyed_schema(&by, call, &function, &function.signature.output, stream?, diagnostics)?;
    Some((Operator::Reduce(Reduce { by, reducer: Reducer::Guest(function) }), schema))
}

fn update_state(
    by: &[Name],
    call: &Call,
    (run, emit): (KeySet, KeySet),
    stream: Option<Stream<'_>>,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Resolved {
    let (by, function) = keyed(by, call, FunctionKind::UpdateState, stream, plugins, diagnostics)?;
    let signature = &function.signature;
    if signature.state.is_empty() {
        let error = Diagnostic::error(call.span, format!("`{}` keeps no state", signature.name));
        diagnostics.push(error.help("that is a mistake of the plugin: tell its author"));
        return None;
    }
    let rows = if signature.output.is_empty() { &signature.state } else { &signature.output };
    let schema = keyed_schema(&by, call, &function, rows, stream?, diagnostics)?;
    Some((Operator::UpdateState(UpdateState { by, function, run, emit }), schema))
}

/// The key's fields and the function. Both are looked at even if one is wrong.
fn keyed(
    by: &[Name],
    call: &Call,
    kind: FunctionKind,
    stream: Option<Stream<'_>>,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(Vec<usize>, FunctionUse)> {
    let keys = stream.and_then(|stream| fields::find_all(by, stream, diagnostics));
    // With a key that is not there, what the function would read is a guess.
    let stream = stream.filter(|_| keys.is_some());
    let places = keys.as_deref().unwrap_or_default();
    let function = calls::resolve(call, kind, stream, places, &[], plugins, diagnostics);
    Some((keys?, function?))
}

/// The key's fields and then what the function returns.
fn keyed_schema(
    by: &[usize],
    call: &Call,
    function: &FunctionUse,
    returned: &Schema,
    stream: Stream<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Schema> {
    let value = match function.fields.as_slice() {
        [only] => Some(stream.schema.fields()[*only].name.as_str()),
        _ => None,
    };
    let name = &function.signature.name;
    let naming = Naming { rename: call.rename.as_ref(), value };
    let returned = fields::named(name, returned, &naming, diagnostics)?;
    let groups = Groups { function: name, span: call.span, other: "by", single: returned.len() == 1 };
    fields::join(&stream.schema.project(by), &returned, &groups, diagnostics)
}

fn reduce_native(by: &[Name], call: &NativeCall, stream: Stream<'_>, diagnostics: &mut Diagnostics) -> Resolved {
    let by = fields::find_all(by, stream, diagnostics)?;
    let (aggregate, returned) = aggregates::resolve(call, &by, stream, diagnostics)?;
    let groups = Groups { function: &call.name.text, span: call.name.span, other: "by", single: true };
    let schema = fields::join(&stream.schema.project(&by), &returned, &groups, diagnostics)?;
    Some((Operator::Reduce(Reduce { by, reducer: Reducer::Native(aggregate) }), schema))
}

fn sort(keys: &[(Name, bool)], stream: Stream<'_>, diagnostics: &mut Diagnostics) -> Resolved {
    let mut found = Vec::new();
    for (name, descending) in keys {
        if let Some(field) = fields::find(name, stream, diagnostics) {
            found.push(SortKey { field, descending: *descending });
        }
    }
    Some((Operator::Sort(found), stream.schema.clone()))
}

fn union(entry: &StreamEntry, inputs: &[Stream<'_>], diagnostics: &mut Diagnostics) -> Resolved {
    let (first, rest) = inputs.split_first()?;
    for (stream, name) in rest.iter().zip(entry.from.iter().skip(1)) {
        if stream.schema != first.schema {
            let message = format!("`{}` and `{}` have different fields", first.name, stream.name);
            let help = format!(
                "`{}` has {}; `{}` has {}; streams of a union have the same fields in the same order",
                first.name,
                fields::shown_fields(first.schema),
                stream.name,
                fields::shown_fields(stream.schema)
            );
            diagnostics.push(Diagnostic::error(name.span, message).label("different").help(help));
        }
    }
    Some((Operator::Union, first.schema.clone()))
}
