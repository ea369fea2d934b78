//! An event of a log as one line: for people, or as JSON for programs.

use std::fmt::{self, Debug};

use serde_json::{Map, Value};
use tidemill_model::text::{shown, shown_json};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    registry::LookupSpan,
};

/// How names begin of what the message says in words: people do not read it twice, and programs need not read sentences.
const SAID: &str = "said.";

/// Writes the message, then each field as `name=value`, with every character seen: one event cannot look like two.
#[derive(Clone, Copy, Debug)]
pub struct OneLine;

/// Writes an object: when, how grave, the message, every field, and the span that it is in. The fields of spans are JSON.
#[derive(Clone, Copy, Debug)]
pub struct JsonLine;

/// An event as a line of JSON, without its end.
pub fn json_line(level: &str, fields: &[(&str, Value)]) -> String {
    let mut line = format!("{{\"timestamp\":\"{}\",\"level\":\"{level}\"", crate::time::now());
    for (name, value) in fields {
        line.push_str(&format!(",{}:{value}", Value::from(*name)));
    }
    line.push('}');
    shown_json(&line).into_owned()
}

struct Words<'a, 'w> {
    out: &'a mut Writer<'w>,
    is_first: bool,
    result: fmt::Result,
}

#[derive(Default)]
struct Values(Vec<(&'static str, Value)>);

impl<'writer> FormatFields<'writer> for OneLine {
    fn format_fields<R: RecordFields>(&self, mut out: Writer<'writer>, fields: R) -> fmt::Result {
        let mut visitor = Words { out: &mut out, is_first: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut values = Values::default();
        event.record(&mut values);
        values.0.push(("target", event.metadata().target().into()));
        // Whose line it is: the run of which pipeline.
        if let Some(span) = context.lookup_current() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().and_then(|fields| serde_json::from_str(fields).ok());
            let mut object: Map<String, Value> = fields.unwrap_or_default();
            object.insert("name".to_owned(), span.name().into());
            values.0.push(("span", object.into()));
        }
        writeln!(out, "{}", json_line(event.metadata().level().as_str(), &values.0))
    }
}

impl Words<'_, '_> {
    fn write(&mut self, name: &str, value: &str) -> fmt::Result {
        if !std::mem::take(&mut self.is_first) {
            self.out.write_char(' ')?;
        }
        let value = shown(value);
        match name {
            "message" => self.out.write_str(&value),
            name if self.out.has_ansi_escapes() => {
                write!(self.out, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{value}")
            }
            name => write!(self.out, "{name}={value}"),
        }
    }
}

impl Visit for Words<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.result.is_ok() && !field.name().starts_with(SAID) {
            self.result = self.write(field.name(), &format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl Values {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        let name = field.name();
        self.0.push((name.strip_prefix(SAID).unwrap_or(name), value.into()));
    }
}

impl Visit for Values {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }
}
