//! The use of a plugin's function: found, bound, opened, and its answer checked.

use tidemill_model::function::{Binding, FunctionKind, Signature};

use super::{
    Stream,
    fields::{self, Wanted},
    plugins::{Plugins, one_line},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    graph::FunctionUse,
    operators::Call,
};

/// Resolves `call` over `stream`. Without a stream only what does not need one is checked.
pub(crate) fn resolve(
    call: &Call,
    kind: FunctionKind,
    stream: Option<Stream<'_>>,
    keys: &[usize],
    kept: &[usize],
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<FunctionUse> {
    let (function, described) = plugins.find(call, kind, diagnostics)?;
    let has_none = matches!(kind, FunctionKind::Reduce | FunctionKind::Output);
    if let ([(name, _), ..], true) = (described.shared.as_slice(), has_none) {
        let message = format!("`{}` reads a side input, `{name}`, and a {} gets none", described.name, kind.name());
        diagnostics.push(Diagnostic::error(call.span, message).help("let a map before it read it: shared = { ... }"));
        return None;
    }
    let stream = stream.filter(|_| !call.parameters.is_wrong)?;
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
        parameters: call.parameters.given.clone(),
    };
    let signature = open(call, &binding, plugins, diagnostics)?;
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

/// The settled signature. That the plugin refuses is reported.
fn open(call: &Call, binding: &Binding, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Signature> {
    let opened = plugins.functions.open(&call.plugin.text, binding);
    let refused = |reason: &String| {
        let message =
            format!("`{}/{}` cannot be used here: {}", call.plugin.text, call.function.text, one_line(reason));
        let span = call.parameters.span_of(reason).unwrap_or(call.span);
        diagnostics.push(Diagnostic::error(span, message));
    };
    opened.inspect_err(refused).ok()
}
