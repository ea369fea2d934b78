//! Calls of a source, in the order of the contract.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use tidemill_model::{
    ports::{Acknowledging, Owner, PortError, PortErrorKind, Repeatable, Source, SourceRows},
    schema::Schema,
    table::TableSpec,
    testing::{Value, until},
};

use super::Feed;
use crate::rows_of;

/// How much is taken ahead of a seal, in calls, and bytes asked for at a time.
pub(super) const PATTERNS: [(usize, usize); 5] = [(0, usize::MAX), (1, 1), (3, 1 << 19), (2, 100), (7, 0)];

/// Takes of a batch at most: with more of them it has no end.
const TAKES_MAX: usize = 1_000_000;

/// One batch as it was given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Given {
    pub(super) present: bool,
    pub(super) last: bool,
    pub(super) chunks: Vec<(Option<u32>, RecordBatch)>,
}

impl Given {
    pub(super) fn rows(&self, schema: &Schema) -> Vec<Vec<Value>> {
        self.chunks.iter().flat_map(|(_, rows)| rows_of(schema, rows)).collect()
    }
}

/// Begins, as a host that has taken over from another one: that one may need a while to let go.
pub(super) fn begin(source: &mut dyn Source) {
    let owner = Owner { pipeline: "p", generation: Some(2), is_held: &|| true };
    until("it begins", |_| match source.begin(&owner) {
        Ok(()) => Some(()),
        Err(error) if error.kind == PortErrorKind::Passing => {
            // Whoever let go of it needs a processor to do it.
            std::thread::yield_now();
            None
        }
        Err(error) => panic!("it cannot begin: {error}"),
    });
}

/// How far a batch has got.
#[derive(Default)]
pub(super) struct Batch {
    given: Given,
    ahead: usize,
    is_sealed: bool,
    is_ended: bool,
}

impl Batch {
    /// Makes the next call of a batch; gives the batch when it has ended.
    pub(super) fn step(&mut self, feed: &dyn Feed, source: &mut dyn Source, pattern: (usize, usize)) -> Option<Given> {
        let (ahead_max, bytes_max) = pattern;
        if !self.is_sealed && self.ahead == ahead_max {
            let sealed =
                source.seal(feed.world().clock.now()).unwrap_or_else(|error| panic!("it is not sealed: {error}"));
            (self.given.present, self.given.last, self.is_sealed) = (sealed.present, sealed.last, true);
            return None;
        }
        self.ahead += 1;
        let taken = source.take(bytes_max).unwrap_or_else(|error| panic!("nothing can be taken: {error}"));
        let arrow = source.schema().to_arrow();
        for chunk in taken.chunks {
            assert_eq!(chunk.rows.schema(), arrow, "a chunk of another schema");
            assert!(chunk.rows.num_rows() > 0, "a chunk without rows");
            self.given.chunks.push((chunk.partition, chunk.rows));
        }
        assert!(self.is_sealed || !taken.end, "a batch ends before it is sealed");
        assert!(!self.is_ended, "a batch ends twice");
        self.is_ended = taken.end;
        taken.end.then(|| std::mem::take(&mut self.given))
    }

    /// The rows that were taken of it until now.
    pub(super) fn rows(&self, schema: &Schema) -> Vec<Vec<Value>> {
        self.given.rows(schema)
    }

    /// The rest of a batch.
    pub(super) fn end(mut self, feed: &dyn Feed, source: &mut dyn Source, pattern: (usize, usize)) -> Given {
        (0..TAKES_MAX).find_map(|_| self.step(feed, source, pattern)).expect("a batch has an end")
    }
}

pub(super) fn repeatable(source: &mut dyn Source) -> &mut dyn Repeatable {
    source.repeatable().expect("it can be read again")
}

pub(super) fn acknowledging(source: &mut dyn Source) -> &mut dyn Acknowledging {
    source.acknowledging().expect("it acknowledges")
}

/// What a checkpoint keeps of a source: its pin, and by what its table has changed until then.
#[derive(Clone, Debug, Default)]
pub(super) struct Pinned {
    pub(super) pin: String,
    changes: Vec<SourceRows>,
    /// What its table is by these: each key with its row.
    table: BTreeMap<String, String>,
}

impl Pinned {
    /// What is kept behind this one.
    pub(super) fn next(&self, source: &mut dyn Source) -> Pinned {
        if let Some(source) = source.acknowledging() {
            let pin = source.pin().unwrap_or_else(|error| panic!("a batch that was taken has no pin: {error}"));
            return Pinned { pin, ..Pinned::default() };
        }
        let source = repeatable(source);
        let pin = source.pin().unwrap_or_else(|error| panic!("a batch that was taken has no pin: {error}"));
        let mut next = Pinned { pin, ..self.clone() };
        if let Some(table) = source.table() {
            let mut changes = || source.changes().unwrap_or_else(|error| panic!("its table has no changes: {error}"));
            let new = changes();
            assert!(changes().is_empty(), "its table has changed while nothing happened");
            new.iter().for_each(|rows| next.change(&table, rows));
            next.changes.extend(new);
        }
        next
    }

    /// Each row that is told is a change, or a batch would store what is known.
    fn change(&mut self, table: &TableSpec, changed: &SourceRows) {
        assert_eq!(changed.keys.schema(), table.keys.to_arrow(), "keys of another schema");
        assert_eq!(changed.rows.schema(), table.rows.to_arrow(), "rows of another schema");
        assert_eq!(changed.keys.num_rows(), changed.deleted.len(), "which keys have gone");
        let shown = |schema: &Schema, batch: &RecordBatch| -> Vec<String> {
            rows_of(schema, batch).iter().map(|row| format!("{row:?}")).collect()
        };
        let rows = shown(&table.rows, &changed.rows);
        for ((key, row), is_gone) in shown(&table.keys, &changed.keys).into_iter().zip(rows).zip(&changed.deleted) {
            let is_change = match is_gone {
                true => self.table.remove(&key).is_some(),
                false => self.table.insert(key.clone(), row.clone()).as_ref() != Some(&row),
            };
            assert!(is_change, "its table tells {key} as a change, and it is as it was");
        }
    }

    /// Gives the source what it needs to go on, before it does.
    pub(super) fn restore(&self, source: &mut dyn Source) -> Result<(), PortError> {
        let source = repeatable(source);
        if source.table().is_none() { Ok(()) } else { source.restore(&self.changes) }
    }
}
