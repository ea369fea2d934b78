//! The names of tables, and what a pipeline keeps in them.

use std::fmt;

use tidemill_checkpoint::{Section, TableSchema};
use tidemill_model::table::TableSpec;
use tidemill_plan::graph::{FunctionUse, Plan};

use super::Renames;

/// A table of a stream, by the name that the stream has now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId {
    /// The stream.
    pub stream: String,
    /// Which of its tables; empty where it has one.
    pub table: String,
}

impl TableId {
    pub(crate) fn new(stream: &str, table: &str) -> TableId {
        TableId { stream: stream.to_owned(), table: table.to_owned() }
    }

    pub(crate) fn of(schema: &TableSchema, renames: &Renames) -> TableId {
        TableId::new(renames.now(&schema.stream), &schema.table)
    }

    pub(crate) fn of_section(section: &Section, renames: &Renames) -> TableId {
        TableId::new(renames.now(&section.stream), &section.table)
    }

    /// That of these schemas which is of this table. Their streams have the names that this one has.
    pub(crate) fn schema_in<'a>(&self, schemas: &'a [TableSchema]) -> Option<&'a TableSchema> {
        schemas.iter().find(|schema| schema.stream == self.stream && schema.table == self.table)
    }
}

/// The stream, or `stream.table` where it has several.
impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table.as_str() {
            "" => f.write_str(&self.stream),
            table => write!(f, "{}.{table}", self.stream),
        }
    }
}

/// What the streams of a plan keep.
pub(crate) fn table_schemas(plan: &Plan) -> Vec<TableSchema> {
    let by = |function: &FunctionUse| format!("{}/{}", function.plugin, function.signature.name);
    let tables = plan.nodes.iter().flat_map(|node| node.tables().map(move |spec| (node, spec)));
    let schemas = tables.map(|(node, spec)| TableSchema {
        previously: node.previously.clone(),
        function: node.function.as_ref().map(by).unwrap_or_default(),
        ..table_schema(&node.name, spec)
    });
    schemas.collect()
}

/// A table of a stream without fields, for tests that say of it what matters there.
#[cfg(test)]
pub(super) fn schema_of(stream: &str) -> TableSchema {
    use tidemill_model::{schema::Schema, table::TableKind};

    let [keys, rows] = [(); 2].map(|()| Schema::default());
    let [name, settings] = [(); 2].map(|()| String::new());
    table_schema(stream, &TableSpec { name, kind: TableKind::Keyed, keys, rows, version: 1, settings })
}

/// What the host itself keeps for a stream.
pub(crate) fn table_schema(stream: &str, spec: &TableSpec) -> TableSchema {
    TableSchema {
        stream: stream.to_owned(),
        table: spec.name.clone(),
        kind: spec.kind,
        function: String::new(),
        keys: spec.keys.to_string(),
        rows: spec.rows.to_string(),
        version: spec.version,
        settings: spec.settings.clone(),
        is_of_source: false,
        is_whole: false,
        previously: None,
    }
}
