//! What changed in a table, or all of it, as blocks of rows that can be stored.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use tidemill_model::{
    columns::{ColumnBuffer, RowsBuffer},
    schema::{Field, Kind, Type},
    table::TableKind,
    time::Timestamp,
};

use super::KeyedTable;
use crate::table::{BlockLimits, StateError, block_schema};

/// Where the state's own columns begin among those of a block: behind key, deleted, wake_at and the record.
pub(super) const STATE_NODES_FIRST: usize = 4;

/// The columns of a block before the state's own. A key's bytes are the canonical ones. Where `deleted` is true the key has no
/// state any more; the state is then a blank and means nothing.
pub(crate) fn fixed_fields() -> Vec<Field> {
    vec![
        Field::new("key", Type::required(Kind::Bytes)),
        Field::new("deleted", Type::required(Kind::Boolean)),
        Field::new("wake_at", Type::optional(Kind::Timestamp)),
    ]
}

impl KeyedTable {
    /// Whether the table notes from now on what changes, so that [`KeyedTable::changes`] can say it. Call it between
    /// batches. A new table does not.
    pub fn note_changes(&mut self, on: bool) {
        self.noted = on.then(Vec::new);
    }

    /// The changes since the last batch ended, in the order of rows: keys that have a new state or another wake-at, and
    /// keys that had state and have none any more. Ask after the batch ran and before [`KeyedTable::end_batch`]. What it
    /// costs follows the changes. The same calls give the same blocks.
    ///
    /// A table that does not [note changes](KeyedTable::note_changes) cannot say: a defect of the caller, and panics.
    ///
    /// # Errors
    /// A state that cannot be read, which is a defect, or one key's state beyond what a column holds.
    pub fn changes(&self, limits: BlockLimits) -> impl Iterator<Item = Result<RecordBatch, StateError>> + '_ {
        let noted = self.noted.as_ref().expect("who asks for changes has turned on that they are noted");
        let mut rows: Vec<u32> = noted.iter().filter(|&&row| self.has_state(row)).copied().collect();
        // A key that is new in this batch and has no state was nowhere before and is nowhere now.
        let was_there = |row: &&u32| !self.has_state(**row) && **row < self.rows_before;
        rows.extend(self.dropped.iter().filter(was_there));
        rows.sort_unstable();
        rows.dedup();
        Blocks::new(self, rows.into_iter(), limits)
    }

    /// All keys that have state, in order, in blocks of the same schema.
    ///
    /// # Errors
    /// As for [`KeyedTable::changes`].
    pub fn snapshot(&self, limits: BlockLimits) -> impl Iterator<Item = Result<RecordBatch, StateError>> + '_ {
        Blocks::new(self, self.rows(), limits)
    }

    /// All keys that have state, in the order of their canonical bytes, in blocks of the same schema.
    ///
    /// # Errors
    /// As for [`KeyedTable::changes`].
    pub fn sorted(&self, limits: BlockLimits) -> impl Iterator<Item = Result<RecordBatch, StateError>> + '_ {
        let mut rows: Vec<u32> = self.rows().collect();
        rows.sort_unstable_by_key(|&row| self.key(row));
        Blocks::new(self, rows.into_iter(), limits)
    }

    /// Bytes of a row in a block, bitmaps aside.
    fn block_bytes(&self, row: u32) -> usize {
        // The key's offset, the wake-at, and deleted.
        let fixed = 4 + 8 + 1;
        let state = self.columns.iter().map(|column| column.bytes_as_columns(row)).sum::<usize>();
        fixed + self.key(row).len() + state
    }
}

/// The blocks of some rows, one after the other.
struct Blocks<'a, I> {
    table: &'a KeyedTable,
    rows: I,
    limits: BlockLimits,
    /// The rows of the next block.
    block: Vec<u32>,
    bytes: usize,
    buffer: RowsBuffer,
    arrow: SchemaRef,
}

impl<'a, I: Iterator<Item = u32>> Blocks<'a, I> {
    fn new(table: &'a KeyedTable, rows: I, limits: BlockLimits) -> Blocks<'a, I> {
        let schema = block_schema(TableKind::Keyed, &table.schema);
        let (buffer, arrow) = (RowsBuffer::new(&schema), schema.to_arrow());
        Blocks { table, rows, limits, block: Vec::new(), bytes: 0, buffer, arrow }
    }

    /// The rows gathered so far as a block.
    fn take(&mut self) -> Result<RecordBatch, StateError> {
        let (table, rows) = (self.table, &self.block);
        self.buffer.clear();
        let nodes = self.buffer.nodes_mut();
        for &row in rows {
            nodes[0].push_bytes(table.key(row))?;
            nodes[1].push_boolean(!table.has_state(row));
            let wake = table.wakes.get(row).filter(|_| table.has_state(row));
            push_wake(&mut nodes[2], wake);
        }
        if !table.schema.is_empty() {
            rows.iter().for_each(|_| nodes[3].end_record());
            table.read_nodes(rows, &mut nodes[STATE_NODES_FIRST..])?;
        }
        self.buffer.end_rows(rows.len());
        self.block.clear();
        self.bytes = 0;
        self.buffer.to_batch(&self.arrow).map_err(|error| StateError::Layout(error.to_string()))
    }
}

impl<I: Iterator<Item = u32>> Iterator for Blocks<'_, I> {
    type Item = Result<RecordBatch, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(row) = self.rows.next() {
            let bytes = self.table.block_bytes(row);
            let is_full = self.block.len() >= self.limits.rows_max || self.bytes + bytes > self.limits.bytes_max;
            let full = (is_full && !self.block.is_empty()).then(|| self.take());
            self.block.push(row);
            self.bytes += bytes;
            if full.is_some() {
                return full;
            }
        }
        (!self.block.is_empty()).then(|| self.take())
    }
}

fn push_wake(node: &mut ColumnBuffer, at: Option<Timestamp>) {
    match at {
        Some(at) => node.push_word(at.0.cast_unsigned()),
        None => node.push_no_word(true),
    }
}
