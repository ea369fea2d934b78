//! Calls by policy: keys that make the function fail are found, and of their new rows those that do.

use std::ops::Range;

use tidemill_model::columns::{Rows, RowsBuffer};
use tidemill_plan::graph::KeySet;

use super::{
    super::{
        Batch, GuestSlot, Out, Policy,
        arrange::{Arranged, Numbers},
        letters::Letter,
        policy::{Attempt, Calls, reason},
    },
    KeysOfCall, Prepared, UpdateState,
};
use crate::failure::Cause;

/// Failed calls in search of the rows of one key. With more it is the key that fails, and not its rows.
const KEY_SEARCH_MAX: usize = 200;

/// The calls for some keys.
pub(super) struct Updating<'a, 'o> {
    pub(super) update: &'a mut UpdateState,
    pub(super) keys: &'a KeysOfCall<'a>,
    pub(super) batch: &'a mut Batch,
    pub(super) out: &'a mut (dyn Out + 'o),
}

impl Calls for Updating<'_, '_> {
    fn attempt(&mut self, policy: &mut Policy, range: Range<usize>) -> Attempt {
        let keys = self.keys;
        if range.len() == keys.rows.len() {
            return self.update.call(keys, Some(policy), self.batch, self.out);
        }
        let rows = keys.arranged.rows_of(range.clone());
        let numbers: Vec<u32> = rows.map(|row| row as u32).collect();
        let ends = keys.arranged.ends_of(range.clone());
        let part = Part::of(keys, range, &numbers, ends)?;
        part.with(keys, |keys| self.update.call(keys, Some(policy), self.batch, self.out))
    }

    fn guest(&mut self) -> Option<&mut GuestSlot> {
        Some(&mut self.update.guest)
    }

    fn set_aside(&mut self, policy: &mut Policy, at: usize, reason: &str) -> Result<(), Cause> {
        let rows: Vec<u32> = self.keys.arranged.rows_of(at..at + 1).map(|row| row as u32).collect();
        if rows.is_empty() {
            self.set_row_aside(policy, at, None, reason)
        } else {
            self.search(policy, at, rows, reason)
        }
    }
}

impl Updating<'_, '_> {
    /// Sets those of a key's new rows aside that make the function fail, and calls it with the others. If there are too
    /// many of them it is the key that fails, and none of its rows is taken.
    fn search(&mut self, policy: &mut Policy, at: usize, mut rows: Vec<u32>, first: &str) -> Result<(), Cause> {
        let (mut why, mut failed) = (first.to_owned(), 0);
        // With the rows before `passes` it does not fail, with those before `fails` it does.
        let mut passes = 0;
        while failed < KEY_SEARCH_MAX {
            let mut fails = rows.len();
            while fails - passes > 1 {
                let middle = passes + (fails - passes) / 2;
                match self.probe(at, &rows[..middle])? {
                    Ok(()) => passes = middle,
                    Err(cause) => {
                        why = reason(&policy.spend(cause)?);
                        (fails, failed) = (middle, failed + 1);
                    }
                }
            }
            self.set_row_aside(policy, at, Some(rows.remove(passes) as usize), &why)?;
            if rows.is_empty() && !self.is_called_without_rows(at) {
                return Ok(());
            }
            match self.call(policy, at, &rows)? {
                Ok(()) => return Ok(()),
                Err(cause) => why = reason(&policy.spend(cause)?),
            }
            failed += 1;
            if rows.len() == passes {
                // Those that passed together fail now without the one: there is no row to blame.
                break;
            }
        }
        if rows.is_empty() {
            return self.set_row_aside(policy, at, None, &why);
        }
        rows.into_iter().try_for_each(|row| self.set_row_aside(policy, at, Some(row as usize), &why))
    }

    fn call(&mut self, policy: &mut Policy, at: usize, rows: &[u32]) -> Attempt {
        self.update.guest.renew();
        let part = Part::of_key(self.keys, at, rows)?;
        let called = part.with(self.keys, |keys| self.update.call(keys, Some(policy), self.batch, self.out))?;
        self.update.guest.end_attempt(called.is_ok())?;
        Ok(called)
    }

    fn probe(&mut self, at: usize, rows: &[u32]) -> Attempt {
        self.update.guest.renew();
        let part = Part::of_key(self.keys, at, rows)?;
        part.with(self.keys, |keys| self.update.probe(keys, self.batch))
    }

    fn is_called_without_rows(&self, at: usize) -> bool {
        let row = self.keys.rows[at];
        let runs_for_all = self.update.run == KeySet::All && !self.keys.goes_on;
        self.keys.come.due.contains(&row)
            || self.keys.come.idle.contains(&row)
            || (runs_for_all && self.update.table().has_state(row))
    }

    /// A new row of a key, or the key as a whole.
    fn set_row_aside(&mut self, policy: &mut Policy, at: usize, row: Option<usize>, reason: &str) -> Result<(), Cause> {
        let part = Part::of_key(self.keys, at, &[])?;
        let key = part.with(self.keys, |keys| Prepared::of(keys, self.update.table(), &self.update.key_schema))?.keys;
        let (columns, arranged) = (key.columns(), &self.keys.arranged);
        let letter = Letter {
            row: row.map(|row| arranged.numbers.of(row)),
            reason,
            key: Some((&key.with_columns(&columns), 0)),
            values: row.map(|row| (&arranged.rows, row)),
        };
        policy.set_aside(self.batch, &letter)?;
        let table_row = self.keys.rows[at];
        if row.is_none() && self.keys.come.idle.contains(&table_row) {
            // It was the last call for the key, and is not made again in the next batch.
            self.update.forget(table_row)?;
        }
        Ok(())
    }
}

/// Some of the keys of a call, or one of them with some of its new rows.
struct Part<'a> {
    rows: &'a [u32],
    states: RowsBuffer,
    news: RowsBuffer,
    ends: Vec<u32>,
    numbers: Vec<u32>,
}

impl<'a> Part<'a> {
    /// `rows` are places in the call's new rows, `ends` those of each key's run among them.
    fn of(keys: &'a KeysOfCall<'_>, range: Range<usize>, rows: &[u32], ends: Vec<u32>) -> Result<Part<'a>, Cause> {
        let Rows { schema, .. } = keys.arranged.rows;
        let (mut states, mut news) = (RowsBuffer::new(keys.states.schema()), RowsBuffer::new(schema));
        states.extend_range(&keys.states.with_columns(&keys.states.columns()), range.clone())?;
        news.take(&keys.arranged.rows, rows)?;
        let numbers = rows.iter().map(|&row| keys.arranged.numbers.of(row as usize) as u32).collect();
        Ok(Part { rows: &keys.rows[range], states, news, ends, numbers })
    }

    fn of_key(keys: &'a KeysOfCall<'_>, at: usize, rows: &[u32]) -> Result<Part<'a>, Cause> {
        Part::of(keys, at..at + 1, rows, vec![rows.len() as u32])
    }

    /// Gives it to `call` as the keys of a call.
    fn with<T>(&self, all: &KeysOfCall<'_>, call: impl FnOnce(&KeysOfCall<'_>) -> T) -> T {
        let columns = self.news.columns();
        let arranged =
            Arranged { rows: self.news.with_columns(&columns), ends: &self.ends, numbers: Numbers::At(&self.numbers) };
        call(&KeysOfCall { rows: self.rows, states: &self.states, arranged, come: all.come, goes_on: all.goes_on })
    }
}
