//! How a queue is written in a pipeline: its rows stand there, and are checked against their schema here.

use std::sync::Arc;
use tidemill_model::text::counted;

use tidemill_model::{
    connector::{SourceSettings, World},
    ports::{PortError, Source},
    schema::Schema,
};
use tidemill_plan::{
    connector::{Connector, Form, Key, Page, Short},
    diagnostics::{Diagnostic, Diagnostics},
    reader::{Reader, Value, ValueKind, row, values},
};

use super::RowQueue;

/// Rows that stand in the pipeline: for tests.
pub static QUEUE: Connector =
    Connector { key: "queue", source: Some(Form { page: PAGE, read }), sink: None, letters: None };

const PAGE: Page = Page {
    says: "Rows that stand in the file, a batch at each tick: for tests.",
    short: Short::None,
    keys: &[
        Key("schema", "text", "needed", "the fields, `\"word: text, count: integer?\"`"),
        Key(
            "batches",
            "list",
            "needed",
            "a list of rows for each tick; `\"none\"` for a tick at which there is no batch",
        ),
        Key(
            "partitions",
            "integer, 1 to 4096",
            "none",
            "how many partitions the stream has, into which each batch is cut; without it the stream has the pipeline's, and a \
             batch is one chunk, in the first of them",
        ),
    ],
};

/// What stands in the place of a batch at a tick that has none.
const NO_BATCH: &str = "none";

/// A longer schema is not read.
const SCHEMA_BYTES_MAX: usize = 16 << 10;

/// One batch a tick, as given.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueSource {
    /// What the rows are.
    pub schema: Schema,
    /// The batches; `None` is a tick at which the source has none. A row is a JSON object of the schema's fields, or,
    /// for a single field, its value.
    pub batches: Vec<Option<Vec<JsonText>>>,
    /// How many partitions a batch is cut into: row i of n goes to partition p where p·n/partitions <= i.
    pub partitions: Option<u32>,
}

/// A JSON value as its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText(pub String);

impl SourceSettings for QueueSource {
    fn schema(&self) -> Schema {
        self.schema.clone()
    }

    fn partitions(&self) -> Option<u32> {
        self.partitions
    }

    fn open(&self, stream: &str, _world: &World) -> Result<Box<dyn Source>, PortError> {
        Ok(Box::new(RowQueue::try_new(stream, self)?))
    }
}

fn read(reader: &mut Reader<'_, '_>) -> Option<Arc<dyn SourceSettings>> {
    let partitions = reader.read("partitions", values::partitions);
    let schema_value = reader.need("schema", "schema = \"word: text, count: integer\"");
    let batches = reader.need("batches", "batches = [[\"a\", \"b\"], \"none\", []]");
    let schema = schema(schema_value?, reader.diagnostics)?;
    let batches = values::list(batches?, reader.diagnostics)?;
    // All are read before the first bad one ends it, so that each is reported.
    let batches: Vec<Option<Option<Vec<JsonText>>>> =
        batches.iter().map(|value| batch(value, &schema, reader.diagnostics)).collect();
    Some(Arc::new(QueueSource { schema, batches: batches.into_iter().collect::<Option<_>>()?, partitions }))
}

fn schema(value: &Value, diagnostics: &mut Diagnostics) -> Option<Schema> {
    let text = values::text(value, diagnostics)?;
    if text.text.len() > SCHEMA_BYTES_MAX {
        let message = format!("the schema has {}; it may have {SCHEMA_BYTES_MAX}", counted(text.text.len(), "byte"));
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
                rows.iter().map(|value| row(value, schema, diagnostics).map(JsonText)).collect();
            rows.into_iter().collect::<Option<Vec<JsonText>>>().map(Some)
        }
        _ => {
            values::wrong_type(value, "a list of rows, or \"none\"", diagnostics);
            None
        }
    }
}
