//! The second half of a reduce over a window: of each batch its accumulators are kept, and at a slide those of all batches of the
//! window come to one row a key.
//!
//! Of the keys only those are merged anew that were in a batch since the last slide, or in one that the window has no more
//! (`state/history`). That is done where a window ends, twice: with the batches that came, and then without those that go. So behind
//! a slide all is merged that there is, and what a run that goes on has to merge anew to be where it was is known.

use tidemill_model::{columns::Rows, schema::Schema, time::Timestamp};
use tidemill_state::{numbered::Pane, table::Table};

use super::{
    Batch, GuestSlot, Letters, Making, Operator, Out,
    merge::{Gives, Merge, merge_quietly},
    panes::Panes,
};
use crate::{
    failure::{Cause, RunError},
    reduce::{Accumulate, reduce_of, reducer_of, reducer_of_no_batch},
};

/// One row for each key of one partition that any batch of the window has.
pub(crate) struct WindowMerge {
    merge: Merge,
    state: Schema,
    panes: Panes,
    /// For what was merged in an earlier run.
    again: Box<dyn Accumulate>,
    seed: u64,
}

/// The operator of the second half of a reduce over a window.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let reduce = reduce_of(making.node);
    let Some(window) = reduce.window else { unreachable!("`{}` has no window", making.node.name) };
    let (reducer, again) = (reducer_of(&making)?, reducer_of_no_batch(&making)?);
    let (state, seed) = (reducer.state().clone(), making.seed);
    let merge = Merge::new(&making.node.schema, reduce.by.len(), reducer, making.policy, seed);
    Ok(Box::new(WindowMerge { merge, state, panes: Panes::new(window), again, seed }))
}

/// Where the accumulators of a batch go.
struct Keep<'a> {
    pane: Pane,
    state: &'a Schema,
}

impl Out for Keep<'_> {
    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>) -> Result<(), Cause> {
        batch.hold(self.pane.bytes() + rows.bytes())?;
        let accumulators = Rows { schema: self.state, len: rows.len, columns: &rows.columns[1..] };
        Ok(self.pane.extend(rows.columns[0], &accumulators)?)
    }
}

impl Operator for WindowMerge {
    fn begin(&mut self, batch: &Batch) {
        self.merge.begin(batch);
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        if self.panes.is_wanted(batch.time) { self.merge.push(batch, rows, out) } else { Ok(()) }
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let mut keep = Keep { pane: Pane::new(&self.state), state: &self.state };
        self.merge.end(Gives::Accumulators, batch, &mut keep)?;
        self.panes.let_go_late(batch.time);
        let again = &mut *self.again;
        self.panes.begin_history(batch.time, self.seed, |history| merge_quietly(again, history, batch))?;
        // Its instance is needed once.
        self.again.guest().into_iter().for_each(GuestSlot::renew);
        self.panes.put(batch.time, keep.pane);
        let is_end = self.panes.ends_at(batch.time);
        if is_end {
            self.merge.fold(self.panes.history(), batch)?;
            self.merge.give(self.panes.history(), batch, out)?;
        }
        self.panes.let_go(batch.time);
        if is_end {
            self.merge.fold_quietly(self.panes.history(), batch)?;
        }
        Ok(())
    }

    fn work_at_end(&self, time: Timestamp) -> usize {
        let of_window = if self.panes.ends_at(time) { self.panes.keys() } else { 0 };
        self.merge.work_at_end(time) + of_window
    }

    fn held_bytes(&self) -> usize {
        self.merge.held_bytes()
    }

    fn letters(&mut self) -> Option<&mut Letters> {
        self.merge.letters()
    }

    fn lend(&mut self, tables: Vec<Table>) {
        self.panes.lend(tables);
    }

    fn give_back(&mut self) -> Vec<Table> {
        self.panes.give_back()
    }
}
