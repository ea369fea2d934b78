//! What rows were before a batch, for a batch that turns out not to count.

use std::collections::HashSet;

use tidemill_model::{columns::RowsBuffer, time::Timestamp};

use super::{Action, KeyedTable};
use crate::table::StateError;

/// The rows that a batch has changed, as they were: in parts, one for each write, because all of them may be more than columns
/// hold.
#[derive(Debug, Default)]
pub(super) struct Undo {
    parts: Vec<Part>,
    kept: HashSet<u32>,
}

#[derive(Debug)]
struct Part {
    rows: Vec<u32>,
    states: RowsBuffer,
    present: Vec<bool>,
    wakes: Vec<Option<Timestamp>>,
}

impl Undo {
    pub(super) fn clear(&mut self) {
        self.parts.clear();
        self.kept.clear();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let of_part = |part: &Part| part.states.bytes() + part.rows.len() * 32;
        self.parts.iter().map(of_part).sum::<usize>() + self.kept.capacity() * 8
    }
}

impl KeyedTable {
    /// Whether the table keeps from now on what a batch overwrites, so that [`KeyedTable::undo`] can put it back. Call it
    /// between batches.
    pub(crate) fn keep_undo(&mut self, on: bool) {
        self.undo = on.then(Undo::default);
    }

    /// Keeps rows that are about to be changed for the first time in this batch.
    pub(super) fn keep_before(&mut self, rows: impl IntoIterator<Item = u32>) -> Result<(), StateError> {
        let Some(mut undo) = self.undo.take() else { return Ok(()) };
        let rows: Vec<u32> = rows.into_iter().filter(|&row| undo.kept.insert(row)).collect();
        let mut states = RowsBuffer::new(&self.schema);
        let read = if rows.is_empty() { Ok(()) } else { self.read(&rows, &mut states) };
        if read.is_ok() && !rows.is_empty() {
            let present = rows.iter().map(|&row| self.has_state(row)).collect();
            let wakes = rows.iter().map(|&row| self.wake(row)).collect();
            undo.parts.push(Part { rows, states, present, wakes });
        }
        self.undo = Some(undo);
        read
    }

    /// Makes the rows what they were before the batch, and ends it.
    pub(crate) fn undo(&mut self) {
        let parts = self.undo.as_mut().map(|undo| std::mem::take(&mut undo.parts)).unwrap_or_default();
        for Part { rows, states, present, wakes } in parts {
            let action = |&present: &bool| if present { Action::Put } else { Action::Delete };
            let actions: Vec<Action> = present.iter().map(action).collect();
            self.write_rows(&rows, &actions, &states.with_columns(&states.columns()));
            for (&row, &at) in rows.iter().zip(&wakes) {
                self.change_wake(row, at);
            }
        }
        self.end_batch();
    }
}
