//! What operators by key have in common.

use tidemill_model::{function::FunctionKind, schema::Schema};

use super::Call;
use crate::{
    diagnostics::Diagnostics,
    document::Name,
    graph::FunctionUse,
    resolve::{
        Plugins, Stream, calls,
        fields::{self, Groups, Naming},
    },
};

/// The key's fields and the function. Both are looked at even if one is wrong.
pub(super) fn keyed(
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
pub(super) fn keyed_schema(
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
