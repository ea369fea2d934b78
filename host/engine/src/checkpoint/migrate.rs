//! States that an older version of a function wrote, and how they become states of the newer version.
//!
//! A stream's states change their version as a whole. A run migrates all of them before its first batch, and the first
//! commit that says the new version holds the stream's whole state. So whoever applies commits drops what came before such
//! a commit ([`lineage`](super::lineage)) and needs no guest for it; and until it is there the states of the old version stand, and are migrated again.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, StructArray, cast::AsArray};
use arrow_schema::ArrowError;
use tidemill_checkpoint::TableSchema;
use tidemill_model::{
    columns::{Rows, RowsBuffer, columns_of, compact},
    schema::Schema,
    table::TableKind,
};
use tidemill_state::{
    numbered,
    table::{BlockLimits, FIXED_COLUMNS, StateError, Table, block_schema},
};

use super::{
    RestoreError,
    restore::{AsTable, check_kept, schema},
};
use crate::{
    failure::Cause,
    operators::{CHUNK_BYTES, CHUNK_ROWS, GuestSlot},
};

/// A table that states are loaded into.
pub(crate) enum Loaded<'a> {
    /// A step's own.
    Live(&'a mut Table),
    /// One for states of an older version, which are to be migrated.
    Old(Box<Table>),
}

impl AsTable for Loaded<'_> {
    fn as_table(&mut self) -> &mut Table {
        match self {
            Loaded::Live(table) => table,
            Loaded::Old(table) => table,
        }
    }
}

/// A stream whose states are of an older version than its function's.
pub(crate) struct Migration<'a> {
    pub(crate) stored: TableSchema,
    wanted: TableSchema,
    old: Schema,
    new: Schema,
    /// The steps' tables, one for each partition.
    tables: Vec<&'a mut Table>,
}

impl<'a> Migration<'a> {
    /// `stored` is of a lower version than `wanted`.
    ///
    /// # Errors
    /// The keys are others.
    pub(crate) fn of(
        stored: TableSchema,
        wanted: TableSchema,
        tables: Vec<&'a mut Table>,
    ) -> Result<Migration<'a>, RestoreError> {
        check_kept(&stored, &wanted)?;
        let (old, new) = (schema(&wanted.stream, &stored.rows)?, schema(&wanted.stream, &wanted.rows)?);
        Ok(Migration { stored, wanted, old, new, tables })
    }

    /// Tables for the states as they are stored, one for each partition.
    pub(crate) fn old_tables(&self) -> Vec<Loaded<'a>> {
        // Nobody chooses keys for a table that takes what another one held.
        self.tables.iter().map(|_| Loaded::Old(Box::new(Table::new(self.wanted.kind, &self.old, 0)))).collect()
    }

    /// Fills the steps' tables. The function gets the old states a bounded number of bytes at a time; each partition's old
    /// table goes when it is done.
    pub(crate) fn run(mut self, old: Vec<Loaded<'_>>, guest: &mut GuestSlot) -> Result<(), RestoreError> {
        let keys = schema(&self.wanted.stream, &self.wanted.keys)?;
        let limits = BlockLimits { rows_max: CHUNK_ROWS, bytes_max: CHUNK_BYTES };
        let tables = std::mem::take(&mut self.tables);
        for (mut old, table) in old.into_iter().zip(tables) {
            let old = old.as_table();
            table.reserve(old.len());
            for block in old.whole(limits) {
                let migrated = self.migrated(&block?, guest)?;
                let failed = |cause| RestoreError::Block { stream: self.wanted.stream.clone(), cause };
                table.apply(&keys, &migrated).map_err(failed)?;
            }
        }
        tracing::info!(
            stream = self.wanted.stream,
            said.from = self.stored.version,
            said.to = self.wanted.version,
            "the states were migrated from version {} to {}",
            self.stored.version,
            self.wanted.version
        );
        Ok(())
    }

    /// A block of old states as one of new states: the same keys, to be called again at the same times, or in the same pane.
    fn migrated(&self, block: &RecordBatch, guest: &mut GuestSlot) -> Result<RecordBatch, RestoreError> {
        if self.wanted.kind == TableKind::Blocks && numbered::said(block) != Some(numbered::Change::Has) {
            let mut none = RowsBuffer::new(&self.new);
            none.push_blanks(block.num_rows()).map_err(StateError::Full)?;
            return self.with_states(block, &none);
        }
        let states = block.column_by_name("state").map_or(&[][..], |states| states.as_struct().columns());
        let options = RecordBatchOptions::new().with_row_count(Some(block.num_rows()));
        let states = RecordBatch::try_new_with_options(self.old.to_arrow(), states.to_vec(), &options);
        let states = compact(&states.map_err(layout)?);
        let columns = columns_of(&states);
        let rows = Rows { schema: &self.old, len: states.num_rows(), columns: &columns };
        let mut new = RowsBuffer::new(&self.new);
        let mut taken = Ok(());
        // What it counts would belong to no batch, so it is not counted.
        guest
            .probe(|instance| {
                instance.migrate_states(self.stored.version, &rows, &mut |rows| taken = new.extend(&rows))
            })
            .map_err(|cause| self.failed(cause))?;
        taken.map_err(|error| RestoreError::State(StateError::Full(error)))?;
        self.with_states(block, &new)
    }

    /// A block with these states in place of its own.
    fn with_states(&self, block: &RecordBatch, states: &RowsBuffer) -> Result<RecordBatch, RestoreError> {
        let new = StructArray::from(states.to_batch(&self.new.to_arrow()).map_err(layout)?);
        let mut columns = block.columns()[..FIXED_COLUMNS].to_vec();
        columns.push(Arc::new(new));
        RecordBatch::try_new(block_schema(self.wanted.kind, &self.new).to_arrow(), columns).map_err(layout)
    }

    fn failed(&self, cause: Cause) -> RestoreError {
        RestoreError::Migration {
            stored: Box::new(self.stored.clone()),
            wanted: Box::new(self.wanted.clone()),
            cause: Box::new(cause),
        }
    }
}

fn layout(error: ArrowError) -> RestoreError {
    RestoreError::State(StateError::Layout(error.to_string()))
}
