//! Rows of keys that have no state any more are closed up: those behind them move forward one by one, some at the end of each
//! batch, in their order. What a batch pays for it follows the keys that it touched, so that no batch waits for all keys.

use super::KeyedTable;

/// It begins when there are this many rows without state, and as many as with one. Few in tests, so that they meet it.
const GAPS_MIN: usize = if cfg!(test) { 1 << 2 } else { 1 << 10 };

/// So many rows are looked at in each batch, whatever it touched.
const ROWS_OF_BATCH: usize = if cfg!(test) { 3 } else { 1 << 11 };

/// And so many for each key that came or went. Where as many come as go, so that of four rows that are looked at one is new, all
/// rows are looked at before two in three of them are gaps; with one for each key they would never be. More would only make a batch
/// wait longer.
const ROWS_OF_KEY: usize = 2;

/// So many rows before one moves its key is brought near.
const AHEAD: usize = 16;

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    /// The next row to look at.
    from: usize,
    /// Where the next one goes that has state. Between the two nothing is.
    to: usize,
}

impl KeyedTable {
    /// Goes on with it at the end of a batch that had so many keys come or go, or begins with it.
    pub(super) fn close_up(&mut self, changed: usize) {
        let rows = self.present.len();
        let Some(mut closing) = self.closing.take().or_else(|| self.begin_closing()) else { return };
        let until = rows.min(closing.from + ROWS_OF_BATCH + ROWS_OF_KEY * changed);
        for from in closing.from..until {
            if self.present.get(from + AHEAD) == Some(&true) {
                self.keys.prefetch((from + AHEAD) as u32);
            }
            if !self.present[from] {
                continue;
            }
            if closing.to < from {
                self.renumber(from as u32, closing.to as u32);
            }
            closing.to += 1;
        }
        closing.from = until;
        if until < rows {
            self.closing = Some(closing);
        } else {
            self.truncate(closing.to);
        }
    }

    fn begin_closing(&self) -> Option<Closing> {
        let gaps = self.present.len() - self.live;
        (gaps > self.live.max(GAPS_MIN)).then_some(Closing { from: 0, to: 0 })
    }

    /// A row's key and state get another number, which no key has.
    fn renumber(&mut self, from: u32, to: u32) {
        self.keys.renumber(from, to);
        self.columns.iter_mut().for_each(|column| column.renumber(from as usize, to as usize));
        self.wakes.renumber(from, to);
        self.present.swap(from as usize, to as usize);
    }

    /// No key has a number from this one on.
    fn truncate(&mut self, rows: usize) {
        self.keys.truncate(rows);
        self.columns.iter_mut().for_each(|column| column.truncate(rows));
        self.wakes.truncate(rows);
        self.present.truncate(rows);
        if self.present.capacity() > 4 * rows {
            self.present.shrink_to(2 * rows);
        }
    }
}
