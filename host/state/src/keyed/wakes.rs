//! When keys are to be called again without new rows.

use std::collections::BTreeSet;

use tidemill_model::time::Timestamp;

/// Stands for no time.
const NEVER: i64 = i64::MIN;

/// Wake-up times by row.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    queue: BTreeSet<(Timestamp, u32)>,
    /// As far as rows ever had one: it grows as other columns do, and not as a map would.
    by_row: Vec<i64>,
}

impl Wakes {
    /// Bytes of memory, roughly: an entry of each collection and what it needs beside.
    pub(super) fn memory_bytes(&self) -> usize {
        self.by_row.capacity() * 8 + self.queue.len() * 32
    }

    /// A row's time.
    pub(super) fn get(&self, row: u32) -> Option<Timestamp> {
        self.by_row.get(row as usize).filter(|&&at| at != NEVER).map(|&at| Timestamp(at))
    }

    /// Sets or clears a row's time, and says whether it was another. The smallest time of all is none.
    #[inline]
    pub(super) fn set(&mut self, row: u32, at: Option<Timestamp>) -> bool {
        (at.is_some() || !self.by_row.is_empty()) && self.change(row, at)
    }

    #[inline(never)]
    fn change(&mut self, row: u32, at: Option<Timestamp>) -> bool {
        let old = self.get(row);
        let at = at.filter(|at| at.0 != NEVER);
        if old == at {
            return false;
        }
        if let Some(old) = old {
            self.queue.remove(&(old, row));
        }
        if let Some(at) = at {
            self.queue.insert((at, row));
        }
        if self.by_row.len() <= row as usize {
            self.by_row.resize(row as usize + 1, NEVER);
        }
        self.by_row[row as usize] = at.map_or(NEVER, |at| at.0);
        true
    }

    /// Rows whose time has come by `now`, by time and then by row.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = u32> + '_ {
        self.queue.range(..=(now, u32::MAX)).map(|&(_, row)| row)
    }

    /// Gives the time of a row to another, which has none.
    pub(super) fn renumber(&mut self, from: u32, to: u32) {
        if let Some(at) = self.get(from) {
            self.change(from, None);
            self.change(to, Some(at));
        }
    }

    /// Forgets all rows from this one on, which have no time any more.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.by_row.truncate(rows);
        if self.by_row.capacity() > 4 * rows {
            self.by_row.shrink_to(2 * rows);
        }
    }
}
