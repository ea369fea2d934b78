//! What operators have in common that put rows of several streams side by side by key.

use tidemill_model::{
    schema::{Field, Schema, Type},
    text::counted,
};

use super::Inputs;
use crate::{
    diagnostics::{Diagnostic, Diagnostics, Span},
    document::{Name, Value, ValueKind},
    graph::Keys,
    reader::values,
    resolve::{Stream, fields},
};

/// The key's fields as they are written.
#[derive(Debug)]
pub(super) struct By {
    span: Span,
    fields: Fields,
}

#[derive(Debug)]
enum Fields {
    /// They have the same names in all streams.
    OfAll(Vec<Name>),
    /// Those of each stream.
    OfEach(Vec<Vec<Name>>),
}

impl By {
    /// No fields: all rows have one key.
    pub(super) fn nothing(span: Span) -> By {
        By { span, fields: Fields::OfAll(Vec::new()) }
    }

    /// A text, a list of texts, or for each stream such a list.
    pub(super) fn read(value: &Value, diagnostics: &mut Diagnostics) -> Option<By> {
        let is_of_each = |value: &Value| match &value.kind {
            ValueKind::List(items) => items.iter().any(|item| matches!(item.kind, ValueKind::List(_))),
            _ => false,
        };
        let fields = if is_of_each(value) {
            let items = values::list(value, diagnostics)?;
            values::check_number(value, items.len(), "lists", values::LISTED_MAX, diagnostics)?;
            let of_each: Vec<_> = items.iter().map(|item| values::different_texts(item, diagnostics)).collect();
            Fields::OfEach(of_each.into_iter().collect::<Option<_>>()?)
        } else {
            Fields::OfAll(values::different_texts(value, diagnostics)?)
        };
        Some(By { span: value.span, fields })
    }

    /// Whether it names no field.
    pub(super) fn is_nothing(&self) -> bool {
        match &self.fields {
            Fields::OfAll(names) => names.is_empty(),
            Fields::OfEach(names) => names.iter().all(Vec::is_empty),
        }
    }

    /// The fields in each stream, and what a key is.
    pub(super) fn resolve(&self, inputs: &Inputs<'_>, diagnostics: &mut Diagnostics) -> Option<Keys> {
        let streams = inputs.streams?;
        let names: Vec<&[Name]> = match &self.fields {
            Fields::OfAll(names) => vec![names; streams.len()],
            Fields::OfEach(names) => names.iter().map(Vec::as_slice).collect(),
        };
        let count = names.first()?.len();
        if names.len() != streams.len() || names.iter().any(|names| names.len() != count) {
            let message = "`by` has as many fields for each stream, in a list for each".to_owned();
            let help = format!("{} to be read: by = [[\"a\"], [\"b\"]]", counted(streams.len(), "stream"));
            diagnostics.push(Diagnostic::error(self.span, message).label("does not fit").help(help));
            return None;
        }
        let found: Vec<_> =
            streams.iter().zip(&names).map(|(stream, names)| fields::find_all(names, *stream, diagnostics)).collect();
        let fields: Vec<Vec<usize>> = found.into_iter().collect::<Option<_>>()?;
        let keys: Vec<_> = (0..count).map(|place| one_type(streams, &names, &fields, place, diagnostics)).collect();
        let keys: Vec<Field> = keys.into_iter().collect::<Option<_>>()?;
        Some(Keys { fields, schema: Schema::try_new(keys).ok()? })
    }
}

/// The field at a place of the key, if it is of one kind in all streams.
fn one_type(
    streams: &[Stream<'_>],
    names: &[&[Name]],
    fields: &[Vec<usize>],
    place: usize,
    diagnostics: &mut Diagnostics,
) -> Option<Field> {
    let field = |stream: usize| &streams[stream].schema.fields()[fields[stream][place]];
    let first = field(0);
    for stream in 1..streams.len() {
        let other = field(stream);
        if other.ty.kind != first.ty.kind {
            let message = format!(
                "`{}` of `{}` is {}, and `{}` of `{}` is {}",
                first.name, streams[0].name, first.ty, other.name, streams[stream].name, other.ty
            );
            let help = "keys that are compared are of one type; a map before can make another of one";
            diagnostics.push(Diagnostic::error(names[stream][place].span, message).label("another type").help(help));
            return None;
        }
    }
    let optional = (0..streams.len()).any(|stream| field(stream).ty.optional);
    Some(Field::new(first.name.clone(), Type { kind: first.ty.kind.clone(), optional }))
}
