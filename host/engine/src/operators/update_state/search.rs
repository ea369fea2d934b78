//! Calls by policy: keys that make the function fail are found, and of their new rows those that do.

use std::{collections::HashSet, ops::Range};

use tidemill_model::columns::{Rows, RowsBuffer};
use tidemill_plan::graph::KeySet;

use super::{
    super::{
        Batch, Out, Policy,
        arrange::{Arranged, Numbers},
        letters::Letter,
        policy::{Attempt, Calls, reason},
    },
    KeysOfCall, Prepared, UpdateState,
};
use crate::failure::Cause;

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

    fn poison(&mut self, policy: &mut Policy, at: usize, reason: &str) -> Result<(), Cause> {
        let rows: Vec<u32> = self.keys.arranged.rows_of(at..at + 1).map(|row| row as u32).collect();
        if rows.is_empty() { self.set_aside(policy, at, None, reason) } else { self.search(policy, at, rows, reason) }
    }
}

impl Updating<'_, '_> {
    /// Sets those of a key's new rows aside that make the function fail, and calls it with the others.
    fn search(&mut self, policy: &mut Policy, at: usize, mut rows: Vec<u32>, first: &str) -> Result<(), Cause> {
        let mut why = first.to_owned();
        loop {
            // With the rows before `passes` it does not fail, with those before `fails` it does.
            let (mut passes, mut fails) = (0, rows.len());
            while fails - passes > 1 {
                let middle = passes + (fails - passes) / 2;
                match self.probe(at, &rows[..middle])? {
                    Ok(()) => passes = middle,
                    Err(cause) => {
                        why = reason(&policy.spend(cause)?);
                        fails = middle;
                    }
                }
            }
            self.set_aside(policy, at, Some(rows.remove(passes) as usize), &why)?;
            if rows.is_empty() && !self.is_called_without_rows(at) {
                return Ok(());
            }
            let part = Part::of_key(self.keys, at, &rows)?;
            match part.with(self.keys, |keys| self.update.call(keys, Some(policy), self.batch, self.out))? {
                Ok(()) => return Ok(()),
                Err(cause) => why = reason(&policy.spend(cause)?),
            }
            if rows.is_empty() {
                return self.set_aside(policy, at, None, &why);
            }
        }
    }

    fn probe(&mut self, at: usize, rows: &[u32]) -> Attempt {
        let part = Part::of_key(self.keys, at, rows)?;
        part.with(self.keys, |keys| self.update.probe(keys, self.batch))
    }

    fn is_called_without_rows(&self, at: usize) -> bool {
        let row = self.keys.rows[at];
        self.keys.due.contains(&row) || (self.update.run == KeySet::All && self.update.table.has_state(row))
    }

    /// A new row of a key, or the key as a whole.
    fn set_aside(&mut self, policy: &mut Policy, at: usize, row: Option<usize>, reason: &str) -> Result<(), Cause> {
        let part = Part::of_key(self.keys, at, &[])?;
        let key = part.with(self.keys, |keys| Prepared::of(keys, &self.update.table, &self.update.key_schema))?.keys;
        let (columns, arranged) = (key.columns(), &self.keys.arranged);
        let letter = Letter {
            row: row.map(|row| arranged.numbers.of(row)),
            reason,
            key: Some((&key.with_columns(&columns), 0)),
            values: row.map(|row| (&arranged.rows, row)),
        };
        policy.poison(self.batch, &letter)
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
        let due: &HashSet<u32> = all.due;
        let arranged =
            Arranged { rows: self.news.with_columns(&columns), ends: &self.ends, numbers: Numbers::At(&self.numbers) };
        call(&KeysOfCall { rows: self.rows, states: &self.states, arranged, due })
    }
}
