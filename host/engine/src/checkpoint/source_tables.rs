//! The tables that sources keep in a checkpoint: their rows as blocks, and back.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, RecordBatch, StructArray, TimestampMicrosecondArray, new_null_array,
};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use tidemill_checkpoint::{Section, SectionKind, TableSchema};
use tidemill_model::{
    columns::{columns_of, compact},
    key::{self, KeyBuffer},
    ports::SourceRows,
    table::TableSpec,
};
use tidemill_state::table::{BlockLimits, StateError, Table, block_schema};

use super::{RestoreError, TableRows, tables::table_schema};

/// A source keeps its table whole, in one partition.
const PARTITION: u32 = 0;

/// What a source keeps. `is_whole`: what was kept under its name before does not count.
pub(crate) fn source_schema(stream: &str, previously: Option<&str>, spec: &TableSpec, is_whole: bool) -> TableSchema {
    let previously = previously.map(str::to_owned);
    TableSchema { is_of_source: true, is_whole, previously, ..table_schema(stream, spec) }
}

/// Rows that changed as a section.
pub(crate) fn section_of(stream: &str, spec: &TableSpec, rows: &[SourceRows]) -> Result<Section, StateError> {
    let batches = rows.iter().map(|rows| block_of(spec, rows)).collect::<Result<_, _>>()?;
    let (stream, table) = (stream.to_owned(), spec.name.clone());
    Ok(Section { kind: SectionKind::State, stream, table, partition: PARTITION, batches })
}

fn block_of(spec: &TableSpec, changed: &SourceRows) -> Result<RecordBatch, StateError> {
    let (keys, mut encoded) = (compact(&changed.keys), KeyBuffer::default());
    key::encode(&spec.keys, &columns_of(&keys), keys.num_rows(), &mut encoded)?;
    let column = encoded.column();
    let offsets = OffsetBuffer::new(ScalarBuffer::from(column.offsets.to_vec()));
    let arrow = block_schema(spec.kind, &spec.rows).to_arrow();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(BinaryArray::try_new(offsets, Buffer::from(column.values), None).map_err(layout)?),
        Arc::new(BooleanArray::from(changed.deleted.clone())),
        new_null_array(arrow.field(2).data_type(), keys.num_rows()),
    ];
    debug_assert!(columns[2].as_any().is::<TimestampMicrosecondArray>(), "a source is not called again");
    if !spec.rows.is_empty() {
        columns.push(Arc::new(StructArray::from(changed.rows.clone())));
    }
    RecordBatch::try_new(arrow, columns).map_err(layout)
}

/// All rows of a source's table, as it gets them back. `stored` is the table's schema.
pub(crate) fn rows_of(stored: &TableSchema, table: &Table) -> Result<Vec<SourceRows>, RestoreError> {
    let rows = |block| {
        let TableRows { keys, states, .. } = TableRows::try_new(stored, &block)?;
        Ok(SourceRows { deleted: vec![false; keys.num_rows()], keys, rows: states })
    };
    table.whole(BlockLimits::default()).map(|block| rows(block?)).collect()
}

fn layout(error: ArrowError) -> StateError {
    StateError::Layout(error.to_string())
}
