//! The side inputs of a function: streams of which it gets all rows of a batch, typed as the fields of its rows are.

use tidemill_model::{function::FunctionKind, schema::Schema};

use super::{
    Stream,
    fields::{self, Wanted},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    graph::{Node, NodeId, SideInput},
    operators::{Call, Shared},
    suggest,
};

/// The node with the side inputs that its function reads. `streams` are those that the call names, in its order; one that is not
/// known has been reported.
pub(super) fn resolve(
    call: Option<&Call>,
    node: Node,
    streams: &[Option<(NodeId, Stream<'_>)>],
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let (Some(call), Some(function)) = (call, &node.function) else { return Some(node) };
    let signature = &function.signature;
    if signature.kind == FunctionKind::Reduce {
        return Some(node); // That it cannot be given any has been reported.
    }
    let errors = diagnostics.error_count();
    check_names(call, &signature.name, &signature.shared, diagnostics);
    let mut shared = Vec::new();
    let mut is_known = true;
    for (name, wanted) in &signature.shared {
        let given = call.shared.iter().zip(streams).find(|(input, _)| input.name.text == *name);
        let Some((input, stream)) = given else {
            let message = format!("`{}` reads the side input `{name}`, and is given none", signature.name);
            let help = format!("name a stream with {wanted}: shared = {{ {name} = \"...\" }}");
            diagnostics.push(Diagnostic::error(call.span, message).label("lacks a side input").help(help));
            continue;
        };
        let Some((from, stream)) = stream else {
            is_known = false;
            continue;
        };
        let wanted = Wanted {
            function: &format!("{}, side input {name}", signature.name),
            span: input.stream.span,
            input: wanted,
            fields: &input.fields,
            keys: &[],
            kept: &[],
        };
        let Some(fields) = fields::bind(&wanted, *stream, diagnostics) else { continue };
        let rows = stream.schema.project(&fields);
        shared.push(SideInput { name: name.clone(), from: *from, fields, rows });
    }
    if !is_known || diagnostics.error_count() > errors {
        return None;
    }
    let holds = node.holds.or((!shared.is_empty()).then_some(function.on_error.then));
    Some(Node { shared, holds, ..node })
}

/// Reports side inputs that the function does not read.
fn check_names(call: &Call, function: &str, read: &[(String, Schema)], diagnostics: &mut Diagnostics) {
    let is_read = |input: &&Shared| read.iter().any(|(name, _)| *name == input.name.text);
    for input in call.shared.iter().filter(|input| !is_read(input)) {
        let message = format!("`{function}` reads no side input `{}`", input.name.text);
        let help = match read {
            [] => "it reads none at all".to_owned(),
            _ => {
                suggest::help(&input.name.text, "side inputs that it reads", read.iter().map(|(name, _)| name.as_str()))
            }
        };
        diagnostics.push(Diagnostic::error(input.name.span, message).label("not read").help(help));
    }
}
