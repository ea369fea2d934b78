//! When keys are to be called again without new rows.

use std::collections::{BTreeSet, HashMap};

use tidemill_model::time::Timestamp;

/// Wake-up times by row. Only keys that asked for one cost anything.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    queue: BTreeSet<(Timestamp, u32)>,
    by_row: HashMap<u32, Timestamp>,
}

impl Wakes {
    /// Bytes of memory, roughly: an entry of each collection and what it needs beside.
    pub(super) fn memory_bytes(&self) -> usize {
        self.by_row.capacity() * 24 + self.queue.len() * 32
    }

    /// A row's time.
    pub(super) fn get(&self, row: u32) -> Option<Timestamp> {
        if self.by_row.is_empty() { None } else { self.by_row.get(&row).copied() }
    }

    /// Sets or clears a row's time, and says whether it was another.
    #[inline]
    pub(super) fn set(&mut self, row: u32, at: Option<Timestamp>) -> bool {
        (at.is_some() || !self.by_row.is_empty()) && self.change(row, at)
    }

    #[inline(never)]
    fn change(&mut self, row: u32, at: Option<Timestamp>) -> bool {
        let old = match at {
            Some(at) => self.by_row.insert(row, at),
            None => self.by_row.remove(&row),
        };
        if old == at {
            return false;
        }
        if let Some(old) = old {
            self.queue.remove(&(old, row));
        }
        if let Some(at) = at {
            self.queue.insert((at, row));
        }
        true
    }

    /// Rows whose time has come by `now`, by time and then by row.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = u32> + '_ {
        self.queue.range(..=(now, u32::MAX)).map(|&(_, row)| row)
    }

    /// Keeps the rows at `rows`, which get new numbers in that order.
    pub(super) fn retain(&mut self, rows: &[u32]) {
        let old = std::mem::take(self);
        for (new, row) in (0u32..).zip(rows) {
            if let Some(&at) = old.by_row.get(row) {
                self.set(new, Some(at));
            }
        }
    }
}
