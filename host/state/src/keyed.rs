//! Columnar state by key: what an update-state operator keeps for one partition.
//!
//! A key's state is one row of the state's columns. Rows stand in the order in which their keys were first met: a key
//! that had no state at the end of a batch is forgotten, and the last again when it comes back. A row keeps its number
//! until the batch ends. What a batch costs follows the keys that it touches, not the keys that are there: when many are
//! forgotten the others close up little by little (`keyed/closing.rs`).

mod apply;
mod blocks;
mod closing;
pub(crate) mod column;
mod size;
#[cfg(test)]
mod tests;
mod undo;
mod wakes;

use tidemill_model::{
    columns::{Column, ColumnBuffer, Rows, RowsBuffer},
    schema::Schema,
    time::Timestamp,
};

use crate::{keys::KeyTable, table::StateError};

pub(crate) use apply::split;
pub(crate) use blocks::fixed_fields;

use closing::Closing;
use column::StateColumn;
use undo::Undo;
use wakes::Wakes;

/// What becomes of a key's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It stays as it is.
    Keep,
    /// It becomes the row given.
    Put,
    /// It goes away.
    Delete,
}

/// Keys and their states.
#[derive(Debug)]
pub struct KeyedTable {
    schema: Schema,
    keys: KeyTable,
    /// For each row whether its key has state.
    present: Vec<bool>,
    live: usize,
    columns: Vec<StateColumn>,
    wakes: Wakes,
    /// Rows that lost their state in this batch.
    dropped: Vec<u32>,
    /// Rows whose state was put or whose wake-at changed in this batch, perhaps more than once; `None`: nobody asks.
    noted: Option<Vec<u32>>,
    /// What rows were before the batch; `None`: nobody asks.
    undo: Option<Undo>,
    /// Rows below this one were there when the last batch ended.
    rows_before: u32,
    /// Rows close up.
    closing: Option<Closing>,
}

impl KeyedTable {
    /// No keys. `schema` is the state's; `seed` is for the hash of keys.
    pub fn new(schema: &Schema, seed: u64) -> KeyedTable {
        KeyedTable {
            schema: schema.clone(),
            keys: KeyTable::new(seed),
            present: Vec::new(),
            live: 0,
            columns: schema.fields().iter().map(|field| StateColumn::new(&field.ty)).collect(),
            wakes: Wakes::default(),
            dropped: Vec::new(),
            noted: None,
            undo: None,
            rows_before: 0,
            closing: None,
        }
    }

    /// How many keys have state.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether no key has state.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Bytes of memory, roughly.
    pub fn memory_bytes(&self) -> usize {
        self.keys.memory_bytes()
            + self.present.capacity()
            + self.wakes.memory_bytes()
            + self.undo.as_ref().map_or(0, Undo::memory_bytes)
            + (self.dropped.capacity() + self.noted.as_ref().map_or(0, Vec::capacity)) * 4
            + self.columns.iter().map(StateColumn::memory_bytes).sum::<usize>()
    }

    /// Starts a batch.
    pub fn begin_batch(&mut self) {
        self.keys.begin_batch();
    }

    /// Appends each key's group of this batch; a group's row is [`KeyedTable::touched`] of it.
    pub fn group(&mut self, keys: Column<'_>, groups: &mut Vec<u32>) {
        self.keys.group(keys, groups);
        self.add_rows();
    }

    /// For each group of this batch its row.
    pub fn touched(&self) -> &[u32] {
        self.keys.touched()
    }

    /// The canonical bytes of a row's key.
    pub fn key(&self, row: u32) -> &[u8] {
        self.keys.key(row)
    }

    /// Whether a row's key has state.
    pub fn has_state(&self, row: u32) -> bool {
        self.present[row as usize]
    }

    /// The rows of all keys that have state, in order.
    pub fn rows(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(&self.present).filter_map(|(row, &present)| present.then_some(row))
    }

    /// How many of the first of `rows` have keys (as canonical bytes) and states (as columns, bitmaps aside) of at most
    /// `bytes_max` bytes; one at least, if there is one. Lists are counted by what they could be, which can be several
    /// times what they are. Nothing is read for it.
    pub fn rows_within(&self, rows: &[u32], bytes_max: usize) -> usize {
        let (blobs, words): (Vec<_>, Vec<_>) = self.columns.iter().partition(|column| column.has_blobs());
        let mut bytes = 0;
        let within = rows.iter().take_while(|&&row| {
            let of_blobs = blobs.iter().map(|column| column.bytes_as_columns(row)).sum::<usize>();
            bytes += self.key(row).len() + 8 * words.len() + of_blobs;
            bytes <= bytes_max
        });
        within.count().max(1).min(rows.len())
    }

    /// Appends the states of `rows` to `states`, which is of the state's schema; a blank for a key that has none.
    ///
    /// # Errors
    /// The states do not fit into columns. `states` then holds a part of them, and serves for nothing but
    /// [`RowsBuffer::clear`].
    pub fn read(&self, rows: &[u32], states: &mut RowsBuffer) -> Result<(), StateError> {
        self.read_nodes(rows, states.nodes_mut())?;
        states.end_rows(rows.len());
        Ok(())
    }

    fn read_nodes(&self, rows: &[u32], nodes: &mut [ColumnBuffer]) -> Result<(), StateError> {
        let firsts = self.schema.first_nodes();
        self.columns.iter().zip(firsts).try_for_each(|(column, at)| column.read(rows, &self.present, &mut nodes[at..]))
    }

    /// Changes the states of `rows`: `actions` and `states` (of the state's schema) have a row for each of them, no row
    /// stands there twice. Other lengths are a defect of the caller, and panic.
    ///
    /// # Errors
    /// What they were cannot be kept, where it is to be.
    pub fn write(&mut self, rows: &[u32], actions: &[Action], states: &Rows<'_>) -> Result<(), StateError> {
        assert!(rows.len() == actions.len() && rows.len() == states.len, "one action and one state for each row");
        if self.undo.is_some() {
            let changed = rows.iter().zip(actions).filter(|(_, action)| **action != Action::Keep);
            self.keep_before(changed.map(|(&row, _)| row))?;
        }
        self.write_rows(rows, actions, states);
        Ok(())
    }

    fn write_rows(&mut self, rows: &[u32], actions: &[Action], states: &Rows<'_>) {
        for (column, first) in self.columns.iter_mut().zip(self.schema.first_nodes()) {
            column.write(rows, actions, &states.columns[first..]);
        }
        for (&row, action) in rows.iter().zip(actions) {
            let present = &mut self.present[row as usize];
            match action {
                Action::Keep => {}
                Action::Put => self.live += usize::from(!std::mem::replace(present, true)),
                Action::Delete => {
                    if std::mem::replace(present, false) {
                        self.live -= 1;
                        self.dropped.push(row);
                    }
                    self.wakes.set(row, None);
                }
            }
        }
        if let Some(noted) = &mut self.noted {
            noted.reserve(rows.len());
            let put = rows.iter().zip(actions).filter(|(_, action)| **action == Action::Put);
            noted.extend(put.map(|(row, _)| row));
        }
    }

    /// When a row's key is to be called again without new rows.
    pub fn wake(&self, row: u32) -> Option<Timestamp> {
        self.wakes.get(row)
    }

    /// Sets when a row's key is to be called again without new rows, or that it is not. A key that has no state when
    /// the batch ends is not.
    ///
    /// # Errors
    /// What the row was cannot be kept, where it is to be.
    pub fn set_wake(&mut self, row: u32, at: Option<Timestamp>) -> Result<(), StateError> {
        if self.undo.is_some() && self.wakes.get(row) != at {
            self.keep_before([row])?;
        }
        self.change_wake(row, at);
        Ok(())
    }

    fn change_wake(&mut self, row: u32, at: Option<Timestamp>) {
        if self.wakes.set(row, at)
            && let Some(noted) = &mut self.noted
        {
            noted.push(row);
        }
    }

    /// The rows whose time has come by `now`, by time and then by row.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = u32> + '_ {
        self.wakes.due(now)
    }

    /// Ends a batch: keys that it touched and that have no state are forgotten. Rows may get new places.
    pub fn end_batch(&mut self) {
        let without_state = |row: &u32| !self.present[*row as usize];
        // Keys that came, and keys that went.
        let changed = self.present.len() - self.rows_before as usize + self.dropped.len();
        let mut gone: Vec<u32> = self.keys.touched().iter().copied().filter(without_state).collect();
        gone.extend(std::mem::take(&mut self.dropped).iter().filter(|row| without_state(row)));
        // Rows get other numbers below, and a batch that is skipped may be ended twice, or without having begun.
        self.keys.end_batch();
        for row in gone {
            self.keys.remove(row);
            self.wakes.set(row, None);
        }
        self.close_up(changed);
        if let Some(noted) = &mut self.noted {
            noted.clear();
        }
        self.undo.iter_mut().for_each(Undo::clear);
        self.rows_before = self.present.len() as u32;
    }

    fn add_rows(&mut self) {
        let rows = self.keys.len();
        self.present.resize(rows, false);
        self.columns.iter_mut().for_each(|column| column.resize(rows));
    }
}
