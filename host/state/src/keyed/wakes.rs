//! When keys are to be called again without new rows.

use std::collections::BTreeMap;

use tidemill_model::time::Timestamp;

/// Stands for no time.
const NEVER: i64 = i64::MIN;

/// Wake-up times by row.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    queue: BTreeMap<i64, Queued>,
    /// As far as rows ever had one: it grows as other columns do, and not as a map would.
    by_row: Vec<i64>,
}

/// The rows of a time, in any order. Those are among them that have another time by now, until they are as many as the others; and
/// a row may be there twice.
#[derive(Debug, Default)]
struct Queued {
    rows: Vec<u32>,
    /// How many have got another time.
    left: usize,
}

impl Wakes {
    /// Bytes of memory, roughly: an entry of each collection and what it needs beside.
    pub(super) fn memory_bytes(&self) -> usize {
        let of_times = self.queue.values().map(|queued| 64 + queued.rows.capacity() * 4);
        self.by_row.capacity() * 8 + of_times.sum::<usize>()
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
        if self.by_row.len() <= row as usize {
            self.by_row.resize(row as usize + 1, NEVER);
        }
        self.by_row[row as usize] = at.map_or(NEVER, |at| at.0);
        if let Some(old) = old {
            self.leave(old.0);
        }
        if let Some(at) = at {
            self.queue.entry(at.0).or_default().rows.push(row);
        }
        true
    }

    /// A row that was queued at a time is not any more.
    fn leave(&mut self, at: i64) {
        let Some(queued) = self.queue.get_mut(&at) else { return };
        queued.left += 1;
        if queued.left * 2 > queued.rows.len() {
            queued.rows = rows_at(&self.by_row, at, &queued.rows);
            queued.left = 0;
            if queued.rows.is_empty() {
                self.queue.remove(&at);
            }
        }
    }

    /// Rows whose time has come by `now`, by time and then by row.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = u32> + '_ {
        self.queue.range(..=now.0).flat_map(|(&at, queued)| rows_at(&self.by_row, at, &queued.rows))
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

/// Those of some rows that have this time, in order and each once.
fn rows_at(by_row: &[i64], at: i64, rows: &[u32]) -> Vec<u32> {
    let mut rows: Vec<u32> = rows.iter().copied().filter(|&row| by_row.get(row as usize) == Some(&at)).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}
