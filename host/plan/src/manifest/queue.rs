//! The source `queue`: rows that stand in the pipeline itself, checked against their schema here.

mod json;

use tidemill_model::{
    connector::{JsonText, QueueSource},
    schema::Schema,
};

use super::{pipeline::partitions, reader::Reader, values};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Value, ValueKind},
    keys,
};

/// What stands in the place of a batch at a tick that has none.
const NO_BATCH: &str = "none";

/// A longer schema is not read.
const SCHEMA_BYTES_MAX: usize = 16 << 10;

pub(super) fn read(value: &Value, diagnostics: &mut Diagnostics) -> Option<QueueSource> {
    let mut reader = Reader::try_new("`queue`", value, diagnostics)?;
    reader.check_keys(keys::QUEUE, "streams");
    let partitions = reader.read("partitions", partitions);
    let schema_value = reader.need("schema", "schema = \"word: text, count: integer\"");
    let batches = reader.need("batches", "batches = [[\"a\", \"b\"], \"none\", []]");
    let schema = schema(schema_value?, reader.diagnostics)?;
    let batches = values::list(batches?, reader.diagnostics)?;
    // All are read before the first bad one ends it, so that each is reported.
    let batches: Vec<Option<Option<Vec<JsonText>>>> =
        batches.iter().map(|value| batch(value, &schema, reader.diagnostics)).collect();
    Some(QueueSource { schema, batches: batches.into_iter().collect::<Option<_>>()?, partitions })
}

fn schema(value: &Value, diagnostics: &mut Diagnostics) -> Option<Schema> {
    let text = values::text(value, diagnostics)?;
    if text.text.len() > SCHEMA_BYTES_MAX {
        let message = format!("the schema has {} bytes; it may have {SCHEMA_BYTES_MAX}", text.text.len());
        diagnostics.push(Diagnostic::error(text.span, message));
        return None;
    }
    let schema: Schema = match text.text.parse() {
        Ok(schema) => schema,
        Err(reason) => {
            let error = Diagnostic::error(text.span, "this is no schema").label(reason.to_string());
            diagnostics.push(error.help("for example: schema = \"word: text, count: integer?\""));
            return None;
        }
    };
    if schema.is_empty() {
        diagnostics.push(Diagnostic::error(text.span, "a schema needs a field"));
        return None;
    }
    if let Some(field) = schema.fields().iter().find(|field| field.ty.is_open()) {
        let error = Diagnostic::error(text.span, format!("the type of `{}` is open", field.name));
        diagnostics.push(error.help("`any` is for functions; say which type the rows have"));
        return None;
    }
    Some(schema)
}

/// The outer `None`: it has been reported. The inner one: no batch at this tick.
fn batch(value: &Value, schema: &Schema, diagnostics: &mut Diagnostics) -> Option<Option<Vec<JsonText>>> {
    match &value.kind {
        ValueKind::Text(text) if text == NO_BATCH => Some(None),
        ValueKind::List(rows) => {
            let rows: Vec<Option<JsonText>> =
                rows.iter().map(|row| json::row(row, schema, diagnostics).map(JsonText)).collect();
            rows.into_iter().collect::<Option<Vec<JsonText>>>().map(Some)
        }
        _ => {
            values::wrong_type(value, "a list of rows, or \"none\"", diagnostics);
            None
        }
    }
}
