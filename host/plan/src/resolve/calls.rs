//! The use of a plugin's function: found, bound, opened, and its answer checked.

use tidemill_model::{
    function::{Binding, FunctionKind, Signature},
    limits::NODES,
    schema::Schema,
};

use super::{
    Stream,
    fields::{self, Wanted},
    plugins::{Plugins, one_line},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    graph::FunctionUse,
    manifest::Call,
};

/// Resolves `call` over `stream`. Without a stream only what does not need one is checked.
pub(super) fn resolve(
    call: &Call,
    kind: FunctionKind,
    stream: Option<Stream<'_>>,
    keys: &[usize],
    kept: &[usize],
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<FunctionUse> {
    let (function, described) = plugins.find(call, kind, diagnostics)?;
    if let [(name, _), ..] = described.shared.as_slice() {
        let message = format!("`{}` reads a side input, `{name}`, and there are none in this version", described.name);
        diagnostics.push(Diagnostic::error(call.span, message).label("comes later"));
        return None;
    }
    let stream = stream?;
    let wanted = Wanted {
        function: &described.name,
        span: call.span,
        input: &described.input,
        fields: &call.fields,
        keys,
        kept,
    };
    let bound = fields::bind(&wanted, stream, diagnostics)?;
    let binding = Binding {
        function,
        keys: stream.schema.project(keys),
        input: stream.schema.project(&bound),
        parameters: call.parameters.clone(),
    };
    let signature = open(call, described, &binding, plugins, diagnostics)?;
    let on_error = call.on_error.unwrap_or(plugins.on_error);
    if signature.whole_partition && on_error.calls_again() {
        let message =
            format!("`{}` sees a partition as a whole, so a call that fails cannot be made again", signature.name);
        let error = Diagnostic::error(call.span, message);
        diagnostics.push(error.help("give it a policy that it can have: on-error = \"stop\" or \"skip-batch\""));
        return None;
    }
    Some(FunctionUse { plugin: call.plugin.text.clone(), signature, binding, fields: bound, on_error })
}

/// The settled signature. That the plugin refuses, or settles what cannot be, is reported.
fn open(
    call: &Call,
    described: &Signature,
    binding: &Binding,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Signature> {
    let name = format!("{}/{}", call.plugin.text, call.function.text);
    let signature = match plugins.functions.open(&call.plugin.text, binding) {
        Ok(signature) => signature,
        Err(reason) => {
            let message = format!("`{name}` cannot be used here: {}", one_line(&reason));
            diagnostics.push(Diagnostic::error(call.span, message));
            return None;
        }
    };
    if let Some(reason) = unsettled(described, &signature, &binding.input) {
        let error = Diagnostic::error(call.span, format!("`{name}` answered with {reason}"));
        diagnostics.push(error.help("that is a mistake of the plugin: tell its author"));
        return None;
    }
    Some(signature)
}

/// What is wrong with the signature that a plugin settled; it comes from a guest and is not to be believed.
fn unsettled(described: &Signature, settled: &Signature, given: &Schema) -> Option<String> {
    if settled.kind != described.kind {
        return Some(format!("a function of kind {}", settled.kind.name()));
    }
    let schemas = [&settled.input, &settled.output, &settled.state];
    if let Some(field) = schemas.iter().flat_map(|schema| schema.fields()).find(|field| field.ty.is_open()) {
        return Some(format!("a type that is not settled: `{field}`"));
    }
    if let Some(schema) = schemas.iter().find(|schema| schema.nodes() > NODES) {
        return Some(format!(
            "{} columns, those inside lists and records included; at most {NODES} can be",
            schema.nodes()
        ));
    }
    if settled.input.len() != given.len() {
        return Some(format!("other fields to read: {}", fields::shown_fields(&settled.input)));
    }
    let mut pairs = settled.input.fields().iter().zip(given.fields());
    pairs.find(|(wanted, given)| !wanted.ty.accepts(&given.ty)).map(|(wanted, given)| {
        format!(
            "a type that does not fit: `{}` is to be {}, and `{}` is {}",
            wanted.name, wanted.ty, given.name, given.ty
        )
    })
}
