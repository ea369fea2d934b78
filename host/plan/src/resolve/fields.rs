//! A stream's fields: found by name, put together, and bound to what a function reads.

use tidemill_model::schema::{Field, Kind, Schema, Type};

use super::Stream;
use crate::{
    diagnostics::{Diagnostic, Diagnostics, Span},
    document::Name,
    suggest,
};

/// The places of `names` in the stream. `None`: at least one is not there, and all such are reported.
pub(crate) fn find_all(names: &[Name], stream: Stream<'_>, diagnostics: &mut Diagnostics) -> Option<Vec<usize>> {
    let places: Vec<Option<usize>> = names.iter().map(|name| find(name, stream, diagnostics)).collect();
    places.into_iter().collect()
}

/// The place of the field called `name`; that there is none is reported.
pub(crate) fn find(name: &Name, stream: Stream<'_>, diagnostics: &mut Diagnostics) -> Option<usize> {
    let place = stream.schema.index_of(&name.text);
    if place.is_none() {
        let fields = stream.schema.fields().iter().map(|field| field.name.as_str());
        diagnostics.push_error_with(|| {
            let message = format!("stream `{}` has no field `{}`", stream.name, name.text);
            let help = suggest::help(&name.text, "its fields", fields);
            Diagnostic::error(name.span, message).label("unknown").help(help)
        });
    }
    place
}

/// What is to be bound to what.
pub(crate) struct Wanted<'a> {
    /// As a person calls the function.
    pub(crate) function: &'a str,
    /// Where it stands.
    pub(crate) span: Span,
    /// What it reads.
    pub(crate) input: &'a Schema,
    /// What the pipeline says: the function's field, the stream's field.
    pub(crate) fields: &'a [(Name, Name)],
    /// Fields of the stream that are bound only where the pipeline says so.
    pub(crate) keys: &'a [usize],
    /// Fields of the stream that a single input field does not take by itself.
    pub(crate) kept: &'a [usize],
}

/// For each input field the place of the stream's field, of a type that fits.
///
/// What `fields` says comes first, then the name; and a single input field takes the single field that is left.
pub(crate) fn bind(wanted: &Wanted<'_>, stream: Stream<'_>, diagnostics: &mut Diagnostics) -> Option<Vec<usize>> {
    let errors = diagnostics.error_count();
    check_arguments(wanted, diagnostics);
    let mut bound: Vec<usize> = Vec::new();
    for input in wanted.input.fields() {
        let explicit = wanted.fields.iter().find(|(argument, _)| argument.text == input.name);
        let place = match explicit {
            Some((_, field)) => find(field, stream, diagnostics),
            None => by_itself(wanted, input, stream, diagnostics),
        };
        let Some(place) = place else { continue };
        let span = explicit.map_or(wanted.span, |(_, field)| field.span);
        let given = &stream.schema.fields()[place];
        if !input.ty.accepts(&given.ty) {
            diagnostics.push(does_not_fit(wanted, span, input, given, stream));
        } else if bound.contains(&place) {
            let message = format!("`{}` of `{}` is given to `{}` twice", given.name, stream.name, wanted.function);
            diagnostics.push(Diagnostic::error(span, message).help("each input field takes a field of its own"));
        }
        bound.push(place);
    }
    (diagnostics.error_count() == errors).then_some(bound)
}

/// Reports what `fields` names that the function does not have.
fn check_arguments(wanted: &Wanted<'_>, diagnostics: &mut Diagnostics) {
    let known = wanted.input.fields().iter().map(|field| field.name.as_str());
    for (argument, _) in wanted.fields.iter().filter(|(name, _)| wanted.input.index_of(&name.text).is_none()) {
        let message = format!("`{}` reads no field `{}`", wanted.function, argument.text);
        let help = suggest::help(&argument.text, "fields that it reads", known.clone());
        diagnostics.push(Diagnostic::error(argument.span, message).label("unknown").help(help));
    }
}

fn by_itself(wanted: &Wanted<'_>, input: &Field, stream: Stream<'_>, diagnostics: &mut Diagnostics) -> Option<usize> {
    let named = stream.schema.index_of(&input.name).filter(|place| !wanted.keys.contains(place));
    if named.is_some() {
        return named;
    }
    let left: Vec<usize> =
        (0..stream.schema.len()).filter(|place| !wanted.keys.contains(place) && !wanted.kept.contains(place)).collect();
    if let ([only], 1) = (left.as_slice(), wanted.input.len()) {
        return Some(*only);
    }
    let message = format!("which field of `{}` is `{}` of `{}`?", stream.name, input.name, wanted.function);
    let is_key = stream.schema.index_of(&input.name).is_some_and(|place| wanted.keys.contains(&place));
    let help = if is_key {
        let name = &input.name;
        format!("a field of the key is given only where it is said: fields = {{ {name} = \"{name}\" }}")
    } else if input.ty.optional && matches!(&input.ty.kind, Kind::Record(_)) {
        "a record that may be missing is one field; to read the fields of the row themselves a function takes the record without \
         `?`"
        .to_owned()
    } else {
        let (name, stream, has) = (&input.name, stream.name, shown_fields(stream.schema));
        format!("say it: fields = {{ {name} = \"...\" }}; `{stream}` has {has}")
    };
    diagnostics.push(Diagnostic::error(wanted.span, message).label(format!("reads `{input}`")).help(help));
    None
}

fn does_not_fit(wanted: &Wanted<'_>, span: Span, input: &Field, given: &Field, stream: Stream<'_>) -> Diagnostic {
    let message = format!(
        "`{}` takes {} for `{}`, and `{}` of `{}` is {}",
        wanted.function, input.ty, input.name, given.name, stream.name, given.ty
    );
    let help = if Type::optional(input.ty.kind.clone()).accepts(&given.ty) {
        "`?` means that values may be missing: the function would have to take `?` too, or a map before it leave out \
         such rows"
            .to_owned()
    } else {
        format!("say which field it is: fields = {{ {} = \"...\" }}", input.name)
    };
    Diagnostic::error(span, message).label("does not fit").help(help)
}

/// `a: text, b: integer`, or that there are none.
pub(crate) fn shown_fields(schema: &Schema) -> String {
    if schema.is_empty() { "no fields".to_owned() } else { schema.to_string() }
}

/// How the single field that a function returns is called in the stream.
pub(crate) struct Naming<'a> {
    /// `as`: what the pipeline calls it.
    pub(crate) rename: Option<&'a Name>,
    /// What a field called `value` is called instead.
    pub(crate) value: Option<&'a str>,
}

/// The returned fields as the stream has them.
pub(crate) fn named(
    function: &str,
    returned: &Schema,
    naming: &Naming<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Schema> {
    let name = match (naming.rename, returned.fields()) {
        (Some(rename), [_]) => rename.text.as_str(),
        (Some(rename), _) => {
            let message = format!("`as` names a single field, and `{function}` returns {}", shown_fields(returned));
            diagnostics.push(Diagnostic::error(rename.span, message));
            return None;
        }
        (None, [field]) if field.name == "value" => naming.value.unwrap_or("value"),
        (None, _) => return Some(returned.clone()),
    };
    Schema::try_new(returned.fields().iter().map(|field| Field::new(name, field.ty.clone())).collect()).ok()
}

/// What a stream's fields are put together from, for what is said if two have one name.
pub(crate) struct Groups<'a> {
    /// As a person calls the function.
    pub(crate) function: &'a str,
    /// Where it stands.
    pub(crate) span: Span,
    /// `by` or `keep`.
    pub(crate) other: &'a str,
    /// Whether the function returns a single field, so that `as` can name it.
    pub(crate) single: bool,
}

/// Two groups of fields in one stream, in this order.
pub(crate) fn join(
    first: &Schema,
    second: &Schema,
    groups: &Groups<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Schema> {
    match first.join(second) {
        Ok(schema) if schema.is_empty() => {
            diagnostics.push(Diagnostic::error(groups.span, "the stream would have no fields"));
            None
        }
        Ok(schema) => Some(schema),
        Err(duplicate) => {
            let Groups { function, other, .. } = groups;
            let message = format!("`{other}` and what `{function}` returns both have a field `{}`", duplicate.0);
            let rename = if groups.single {
                "name what the function returns: as = \"...\""
            } else {
                "give the function's field another name in the plugin"
            };
            let help = match *other {
                "keep" => format!("leave it out of `keep`, or {rename}"),
                _ => rename.to_owned(),
            };
            diagnostics.push(Diagnostic::error(groups.span, message).help(help));
            None
        }
    }
}
