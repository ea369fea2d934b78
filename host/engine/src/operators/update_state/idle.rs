//! Keys that have had no new rows for so long that they go.
//!
//! When a key had new rows for the last time stands in a table of its own, as the time at which the key is due there: what is due
//! is found without a look at the others, and what that time-out is may be changed from run to run.

use std::collections::HashSet;

use tidemill_model::{
    columns::{Column, Rows, RowsBuffer},
    key::KeyBuffer,
    schema::Schema,
    time::{Interval, Timestamp},
};
use tidemill_state::{
    keyed::{Action, KeyedTable},
    table::StateError,
};

use super::{CALL_KEYS, Come, UpdateState};
use crate::failure::Cause;

/// See the module.
pub(super) struct Idle {
    timeout: Option<Interval>,
    keys: KeyBuffer,
    groups: Vec<u32>,
}

impl Idle {
    pub(super) fn new(timeout: Option<Interval>) -> Idle {
        Idle { timeout, keys: KeyBuffer::default(), groups: Vec::new() }
    }

    /// Keys that had new rows at this time or before it are idle.
    fn idle_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.timeout.map(|timeout| Timestamp(now.0.saturating_sub(timeout.micros()).saturating_sub(1)))
    }

    /// The keys of rows of a table, in their order.
    fn keys_of<'a>(&'a mut self, table: &KeyedTable, rows: &[u32]) -> Result<Column<'a>, Cause> {
        self.keys.clear();
        rows.iter().try_for_each(|&row| self.keys.push_key(table.key(row)))?;
        Ok(self.keys.column())
    }

    /// The rows of table `to` with the keys of rows of table `from`.
    fn same_keys(&mut self, from: &KeyedTable, rows: &[u32], to: &mut KeyedTable) -> Result<Vec<u32>, Cause> {
        let mut groups = std::mem::take(&mut self.groups);
        groups.clear();
        for rows in rows.chunks(CALL_KEYS) {
            to.group(self.keys_of(from, rows)?, &mut groups);
        }
        let same = groups.iter().map(|&group| to.touched()[group as usize]).collect();
        self.groups = groups;
        Ok(same)
    }
}

/// Notes that keys had new rows at a time, or forgets that.
fn set(touched: &mut KeyedTable, rows: &[u32], at: Option<Timestamp>) -> Result<(), StateError> {
    let action = if at.is_some() { Action::Put } else { Action::Delete };
    let schema = Schema::default();
    touched.write(rows, &vec![action; rows.len()], &Rows { schema: &schema, len: rows.len(), columns: &[] })?;
    rows.iter().try_for_each(|&row| touched.set_wake(row, at))
}

impl UpdateState {
    /// The keys that are called without new rows.
    pub(super) fn come(&mut self, now: Timestamp) -> Result<Come, Cause> {
        let due: HashSet<u32> = self.table().due(now).collect();
        let Some(since) = self.idle.idle_since(now) else { return Ok(Come { due, idle: HashSet::new() }) };
        let of_batch = self.touched_now();
        let [states, touched] = &mut self.tables[..] else { unreachable!("an update-state has two tables") };
        let (states, touched) = (states.keyed_mut(), touched.keyed_mut());
        let had_rows: Vec<u32> = touched.due(since).collect();
        // Whoever has new rows now, or a first state, has been idle until now and no longer.
        let rows = self.idle.same_keys(touched, &had_rows, states)?;
        let idle = rows.into_iter().filter(|row| !of_batch.contains(row) && states.has_state(*row)).collect();
        Ok(Come { due, idle })
    }

    /// Notes which keys had new rows in this batch, or got their first state; of keys that have gone it is forgotten. `called` are
    /// the rows that were called.
    pub(super) fn note_touched(&mut self, called: &[u32], now: Timestamp) -> Result<(), Cause> {
        if self.idle.timeout.is_none() {
            // There was one in a run before.
            let touched = self.tables[1].keyed_mut();
            let all: Vec<u32> = touched.rows().collect();
            return Ok(set(touched, &all, None)?);
        }
        let there = self.touched_now();
        let [states, touched] = &mut self.tables[..] else { unreachable!("an update-state has two tables") };
        let (states, touched) = (states.keyed_mut(), touched.keyed_mut());
        let without = |row: &&u32| !states.has_state(**row);
        let gone: Vec<u32> = states.touched().iter().chain(called).filter(without).copied().collect();
        let mut there: Vec<u32> = there.into_iter().filter(|&row| states.has_state(row)).collect();
        there.sort_unstable();
        let there = self.idle.same_keys(states, &there, touched)?;
        set(touched, &there, Some(now))?;
        let mut gone = self.idle.same_keys(states, &gone, touched)?;
        gone.sort_unstable();
        gone.dedup();
        set(touched, &gone, None)?;
        if touched.len() < states.len() {
            // Those of a run without a time-out count as if they had rows now.
            let all: Vec<u32> = states.rows().collect();
            let rows = self.idle.same_keys(states, &all, touched)?;
            let unknown: Vec<u32> = rows.into_iter().filter(|&row| !touched.has_state(row)).collect();
            set(touched, &unknown, Some(now))?;
        }
        Ok(())
    }

    /// The rows of keys that have new rows in this batch, or have got their first state.
    fn touched_now(&self) -> HashSet<u32> {
        self.table().touched()[..self.keys_with_news].iter().chain(self.first_states()).copied().collect()
    }

    /// The key at a row has no state any more.
    pub(super) fn forget(&mut self, row: u32) -> Result<(), Cause> {
        let table = self.tables[0].keyed_mut();
        let mut blank = RowsBuffer::new(&self.guest.function.signature.state);
        blank.push_blanks(1)?;
        Ok(table.write(&[row], &[Action::Delete], &blank.with_columns(&blank.columns()))?)
    }
}
