//! What states were before a batch, for a batch that turns out not to count.

use tidemill_guest::Changes;
use tidemill_model::{columns::RowsBuffer, schema::Schema, time::Timestamp};
use tidemill_state::table::{Action, StateTable};

use super::KeysOfCall;
use crate::failure::Cause;

/// The states that calls of this batch have changed, as they were.
pub(super) struct Undo {
    rows: Vec<u32>,
    states: RowsBuffer,
    present: Vec<bool>,
    wakes: Vec<Option<Timestamp>>,
}

impl Undo {
    /// `schema` is the state's.
    pub(super) fn new(schema: &Schema) -> Undo {
        Undo { rows: Vec::new(), states: RowsBuffer::new(schema), present: Vec::new(), wakes: Vec::new() }
    }

    /// A new batch.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.states.clear();
        self.present.clear();
        self.wakes.clear();
    }

    /// Keeps what `changes` will change.
    pub(super) fn note(
        &mut self,
        keys: &KeysOfCall<'_>,
        changes: &Changes<'_>,
        table: &StateTable,
    ) -> Result<(), Cause> {
        let may_change = |group: usize| {
            changes.actions[group] != 0 || changes.wake_at.is_some() || keys.due.contains(&keys.rows[group])
        };
        // Calls for a single key follow each other: what was noted first counts.
        let is_noted = keys.goes_on && self.rows.last() == keys.rows.first();
        let changed = (0..keys.rows.len()).filter(|&group| !is_noted && may_change(group));
        let groups: Vec<u32> = changed.map(|group| group as u32).collect();
        self.states.take(&keys.states.with_columns(&keys.states.columns()), &groups)?;
        for group in groups {
            let row = keys.rows[group as usize];
            self.rows.push(row);
            self.present.push(table.has_state(row));
            self.wakes.push(table.wake(row));
        }
        Ok(())
    }

    /// Makes the states what they were, and ends the batch.
    pub(super) fn undo(&mut self, table: &mut StateTable) {
        let action = |&present: &bool| if present { Action::Put } else { Action::Delete };
        let actions: Vec<Action> = self.present.iter().map(action).collect();
        table.write(&self.rows, &actions, &self.states.with_columns(&self.states.columns()));
        for (&row, &at) in self.rows.iter().zip(&self.wakes) {
            table.set_wake(row, at);
        }
        self.clear();
        table.end_batch();
    }
}
