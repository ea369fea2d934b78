//! A table of any kind, as those see it who lend it, store it and bring it back: nobody here knows what the rows mean.

use arrow_array::RecordBatch;
use tidemill_model::{
    columns::{Column, ColumnFull, Rows, RowsBuffer, columns_of, compact},
    key::{DecodeError, InvalidKey},
    schema::{Field, Kind, Schema, Type},
    table::TableKind,
};

use crate::{
    keyed::{self, KeyedTable},
    numbered::{self, NumberedTable},
};

/// How many columns of a block come before the rows' own.
pub const FIXED_COLUMNS: usize = 3;

/// What a stream keeps in one partition.
#[derive(Debug)]
pub enum Table {
    /// A row a key.
    Keyed(Box<KeyedTable>),
    /// Panes of rows by number.
    Numbered(NumberedTable),
}

/// What a block has at most. A row that has more bytes is a block of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// Rows; at least one.
    pub rows_max: usize,
    /// Bytes of columns, bitmaps aside. Lists are counted by what they could be, which can be several times what they
    /// are.
    pub bytes_max: usize,
}

/// State that cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// More than a column can hold in one call.
    #[error(transparent)]
    Full(#[from] ColumnFull),
    /// Bytes in the table that are no value of the column: a defect of Tidemill.
    #[error("state cannot be read back: {0}")]
    Decode(#[from] DecodeError),
    /// States that are no columns of their schema: a defect of Tidemill.
    #[error("state cannot be made a block: {0}")]
    Layout(String),
}

/// A block that cannot be a change of the table. The table is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The block is of another schema.
    #[error("a block of state has the columns `{found}`, and should have those of `{expected}`")]
    Schema {
        /// The schema that blocks of this table have.
        expected: String,
        /// The block's as Arrow writes it.
        found: String,
    },
    /// A key that is none of the table's.
    #[error("row {row} of a block of state has a wrong key: {error}")]
    Key {
        /// The row, from 0.
        row: usize,
        /// What is wrong with it.
        error: InvalidKey,
    },
    /// A key stands in the block twice.
    #[error("row {row} of a block of state has the key of an earlier row")]
    Twice {
        /// The row, from 0.
        row: usize,
    },
    /// A key is deleted that has no state: the block belongs to another state than the table's.
    #[error("row {row} of a block of state changes what is not there; a block before it was left out")]
    NotThere {
        /// The row, from 0.
        row: usize,
    },
    /// More than a column can hold: not for rows chosen from a block that itself is one.
    #[error(transparent)]
    Full(#[from] ColumnFull),
    /// Rows that cannot be laid out anew, because they are not laid out as their schema says.
    #[error("a block of state is damaged: {0}")]
    Layout(String),
}

impl Default for BlockLimits {
    fn default() -> BlockLimits {
        BlockLimits { rows_max: 1 << 16, bytes_max: 4 << 20 }
    }
}

/// The schema of blocks of a table of this kind whose rows are of schema `rows`: [`FIXED_COLUMNS`], then `state: record<...>`.
/// Rows without fields have no `state`, because a record has at least one.
pub fn block_schema(kind: TableKind, rows: &Schema) -> Schema {
    let mut fields = match kind {
        TableKind::Keyed => keyed::fixed_fields(),
        TableKind::Blocks => numbered::fixed_fields(),
    };
    if !rows.is_empty() {
        fields.push(Field::new("state", Type::required(Kind::Record(rows.clone()))));
    }
    Schema::try_new(fields).expect("the names are different")
}

/// The schema of blocks, if the block has it.
pub(crate) fn checked_schema(kind: TableKind, rows: &Schema, block: &RecordBatch) -> Result<Schema, ApplyError> {
    let schema = block_schema(kind, rows);
    let found = block.schema();
    if schema.to_arrow().fields() == found.fields() {
        return Ok(schema);
    }
    Err(ApplyError::Schema { expected: schema.to_string(), found: format!("{:?}", found.fields()) })
}

/// The rows of a block by the partition, of so many, that their keys belong to; one block for each of them, rows in the order
/// in which they stood. `rows` is the schema of the table's rows.
///
/// # Errors
/// The block is of another schema.
pub fn split(
    kind: TableKind,
    rows: &Schema,
    block: &RecordBatch,
    partitions: u32,
) -> Result<Vec<RecordBatch>, ApplyError> {
    match kind {
        TableKind::Keyed => keyed::split(rows, block, partitions),
        TableKind::Blocks => numbered::split(rows, block, partitions),
    }
}

/// The rows of a block of schema `schema` by partition: each in that which `place` says, by the block's columns and its number,
/// or in all of them.
pub(crate) fn split_rows(
    schema: &Schema,
    block: &RecordBatch,
    partitions: u32,
    place: impl Fn(&[Column<'_>], usize) -> Option<u32>,
) -> Result<Vec<RecordBatch>, ApplyError> {
    let (block, arrow) = (compact(block), block.schema());
    let columns = columns_of(&block);
    let rows = Rows { schema, len: block.num_rows(), columns: &columns };
    let mut chosen: Vec<Vec<u32>> = (0..partitions).map(|_| Vec::new()).collect();
    for (number, row) in (0u32..).zip(0..rows.len) {
        match place(&columns, row) {
            Some(partition) => chosen[partition as usize].push(number),
            None => chosen.iter_mut().for_each(|rows| rows.push(number)),
        }
    }
    let mut taken = RowsBuffer::new(schema);
    let take = |rows_of: Vec<u32>| {
        taken.clear();
        taken.take(&rows, &rows_of)?;
        taken.to_batch(&arrow).map_err(|error| ApplyError::Layout(error.to_string()))
    };
    chosen.into_iter().map(take).collect()
}

impl Table {
    /// An empty table whose rows are of schema `rows`; `seed` is for the hash of keys.
    pub fn new(kind: TableKind, rows: &Schema, seed: u64) -> Table {
        match kind {
            TableKind::Keyed => Table::Keyed(Box::new(KeyedTable::new(rows, seed))),
            TableKind::Blocks => Table::Numbered(NumberedTable::new(rows)),
        }
    }

    /// How it is kept.
    pub fn kind(&self) -> TableKind {
        match self {
            Table::Keyed(_) => TableKind::Keyed,
            Table::Numbered(_) => TableKind::Blocks,
        }
    }

    /// The table of a stream that keeps a row a key.
    ///
    /// # Panics
    /// It is another one: whoever declared the table did not mean it.
    pub fn keyed(&self) -> &KeyedTable {
        match self {
            Table::Keyed(table) => table,
            Table::Numbered(_) => unreachable!("the table has numbered panes, and not a row a key"),
        }
    }

    /// The same, to change it.
    ///
    /// # Panics
    /// As for [`Table::keyed`].
    pub fn keyed_mut(&mut self) -> &mut KeyedTable {
        match self {
            Table::Keyed(table) => table,
            Table::Numbered(_) => unreachable!("the table has numbered panes, and not a row a key"),
        }
    }

    /// The table of a stream that keeps panes.
    ///
    /// # Panics
    /// It is another one: whoever declared the table did not mean it.
    pub fn numbered(&self) -> &NumberedTable {
        match self {
            Table::Numbered(table) => table,
            Table::Keyed(_) => unreachable!("the table has a row a key, and not numbered panes"),
        }
    }

    /// The same, to change it.
    ///
    /// # Panics
    /// As for [`Table::numbered`].
    pub fn numbered_mut(&mut self) -> &mut NumberedTable {
        match self {
            Table::Numbered(table) => table,
            Table::Keyed(_) => unreachable!("the table has a row a key, and not numbered panes"),
        }
    }

    /// How many keys have state, or how many rows there are in panes.
    pub fn len(&self) -> usize {
        match self {
            Table::Keyed(table) => table.len(),
            Table::Numbered(table) => table.len(),
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Table::Keyed(table) => table.is_empty(),
            Table::Numbered(table) => table.is_empty(),
        }
    }

    /// Bytes of memory, roughly.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Table::Keyed(table) => table.memory_bytes(),
            Table::Numbered(table) => table.memory_bytes(),
        }
    }

    /// Makes room for so many rows more.
    pub fn reserve(&mut self, rows: usize) {
        if let Table::Keyed(table) = self {
            table.reserve(rows);
        }
    }

    /// Whether the table notes from now on what changes, so that [`Table::changes`] can say it. Call it between batches.
    pub fn note_changes(&mut self, on: bool) {
        if let Table::Keyed(table) = self {
            table.note_changes(on);
        }
    }

    /// Whether the table keeps from now on what a batch overwrites, so that [`Table::undo`] can put it back. Call it between
    /// batches.
    pub fn keep_undo(&mut self, on: bool) {
        if let Table::Keyed(table) = self {
            table.keep_undo(on);
        }
    }

    /// Starts a batch.
    pub fn begin_batch(&mut self) {
        if let Table::Keyed(table) = self {
            table.begin_batch();
        }
    }

    /// What the batch changed, as blocks: asked before it ends. Its cost is that of what the batch touched.
    ///
    /// # Errors
    /// A state that cannot be read, which is a defect, or one key's state beyond what a column holds.
    pub fn changes(&self, limits: BlockLimits) -> Box<dyn Iterator<Item = Result<RecordBatch, StateError>> + '_> {
        match self {
            Table::Keyed(table) => Box::new(table.changes(limits)),
            Table::Numbered(table) => Box::new(table.changes(limits)),
        }
    }

    /// All of it, as blocks: applied to an empty table they make this one.
    ///
    /// # Errors
    /// As for [`Table::changes`].
    pub fn whole(&self, limits: BlockLimits) -> Box<dyn Iterator<Item = Result<RecordBatch, StateError>> + '_> {
        match self {
            Table::Keyed(table) => Box::new(table.snapshot(limits)),
            Table::Numbered(table) => Box::new(table.whole(limits)),
        }
    }

    /// All of it, in an order that does not depend on the partitions and batches that it came in.
    ///
    /// # Errors
    /// As for [`Table::changes`].
    pub fn sorted(&self, limits: BlockLimits) -> Box<dyn Iterator<Item = Result<RecordBatch, StateError>> + '_> {
        match self {
            Table::Keyed(table) => Box::new(table.sorted(limits)),
            Table::Numbered(table) => Box::new(table.whole(limits)),
        }
    }

    /// Applies a block of [changes](Table::changes) or of a [whole](Table::whole) table, between batches. `keys` is the schema
    /// of keys.
    ///
    /// # Errors
    /// The block is no change of this table, which is as it was before.
    pub fn apply(&mut self, keys: &Schema, block: &RecordBatch) -> Result<(), ApplyError> {
        match self {
            Table::Keyed(table) => table.apply(keys, block),
            Table::Numbered(table) => table.apply(keys, block),
        }
    }

    /// Ends the batch: what it changed counts.
    pub fn end_batch(&mut self) {
        match self {
            Table::Keyed(table) => table.end_batch(),
            Table::Numbered(table) => table.end_batch(),
        }
    }

    /// Ends the batch: the table is what it was before it. A keyed one must have [kept](Table::keep_undo) that.
    pub fn undo(&mut self) {
        match self {
            Table::Keyed(table) => table.undo(),
            Table::Numbered(table) => table.undo(),
        }
    }
}
