//! States that an older version of a function wrote: which of those in a checkpoint still count, and how they become
//! states of the newer version.
//!
//! A stream's states change their version as a whole. A run migrates all of them before its first batch, and the first
//! commit that says the new version holds the stream's whole state. So whoever applies commits drops what came before such
//! a commit and needs no guest for it; and until it is there the states of the old version stand, and are migrated again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow_array::{RecordBatch, RecordBatchOptions, StructArray, cast::AsArray};
use arrow_schema::ArrowError;
use tidemill_checkpoint::StateSchema;
use tidemill_model::{
    columns::{Rows, RowsBuffer, columns_of, compact},
    schema::Schema,
};
use tidemill_state::table::{BlockLimits, StateError, StateTable, change_schema};

use super::{
    Renames, RestoreError,
    restore::{AsTable, schema},
};
use crate::{
    failure::Cause,
    operators::{CHUNK_BYTES, CHUNK_ROWS, GuestSlot},
};

/// What the states were at a snapshot and at each commit behind it, the oldest first.
pub(crate) type History<'a> = [&'a [StateSchema]];

/// Where in a history the last version of each stream's states begins, by the names that streams have now.
pub(super) struct Beginnings(BTreeMap<String, usize>);

impl Beginnings {
    pub(super) fn of(history: &History<'_>, renames: &Renames) -> Beginnings {
        let mut versions: BTreeMap<&str, u32> = BTreeMap::new();
        let mut beginnings = BTreeMap::new();
        for (at, state) in (0..).zip(history).flat_map(|(at, states)| states.iter().map(move |state| (at, state))) {
            let stream = renames.now(&state.stream);
            if versions.insert(stream, state.version).is_some_and(|before| before != state.version) {
                beginnings.insert(stream.to_owned(), at);
            }
        }
        Beginnings(beginnings)
    }

    /// Whether sections of a stream at this place count: no later one holds its whole state in another version.
    pub(super) fn count(&self, stream: &str, at: usize) -> bool {
        self.0.get(stream).is_none_or(|&first| first <= at)
    }
}

/// What a stream's states were at last, under the name that it has now.
pub(crate) fn newest(history: &History<'_>, renames: &Renames, stream: &str) -> Option<StateSchema> {
    let mut newest_first = history.iter().rev().flat_map(|states| states.iter());
    let found = newest_first.find(|state| renames.now(&state.stream) == stream)?;
    Some(StateSchema { stream: stream.to_owned(), ..found.clone() })
}

/// The streams, as they are called now, that have states of another version behind a history than at its end: what comes
/// behind it holds their whole state.
pub(crate) fn other_versions(history: &History<'_>, renames: &Renames, states: &[StateSchema]) -> BTreeSet<String> {
    let is_other = |state: &&StateSchema| {
        let before = newest(history, renames, renames.now(&state.stream));
        before.is_some_and(|before| before.version != state.version)
    };
    states.iter().filter(is_other).map(|state| renames.now(&state.stream).to_owned()).collect()
}

/// A table that states are loaded into.
pub(crate) enum Loaded<'a> {
    /// A step's own.
    Live(&'a mut StateTable),
    /// One for states of an older version, which are to be migrated.
    Old(Box<StateTable>),
}

impl AsTable for Loaded<'_> {
    fn as_table(&mut self) -> &mut StateTable {
        match self {
            Loaded::Live(table) => table,
            Loaded::Old(table) => table,
        }
    }
}

/// A stream whose states are of an older version than its function's.
pub(crate) struct Migration<'a> {
    pub(crate) stored: StateSchema,
    wanted: StateSchema,
    old: Schema,
    new: Schema,
    /// The steps' tables, one for each partition.
    tables: Vec<&'a mut StateTable>,
}

impl<'a> Migration<'a> {
    /// `stored` is of a lower version than `wanted`.
    ///
    /// # Errors
    /// The keys are others.
    pub(crate) fn of(
        stored: StateSchema,
        wanted: StateSchema,
        tables: Vec<&'a mut StateTable>,
    ) -> Result<Migration<'a>, RestoreError> {
        let stream = wanted.stream.clone();
        if stored.keys != wanted.keys {
            return Err(RestoreError::Keys { stream, stored: stored.keys, wanted: wanted.keys });
        }
        let (old, new) = (schema(&stream, &stored.state)?, schema(&stream, &wanted.state)?);
        Ok(Migration { stored, wanted, old, new, tables })
    }

    /// Tables for the states as they are stored, one for each partition.
    pub(crate) fn old_tables(&self) -> Vec<Loaded<'a>> {
        // Nobody chooses keys for a table that takes what another one held.
        self.tables.iter().map(|_| Loaded::Old(Box::new(StateTable::new(&self.old, 0)))).collect()
    }

    /// Fills the steps' tables. The function gets the old states a bounded number of bytes at a time; each partition's old
    /// table goes when it is done.
    pub(crate) fn run(mut self, old: Vec<Loaded<'_>>, guest: &mut GuestSlot) -> Result<(), RestoreError> {
        let keys = schema(&self.wanted.stream, &self.wanted.keys)?;
        let limits = BlockLimits { rows_max: CHUNK_ROWS, bytes_max: CHUNK_BYTES };
        let tables = std::mem::take(&mut self.tables);
        for (mut old, table) in old.into_iter().zip(tables) {
            let old = old.as_table();
            table.reserve(old.len());
            for block in old.snapshot(limits) {
                let migrated = self.migrated(&block?, guest)?;
                let failed = |cause| RestoreError::Block { stream: self.wanted.stream.clone(), cause };
                table.apply(&keys, &migrated).map_err(failed)?;
            }
        }
        tracing::info!(
            stream = self.wanted.stream,
            "the states were migrated from version {} to {}",
            self.stored.version,
            self.wanted.version
        );
        Ok(())
    }

    /// A block of old states as one of new states: the same keys, to be called again at the same times.
    fn migrated(&self, block: &RecordBatch, guest: &mut GuestSlot) -> Result<RecordBatch, RestoreError> {
        let states = block.column_by_name("state").map_or(&[][..], |states| states.as_struct().columns());
        let options = RecordBatchOptions::new().with_row_count(Some(block.num_rows()));
        let states = RecordBatch::try_new_with_options(self.old.to_arrow(), states.to_vec(), &options);
        let states = compact(&states.map_err(layout)?);
        let columns = columns_of(&states);
        let rows = Rows { schema: &self.old, len: states.num_rows(), columns: &columns };
        let mut new = RowsBuffer::new(&self.new);
        let mut taken = Ok(());
        // What it counts would belong to no batch, so it is not counted.
        guest
            .probe(|instance| {
                instance.migrate_states(self.stored.version, &rows, &mut |rows| taken = new.extend(&rows))
            })
            .map_err(|cause| self.failed(cause))?;
        taken.map_err(|error| RestoreError::State(StateError::Full(error)))?;
        let new = StructArray::from(new.to_batch(&self.new.to_arrow()).map_err(layout)?);
        let mut columns = block.columns()[..3].to_vec();
        columns.push(Arc::new(new));
        RecordBatch::try_new(change_schema(&self.new).to_arrow(), columns).map_err(layout)
    }

    fn failed(&self, cause: Cause) -> RestoreError {
        RestoreError::Migration {
            stored: Box::new(self.stored.clone()),
            wanted: Box::new(self.wanted.clone()),
            cause: Box::new(cause),
        }
    }
}

fn layout(error: ArrowError) -> RestoreError {
    RestoreError::State(StateError::Layout(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(told: &[(&str, u32)]) -> Vec<StateSchema> {
        let state = |&(stream, version): &(&str, u32)| {
            let [function, keys, state] = [(); 3].map(|()| String::new());
            StateSchema { stream: stream.to_owned(), function, keys, state, version, previously: None }
        };
        told.iter().map(state).collect()
    }

    fn check(history: &[&[(&str, u32)]], stream: &str, expect: &str) {
        let history: Vec<_> = history.iter().map(|told| states(told)).collect();
        let history: Vec<_> = history.iter().map(|states| &states[..]).collect();
        let beginnings = Beginnings::of(&history, &Renames::default());
        let counts = (0..history.len()).map(|at| if beginnings.count(stream, at) { 'x' } else { '.' });
        assert_eq!(counts.collect::<String>(), expect);
    }

    #[test]
    fn what_came_before_the_last_version_does_not_count() {
        check(&[], "a", "");
        check(&[&[("a", 7)]], "a", "x");
        check(&[&[("a", 1)], &[("a", 1)], &[("a", 1)]], "a", "xxx");
        check(&[&[("a", 1)], &[("a", 1)], &[("a", 2)], &[("a", 2)]], "a", "..xx");
        check(&[&[("a", 1)], &[("a", 2)], &[("a", 4)]], "a", "..x");
        check(&[&[("a", 1), ("b", 1)], &[("a", 2), ("b", 1)]], "b", "xx");
        check(&[&[("a", 1)], &[("b", 3)], &[("a", 2)]], "a", "..x");
        check(&[&[("b", 1)], &[("a", 2), ("b", 1)]], "a", "xx");
    }

    #[test]
    fn the_newest_states_are_those_of_the_last_commit_that_names_the_stream() {
        let history = [states(&[("a", 1), ("b", 5)]), states(&[("a", 2)])];
        let history: Vec<_> = history.iter().map(|states| &states[..]).collect();
        let version = |stream: &str| newest(&history, &Renames::default(), stream).map(|state| state.version);
        assert_eq!(["a", "b", "c"].map(version), [Some(2), Some(5), None]);
    }
}
