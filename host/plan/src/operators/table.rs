//! `table`: rows that stay, for streams whose batches look something up in them.

use tidemill_model::{
    schema::Schema,
    table::{TableKind, TableSpec},
};

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics, Span},
    document::{Name, Value},
    graph::{Node, Operator, Part, Role, Way},
    reader::{Reader, values},
    resolve::Plugins,
};

/// What a table may have, unless it says otherwise.
const BYTES_MAX: usize = 64 << 20;

pub(super) struct Table;

#[derive(Debug)]
struct TableEntry {
    span: Span,
    bytes_max: usize,
}

impl OperatorKind for Table {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["table = true"],
            beside: &["bytes-max", "previously"],
            rows: "the rows of the last batch that has any, in every batch from then on, see [below](#tables-that-stay). They keep \
                   their order, in one partition",
            holds: "the rows of the batch, up to `bytes-max`; those that stay are state",
        };
        &Page { key: "table", reads: Reads::One, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        let is_true = values::boolean(value, reader.diagnostics)?;
        if !is_true {
            let error = Diagnostic::error(value.span, "`table` can only be true");
            reader.diagnostics.push(error.help("remove the stream, and read what it reads"));
            return None;
        }
        let most = i32::MAX as usize;
        let read =
            |value: &Value, diagnostics: &mut Diagnostics| values::size(value, "`bytes-max`", 1..=most, diagnostics);
        let bytes_max = reader.read("bytes-max", read);
        if reader.get("bytes-max").is_some() && bytes_max.is_none() {
            return None;
        }
        Some(Box::new(TableEntry { span: value.span, bytes_max: bytes_max.unwrap_or(BYTES_MAX) }))
    }
}

impl Entry for TableEntry {
    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let stream = inputs.first()?;
        if let Some(endless) = stream.endless {
            let span = inputs.names.first().map_or(self.span, |name: &Name| name.span);
            let message = format!("a table is of a stream that ends, and `{}` comes from {endless}", stream.name);
            let help = "read a file: files = \"words.txt\"; what has been seen so far of a stream without an end is an update-state's, \
                        with emit = \"all\"";
            diagnostics.push(Diagnostic::error(span, message).label("has no end").help(help));
            return None;
        }
        let way = Way::One { rows_max: None };
        let part = Part { role: Role::Table, way: way.clone(), tables: vec![kept(stream.schema)] };
        Some(Node {
            parts: vec![part],
            is_always_present: true,
            holds: Some(plugins.on_error.then),
            ..Node::new(Operator::Table { bytes_max: self.bytes_max }, stream.schema.clone(), Role::Table, way)
        })
    }
}

/// The rows under the time of their batch.
fn kept(schema: &Schema) -> TableSpec {
    TableSpec {
        name: String::new(),
        kind: TableKind::Blocks,
        keys: Schema::default(),
        rows: schema.clone(),
        version: 1,
        settings: format!("a table of {schema}"),
    }
}
