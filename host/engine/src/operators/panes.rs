//! What a window keeps of past batches: a pane each, under the batch's time. What a window has is decided by times alone, so that a
//! tick that never was is nothing.

use std::ops::RangeInclusive;

use tidemill_model::time::Timestamp;
use tidemill_plan::graph::Window;
use tidemill_state::{history::History, numbered::Pane, table::Table};

use crate::failure::Cause;

/// The panes of one partition; the table is there while a batch is open.
pub(super) struct Panes {
    window: Window,
    tables: Vec<Table>,
}

impl Panes {
    pub(super) fn new(window: Window) -> Panes {
        Panes { window, tables: Vec::new() }
    }

    /// Whether a window ends with the batch of a tick.
    pub(super) fn ends_at(&self, tick: Timestamp) -> bool {
        self.window.slide.is_tick(tick)
    }

    /// Whether a window that is to come, or this one, has the batch of a tick.
    pub(super) fn is_wanted(&self, tick: Timestamp) -> bool {
        self.times(self.next_end(tick)).contains(&tick.0)
    }

    /// When the next window ends: with the batch of this tick, or later.
    fn next_end(&self, tick: Timestamp) -> Timestamp {
        if self.ends_at(tick) { tick } else { self.window.slide.tick_after(tick) }
    }

    /// The times of batches that a window has.
    fn times(&self, end: Timestamp) -> RangeInclusive<i64> {
        end.0.saturating_sub(self.window.length.micros()).saturating_add(1)..=end.0
    }

    /// Adds what is kept of a batch, if that is anything.
    pub(super) fn put(&mut self, tick: Timestamp, pane: Pane) {
        if !pane.is_empty() {
            self.tables[0].numbered_mut().put(tick.0, pane);
        }
    }

    /// The panes of the window that ends at a tick, the oldest first, each with its place among those that there could be.
    pub(super) fn of(&self, end: Timestamp) -> impl Iterator<Item = (u32, &Pane)> {
        let (times, every) = (self.times(end), self.window.every.micros());
        let first = *times.start();
        let panes = self.tables[0].numbered().panes_in(times);
        panes.map(move |(time, pane)| (((time - first) / every) as u32, pane))
    }

    /// Lets panes go that no window has any more when the batch of a tick has ended.
    pub(super) fn let_go(&mut self, tick: Timestamp) {
        self.let_go_before(self.window.slide.tick_after(tick));
    }

    /// Lets panes go that the window which the batch of a tick may be in has no more: of ticks that were left out, or where the
    /// window was longer in an earlier run.
    pub(super) fn let_go_late(&mut self, tick: Timestamp) {
        self.let_go_before(self.next_end(tick));
    }

    fn let_go_before(&mut self, end: Timestamp) {
        let first = *self.times(end).start();
        let table = self.tables[0].numbered_mut();
        let gone: Vec<i64> = table.panes().map(|(time, _)| time).take_while(|&time| time < first).collect();
        gone.into_iter().for_each(|time| table.remove(time));
    }

    /// What the keys' rows come to over all panes. If it has only been begun, `merge` first gets that of the panes that the window
    /// before that of a tick had: they were merged then, and are merged anew because nothing of it is stored.
    pub(super) fn begin_history(
        &mut self,
        tick: Timestamp,
        seed: u64,
        merge: impl FnOnce(&mut History) -> Result<(), Cause>,
    ) -> Result<(), Cause> {
        let Window { slide, every, .. } = self.window;
        let before = self.next_end(tick).0.saturating_sub(slide.micros());
        let table = self.tables[0].numbered_mut();
        if let Some(history) = table.begin_history(every, before, seed) {
            merge(history)?;
            table.end_history();
        }
        Ok(())
    }

    /// The same, once it was begun.
    pub(super) fn history(&mut self) -> &mut History {
        self.tables[0].numbered_mut().history_mut()
    }

    /// How many keys there are in all panes, as far as is known.
    pub(super) fn keys(&self) -> usize {
        self.tables[0].numbered().keys_max()
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.tables[0].len()
    }

    pub(super) fn lend(&mut self, tables: Vec<Table>) {
        self.tables = tables;
    }

    pub(super) fn give_back(&mut self) -> Vec<Table> {
        std::mem::take(&mut self.tables)
    }
}
