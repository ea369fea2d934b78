//! The host's own reducers.

use tidemill_model::schema::{Field, Kind, Schema, Type};

use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::Name,
    graph::{Aggregate, OnError},
    resolve::{
        Stream,
        fields::{self, Naming, Wanted},
    },
    suggest,
};

/// One of the host's own reducers.
#[derive(Clone, Debug)]
pub(crate) struct NativeCall {
    pub(crate) native: Native,
    pub(crate) name: Name,
    pub(crate) fields: Vec<(Name, Name)>,
    pub(crate) rename: Option<Name>,
    /// What happens when it fails; `None`: what holds for the pipeline.
    pub(crate) on_error: Option<OnError>,
}

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Native {
    Count,
    Sum,
    Min,
    Max,
    Mean,
}

/// Their names.
pub(super) const NATIVES: &[(&str, Native)] = &[
    ("count", Native::Count),
    ("sum", Native::Sum),
    ("min", Native::Min),
    ("max", Native::Max),
    ("mean", Native::Mean),
];

/// The reducer over the stream's fields, and the one field that it returns.
pub(super) fn resolve(
    call: &NativeCall,
    by: &[usize],
    stream: Stream<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(Aggregate, Schema)> {
    let name = call.name.text.as_str();
    if call.native == Native::Count {
        if let Some((argument, _)) = call.fields.first() {
            let error = Diagnostic::error(argument.span, "`count` counts rows and reads no field");
            diagnostics.push(error.help("leave out `fields`"));
        }
        let naming = Naming { rename: call.rename.as_ref(), value: None };
        let schema = fields::named(name, &Schema::single("count", Kind::Integer), &naming, diagnostics)?;
        return Some((Aggregate::Count, schema));
    }
    let input = Schema::single("value", Kind::Any);
    let wanted =
        Wanted { function: name, span: call.name.span, input: &input, fields: &call.fields, keys: by, kept: &[] };
    let place = *fields::bind(&wanted, stream, diagnostics)?.first()?;
    let field = &stream.schema.fields()[place];
    let Some((aggregate, ty)) = typed(call.native, place, &field.ty) else {
        let message = format!("`{name}` cannot be made of `{field}`");
        let help = format!("it takes {}", suggest::list(kinds(call.native).iter().copied()));
        let span = call.fields.first().map_or(call.name.span, |(_, field)| field.span);
        diagnostics.push(Diagnostic::error(span, message).label("does not fit").help(help));
        return None;
    };
    let returned = Schema::try_new(vec![Field::new("value", ty)]).ok()?;
    let naming = Naming { rename: call.rename.as_ref(), value: Some(&field.name) };
    Some((aggregate, fields::named(name, &returned, &naming, diagnostics)?))
}

/// Whether there are values of which it cannot make this field.
pub(super) fn may_fail(native: Native, returned: &Schema) -> bool {
    native == Native::Sum && returned.fields().iter().any(|field| field.ty.kind == Kind::Integer)
}

/// Of a group whose values are all missing the result is missing too, so `?` stays.
fn typed(native: Native, field: usize, ty: &Type) -> Option<(Aggregate, Type)> {
    let fits = kinds(native).contains(&ty.kind.to_string().as_str());
    let float = Type { kind: Kind::Float, optional: ty.optional };
    match native {
        _ if !fits => None,
        Native::Count => Some((Aggregate::Count, Type::required(Kind::Integer))),
        Native::Sum => Some((Aggregate::Sum(field), ty.clone())),
        Native::Min => Some((Aggregate::Min(field), ty.clone())),
        Native::Max => Some((Aggregate::Max(field), ty.clone())),
        Native::Mean => Some((Aggregate::Mean(field), float)),
    }
}

/// The kinds of field that it takes.
fn kinds(native: Native) -> &'static [&'static str] {
    match native {
        Native::Count => &[],
        Native::Sum | Native::Mean => &["integer", "float"],
        Native::Min | Native::Max => &["integer", "float", "timestamp", "text"],
    }
}
