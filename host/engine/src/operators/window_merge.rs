//! The second half of a reduce over a window: of each batch its accumulators are kept, and at a slide those of all batches of the
//! window are merged to one row a key.

use tidemill_model::{columns::Rows, schema::Schema, time::Timestamp};
use tidemill_state::{numbered::Pane, table::Table};

use super::{
    Batch, Letters, Making, Operator, Out,
    combine::exchange_schema,
    merge::{Gives, Merge},
    panes::Panes,
};
use crate::{
    failure::{Cause, RunError},
    reduce::{reduce_of, reducer_of},
};

/// One row for each key of one partition that any batch of the window has.
pub(crate) struct WindowMerge {
    merge: Merge,
    /// Rows of accumulators, with their keys.
    rows: Schema,
    state: Schema,
    panes: Panes,
}

/// The operator of the second half of a reduce over a window.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let reduce = reduce_of(making.node);
    let Some(window) = reduce.window else { unreachable!("`{}` has no window", making.node.name) };
    let reducer = reducer_of(&making)?;
    let state = reducer.state().clone();
    let merge = Merge::new(&making.node.schema, reduce.by.len(), reducer, making.policy, making.seed);
    Ok(Box::new(WindowMerge { merge, rows: exchange_schema(&state), state, panes: Panes::new(window) }))
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
        self.panes.put(batch.time, keep.pane);
        if self.panes.ends_at(batch.time) {
            for (_, pane) in self.panes.of(batch.time) {
                let (keys, accumulators) = pane.columns();
                let columns: Vec<_> = [keys].into_iter().chain(accumulators).collect();
                let rows = Rows { schema: &self.rows, len: pane.len(), columns: &columns };
                self.merge.push(batch, &rows, out)?;
            }
            self.merge.end(Gives::Rows, batch, out)?;
        }
        self.panes.let_go(batch.time);
        Ok(())
    }

    fn work_at_end(&self, time: Timestamp) -> usize {
        let of_window = if self.panes.ends_at(time) { self.panes.len() } else { 0 };
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
