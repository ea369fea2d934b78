//! Blocks of stored changes back into tables.

use arrow_array::RecordBatch;
use tidemill_model::{
    columns::{Column, Rows, columns_of, compact},
    key::{Slot, check_key},
    schema::Schema,
    table::TableKind,
    time::Timestamp,
};

use super::{Action, KeyedTable, blocks::STATE_NODES_FIRST};
use crate::table::{ApplyError, checked_schema, split_rows};

impl KeyedTable {
    /// Makes room for so many keys more, before blocks with so many are applied: it halves the time of loading. The
    /// memory is taken at once, so let the number be that of blocks that were read, not one that a file claims.
    pub fn reserve(&mut self, keys: usize) {
        self.keys.reserve(keys);
        self.present.reserve(keys);
        self.columns.iter_mut().for_each(|column| column.reserve(keys));
    }

    /// Applies a block of [changes](KeyedTable::changes) or of a [snapshot](KeyedTable::snapshot), between batches.
    /// `keys` is the schema of keys. A table to which all blocks of another were applied, in order, beginning with those
    /// of a snapshot or with none, answers as that one does: the same keys in the same order, states and wake-ats.
    ///
    /// A table that is to have the keys of several gets the blocks of one to the end, then those of the next: keys stand
    /// in the order in which they came.
    ///
    /// # Errors
    /// The block is no change of this table, which is as it was before.
    pub fn apply(&mut self, keys: &Schema, block: &RecordBatch) -> Result<(), ApplyError> {
        let schema = checked_schema(TableKind::Keyed, &self.schema, block)?;
        let block = compact(block);
        let columns = columns_of(&block);
        check_keys(keys, &columns[0])?;
        self.apply_rows(&Rows { schema: &schema, len: block.num_rows(), columns: &columns })
    }

    /// Applies rows with keys of the right form.
    fn apply_rows(&mut self, rows: &Rows<'_>) -> Result<(), ApplyError> {
        let (noted, undo) = (self.noted.take(), self.undo.take());
        self.begin_batch();
        let mut groups = Vec::with_capacity(rows.len);
        self.group(rows.columns[0], &mut groups);
        let result = self.check_rows(&groups, &rows.columns[1]);
        if result.is_ok() {
            self.write_block(rows);
        }
        // If nothing was written, this forgets the keys that came new.
        self.end_batch();
        (self.noted, self.undo) = (noted, undo);
        result
    }

    /// Whether each row has a group of its own, and the deleted ones have state.
    fn check_rows(&self, groups: &[u32], deleted: &Column<'_>) -> Result<(), ApplyError> {
        for (row, (&group, at)) in groups.iter().zip(0u32..).enumerate() {
            if group != at {
                return Err(ApplyError::Twice { row });
            }
            if deleted.boolean(row) && !self.has_state(self.touched()[row]) {
                return Err(ApplyError::NotThere { row });
            }
        }
        Ok(())
    }

    /// Writes rows whose keys were grouped, each by itself.
    fn write_block(&mut self, rows: &Rows<'_>) {
        let (deleted, wakes) = (&rows.columns[1], &rows.columns[2]);
        let at = self.touched().to_vec();
        let action = |row| if deleted.boolean(row) { Action::Delete } else { Action::Put };
        let actions: Vec<Action> = (0..rows.len).map(action).collect();
        let columns = rows.columns.get(STATE_NODES_FIRST..).unwrap_or_default();
        let schema = self.schema.clone();
        self.write_rows(&at, &actions, &Rows { schema: &schema, len: rows.len, columns });
        for (row, &at) in at.iter().enumerate().filter(|&(row, _)| !deleted.boolean(row)) {
            let wake = wakes.is_valid(row).then(|| Timestamp(wakes.integers()[row]));
            self.wakes.set(at, wake);
        }
    }
}

/// The rows of a block by the partition, of so many, that their keys belong to; one block for each of them, rows in
/// the order in which they stood. `state` is the schema of the states.
///
/// # Errors
/// The block is of another schema.
pub(crate) fn split(state: &Schema, block: &RecordBatch, partitions: u32) -> Result<Vec<RecordBatch>, ApplyError> {
    let schema = checked_schema(TableKind::Keyed, state, block)?;
    split_rows(&schema, block, partitions, |columns, row| Some(Slot::of(columns[0].slice(row)).partition(partitions)))
}

fn check_keys(schema: &Schema, keys: &Column<'_>) -> Result<(), ApplyError> {
    let mut rows = slices(keys).enumerate();
    rows.try_for_each(|(row, key)| check_key(schema, key).map_err(|error| ApplyError::Key { row, error }))
}

fn slices<'a>(keys: &Column<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let keys = *keys;
    (0..keys.offsets.len().saturating_sub(1)).map(move |row| keys.slice(row))
}
