//! What a window keeps of past batches: a pane each, under the batch's time. What a window has is decided by times alone, so that a
//! tick that never was is nothing.

use std::ops::RangeInclusive;

use tidemill_model::time::Timestamp;
use tidemill_plan::graph::Window;
use tidemill_state::{numbered::Pane, table::Table};

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
        let next = if self.ends_at(tick) { tick } else { self.window.slide.tick_after(tick) };
        self.times(next).contains(&tick.0)
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
        let panes = self.tables[0].numbered().panes().filter(move |(time, _)| times.contains(time));
        panes.map(move |(time, pane)| (((time - first) / every) as u32, pane))
    }

    /// Lets panes go that no window has any more when the batch of a tick has ended.
    pub(super) fn let_go(&mut self, tick: Timestamp) {
        let first = *self.times(self.window.slide.tick_after(tick)).start();
        let table = self.tables[0].numbered_mut();
        let gone: Vec<i64> = table.panes().map(|(time, _)| time).take_while(|&time| time < first).collect();
        gone.into_iter().for_each(|time| table.remove(time));
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
