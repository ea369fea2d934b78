//! A plugin's function in an operator, as it is written.

use crate::{
    diagnostics::{Diagnostic, Diagnostics, Span},
    document::{Name, Value, ValueKind},
    graph::OnError,
    manifest::on_error,
    reader::{Reader, values},
};

/// A plugin's function and what is said of its use.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) plugin: Name,
    pub(crate) function: Name,
    /// Of `plugin/function`.
    pub(crate) span: Span,
    /// The function's field, the stream's field.
    pub(crate) fields: Vec<(Name, Name)>,
    pub(crate) parameters: Box<Parameters>,
    /// The function's side inputs.
    pub(crate) shared: Vec<Shared>,
    /// What the function's single field is called in the stream.
    pub(crate) rename: Option<Name>,
    /// What happens when it fails; `None`: what holds for the pipeline.
    pub(crate) on_error: Option<OnError>,
}

/// A stream that a function gets as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// What the function calls it.
    pub(crate) name: Name,
    /// The stream.
    pub(crate) stream: Name,
    /// The function's field, the stream's field.
    pub(crate) fields: Vec<(Name, Name)>,
}

/// What the pipeline gives to a function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters {
    /// Names and values as texts, sorted by name.
    pub(crate) given: Vec<(String, String)>,
    /// Each, and where its value stands.
    places: Vec<(Name, Span)>,
    /// Where all of them stand, if there are any.
    span: Option<Span>,
    /// One of them, or of the side inputs, is none, which was reported.
    pub(crate) is_wrong: bool,
}

/// Keys that belong to the call of a plugin's function.
pub(crate) const OF_CALLS: &[&str] = &["fields", "parameters", SHARED, "on-error"];

/// The key for side inputs.
pub(crate) const SHARED: &str = "shared";

/// `plugin/function` with the keys that go with it.
pub(crate) fn call(value: &Value, reader: &mut Reader<'_, '_>) -> Option<Call> {
    let name = values::text(value, reader.diagnostics);
    let fields = reader.read("fields", fields).unwrap_or_default();
    let mut parameters: Box<Parameters> = reader.read("parameters", parameters).unwrap_or_default().into();
    let shared = reader.read(SHARED, shared);
    parameters.is_wrong |= reader.get(SHARED).is_some() && shared.is_none();
    let shared = shared.unwrap_or_default();
    let rename = rename(reader);
    let on_error = reader.read("on-error", on_error::read);
    let name = name?;
    match name.text.split_once('/') {
        Some((plugin, function)) if !plugin.is_empty() && !function.is_empty() && !function.contains('/') => {
            let part = |text: &str| Name { text: text.to_owned(), span: name.span };
            let (plugin, function) = (part(plugin), part(function));
            Some(Call { plugin, function, span: name.span, fields, parameters, shared, rename, on_error })
        }
        _ => {
            let error = Diagnostic::error(name.span, format!("`{}` is no function", name.text));
            reader.diagnostics.push(error.help("a function is written plugin/function, for example \"words/split\""));
            None
        }
    }
}

/// What the single field that a function returns is called.
pub(super) fn rename(reader: &mut Reader<'_, '_>) -> Option<Name> {
    reader.read("as", |value, diagnostics| {
        let name = values::text(value, diagnostics)?;
        values::check_name(&name, "a field", diagnostics);
        Some(name)
    })
}

/// Which field of the stream is which field of a function.
pub(super) fn fields(value: &Value, diagnostics: &mut Diagnostics) -> Option<Vec<(Name, Name)>> {
    let table = values::table(value, diagnostics)?;
    values::check_number(value, table.entries.len(), "fields", values::LISTED_MAX, diagnostics)?;
    let pairs = table.entries.iter();
    Some(pairs.filter_map(|(name, value)| Some((name.clone(), values::text(value, diagnostics)?))).collect())
}

/// `NAME = "stream"`, or `NAME = { stream = "stream", fields = { ... } }`.
fn shared(value: &Value, diagnostics: &mut Diagnostics) -> Option<Vec<Shared>> {
    let table = values::table(value, diagnostics)?;
    values::check_number(value, table.entries.len(), "side inputs", values::LISTED_MAX, diagnostics)?;
    // All of them are looked at.
    let inputs = table.entries.iter().map(|(name, value)| {
        if let ValueKind::Text(_) = value.kind {
            let stream = values::text(value, diagnostics)?;
            return Some(Shared { name: name.clone(), stream, fields: Vec::new() });
        }
        let mut reader = Reader::try_new(format!("side input `{}`", name.text), value, diagnostics)?;
        reader.check_keys(&["stream", "fields"], "");
        reader.need("stream", "stream = \"prices\"");
        let stream = reader.read("stream", values::text);
        let fields = reader.read("fields", fields).unwrap_or_default();
        Some(Shared { name: name.clone(), stream: stream?, fields })
    });
    inputs.collect::<Vec<_>>().into_iter().collect()
}

fn parameters(value: &Value, diagnostics: &mut Diagnostics) -> Option<Parameters> {
    let table = values::table(value, diagnostics)?;
    values::check_number(value, table.entries.len(), "parameters", values::LISTED_MAX, diagnostics)?;
    let mut parameters = Parameters { span: Some(value.span), ..Parameters::default() };
    for (name, value) in &table.entries {
        let text = match (&value.kind, &value.typed) {
            (_, Some(text)) | (ValueKind::Text(text) | ValueKind::Float(text), _) => text.clone(),
            (ValueKind::Integer(Some(integer)), _) => integer.to_string(),
            (ValueKind::Boolean(boolean), _) => boolean.to_string(),
            (ValueKind::Datetime(datetime), _) => datetime.to_string(),
            (ValueKind::Integer(None), _) => {
                values::beyond_64_bits(value, diagnostics);
                parameters.is_wrong = true;
                continue;
            }
            _ => {
                values::wrong_type(value, "text, a number, or true or false", diagnostics);
                parameters.is_wrong = true;
                continue;
            }
        };
        parameters.places.push((name.clone(), value.span));
        parameters.given.push((name.text.clone(), text));
    }
    parameters.given.sort();
    Some(parameters)
}

impl Parameters {
    /// Where what a function says of its parameters is to be mended: at the one that it names, or where one is missing.
    pub(crate) fn span_of(&self, reason: &str) -> Option<Span> {
        let named = |(name, value): &(Name, Span)| {
            let is_unknown = reason.contains(&format!("no parameter `{}`", name.text));
            let is_wrong = reason.contains(&format!("parameter `{}`", name.text));
            is_wrong.then_some(if is_unknown { name.span } else { *value })
        };
        let place = self.places.iter().find_map(named);
        place.or(self.span.filter(|_| reason.contains("parameter `")))
    }
}
