//! What the rows of each table were from commit to commit: which of those in a checkpoint count, and through which
//! schemas they have come.
//!
//! Where the version of a table's rows changes, the commit holds the whole table, and so does a record that says so: what was
//! before does not count. Where only the fields change, older states go through every schema that there was: a field that went and comes
//! back is blank, whenever the last snapshot was made.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_checkpoint::TableSchema;

use super::{Renames, TableId};

/// What the states were at a snapshot and at each commit behind it, the oldest first.
pub(crate) type History<'a> = [&'a [TableSchema]];

/// From which place in a history on the states were like this.
pub(super) type Since<'a> = (usize, &'a TableSchema);

/// The lineage of each table, by the names that streams have now.
pub(super) struct Lineages<'a>(BTreeMap<TableId, Lineage<'a>>);

#[derive(Default)]
struct Lineage<'a> {
    /// Where the last version begins.
    first: usize,
    /// What the states of this version were, one after the other.
    schemas: Vec<Since<'a>>,
}

impl<'a> Lineages<'a> {
    pub(super) fn of(history: &History<'a>, renames: &Renames) -> Lineages<'a> {
        let mut lineages: BTreeMap<TableId, Lineage<'a>> = BTreeMap::new();
        for (at, state) in (0..).zip(history).flat_map(|(at, states)| states.iter().map(move |state| (at, state))) {
            let lineage = lineages.entry(TableId::of(state, renames)).or_default();
            match lineage.schemas.last() {
                Some((_, before)) if before.version != state.version || state.is_whole => {
                    *lineage = Lineage { first: at, schemas: vec![(at, state)] };
                }
                Some((_, before)) if before.rows == state.rows && before.keys == state.keys => {}
                _ => lineage.schemas.push((at, state)),
            }
        }
        Lineages(lineages)
    }

    /// What the rows of a table were at a place and are behind it. `None`: those of this place do not count.
    pub(super) fn from(&self, table: &TableId, at: usize) -> Option<&[Since<'a>]> {
        let Some(Lineage { first, schemas }) = self.0.get(table) else { return Some(&[]) };
        let later = schemas.partition_point(|(since, _)| *since <= at);
        (*first <= at).then(|| &schemas[later.saturating_sub(1)..])
    }
}

/// What a table's rows were at last, under the name that its stream has now.
pub(crate) fn newest(history: &History<'_>, renames: &Renames, table: &TableId) -> Option<TableSchema> {
    let mut newest_first = history.iter().rev().flat_map(|states| states.iter());
    let found = newest_first.find(|state| TableId::of(state, renames) == *table)?;
    Some(TableSchema { stream: table.stream.clone(), ..found.clone() })
}

/// The tables that have rows of another version behind a history than at its end: what comes behind it holds all of them.
pub(crate) fn other_versions(history: &History<'_>, renames: &Renames, states: &[TableSchema]) -> BTreeSet<TableId> {
    let ids = states.iter().map(|state| (TableId::of(state, renames), state.version));
    let is_other = |(table, version): &(TableId, u32)| {
        newest(history, renames, table).is_some_and(|before| before.version != *version)
    };
    ids.filter(is_other).map(|(table, _)| table).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tables::schema_of, *};

    fn table(stream: &str) -> TableId {
        TableId::new(stream, "")
    }

    /// States told as `a1 b2x`: a stream of one letter, its version, and its schema. `!` behind them: the whole table.
    fn states(told: &str) -> Vec<TableSchema> {
        let state = |told: &str| {
            let rows = told[2..].trim_end_matches('!').to_owned();
            let version = told[1..2].parse().expect("a digit");
            let is_whole = told.ends_with('!');
            TableSchema { rows, version, is_whole, ..schema_of(&told[..1]) }
        };
        told.split_whitespace().map(state).collect()
    }

    /// For each place `.` if it does not count, else the schemas from there on.
    #[track_caller]
    fn check(history: &[&str], stream: &str, expect: &[&str]) {
        let history: Vec<_> = history.iter().map(|told| states(told)).collect();
        let history: Vec<_> = history.iter().map(|states| &states[..]).collect();
        let lineages = Lineages::of(&history, &Renames::default());
        let shown = |at| match lineages.from(&table(stream), at) {
            Some(schemas) => schemas.iter().map(|(_, schema)| schema.rows.clone()).collect::<Vec<_>>().join(">"),
            None => ".".to_owned(),
        };
        assert_eq!((0..history.len()).map(shown).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn what_came_before_the_last_version_does_not_count() {
        check(&[], "a", &[]);
        check(&["a7x"], "a", &["x"]);
        check(&["a1x", "a1x", "a2y", "a2y"], "a", &[".", ".", "y", "y"]);
        check(&["a1x", "a2x", "a4x"], "a", &[".", ".", "x"]);
        check(&["a1x b1y", "a2x b1y"], "b", &["y", "y"]);
        check(&["a1x", "b3y", "a2x"], "a", &[".", ".", "x"]);
        check(&["a1x"], "b", &[""]);
        check(&["a1x", "a1x!", "a1x"], "a", &[".", "x", "x"]);
        check(&["a1x b1x", "a1y!", "a1z b1x"], "b", &["x", "x", "x"]);
    }

    #[test]
    fn states_come_through_every_schema_that_there_was() {
        check(&["a1x", "a1x", "a1y", "a1x"], "a", &["x>y>x", "x>y>x", "y>x", "x"]);
        check(&["a1x", "a1y", "a2z", "a2w"], "a", &[".", ".", "z>w", "w"]);
    }

    #[test]
    fn the_newest_states_are_those_of_the_last_commit_that_names_the_stream() {
        let history = [states("a1x b5x"), states("a2x")];
        let history: Vec<_> = history.iter().map(|states| &states[..]).collect();
        let version = |stream: &str| newest(&history, &Renames::default(), &table(stream)).map(|state| state.version);
        assert_eq!(["a", "b", "c"].map(version), [Some(2), Some(5), None]);
    }
    /// Where a newer version begins, nothing before it counts: so the first record behind it holds the whole table.
    #[test]
    fn tables_of_another_version_than_at_last_are_held_as_a_whole() {
        let check = |history: &[&str], now: &str, expect: &[&str]| {
            let history: Vec<_> = history.iter().map(|told| states(told)).collect();
            let history: Vec<_> = history.iter().map(|states| &states[..]).collect();
            let found = other_versions(&history, &Renames::default(), &states(now));
            assert_eq!(found, expect.iter().map(|stream| table(stream)).collect(), "{history:?}, {now}");
        };
        check(&[], "a1x b1x", &[]);
        check(&["a1x b1x c2y"], "a1x b2x c1y d7z", &["b", "c"]);
        check(&["a1x", "a2x"], "a2x", &[]);
        check(&["a1x", "a2x"], "a1x", &["a"]);
        check(&["a1x b3z", "a2x"], "a2y b4z", &["b"]);
    }
}
