//! What is compared of a batch: everything that a commit holds. Each thing that is changed alone is told, by its name.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use tidemill_checkpoint::{BatchPlan, TableSchema};
use tidemill_engine::{
    checkpoint::{TableId, TableRows},
    replay::{BatchRows, OutputRows},
};
use tidemill_model::{columns::RowsBuffer, schema::Schema, table::TableKind, time::Timestamp};

use super::*;

/// A key, its state if it has one, and when it is to be called.
type Key = (&'static str, Option<i64>, Option<i64>);

/// What a batch led to, as a test writes it.
#[derive(Clone)]
struct Batch {
    /// Rows by output and partition.
    outputs: BTreeMap<&'static str, Vec<Vec<i64>>>,
    states: BTreeMap<&'static str, Vec<Key>>,
    counters: Vec<(&'static str, u64)>,
}

fn batch() -> Batch {
    Batch {
        outputs: BTreeMap::from([
            ("first", vec![vec![1, 2], vec![2, 3]]),
            ("second", vec![vec![7]]),
            ("third", vec![]),
        ]),
        states: BTreeMap::from([
            ("sums", vec![("a", Some(1), None), ("b", None, None), ("c", Some(3), Some(5_000_000))]),
            ("totals", vec![("a", Some(1), None)]),
        ]),
        counters: vec![("one/p/rows", 3), ("two/p/rows", 4)],
    }
}

fn output(partitions: &[Vec<i64>]) -> OutputRows {
    let schema: Schema = "n: integer".parse().unwrap();
    let partition = |(number, values): (u32, &Vec<i64>)| {
        let mut rows = RowsBuffer::new(&schema);
        for value in values {
            rows.node_mut(0).push_word(value.cast_unsigned());
            rows.end_row();
        }
        (number, vec![(schema.clone(), rows.to_batch(&schema.to_arrow()).unwrap())])
    };
    OutputRows { partitions: (0..).zip(partitions).map(partition).collect() }
}

fn state(stream: &str, keys: &[Key]) -> TableRows {
    let schema: Schema =
        "key: bytes, deleted: boolean, wake_at: timestamp?, state: record<total: integer>".parse().unwrap();
    let mut rows = RowsBuffer::new(&schema);
    for (key, state, wake_at) in keys {
        rows.node_mut(0).push_bytes(key.as_bytes()).unwrap();
        rows.node_mut(1).push_boolean(state.is_none());
        match wake_at {
            Some(at) => rows.node_mut(2).push_word(at.cast_unsigned()),
            None => rows.node_mut(2).push_no_word(true),
        }
        rows.node_mut(3).end_record();
        rows.node_mut(4).push_word(state.unwrap_or(0).cast_unsigned());
        rows.end_row();
    }
    let stored = TableSchema {
        stream: stream.to_owned(),
        table: String::new(),
        kind: TableKind::Keyed,
        function: "p/f".to_owned(),
        keys: "k: text".to_owned(),
        rows: "total: integer".to_owned(),
        version: 1,
        settings: String::new(),
        is_of_source: false,
        is_whole: false,
        previously: None,
    };
    TableRows::try_new(&stored, &rows.to_batch(&schema.to_arrow()).unwrap()).unwrap()
}

impl Batch {
    fn rows(&self) -> BatchRows {
        let outputs = self.outputs.iter().map(|(&name, rows)| (name.to_owned(), output(rows)));
        let id = |stream: &str| TableId { stream: stream.to_owned(), table: String::new() };
        let states = self.states.iter().map(|(&stream, keys)| (id(stream), vec![state(stream, keys)]));
        let counters = self.counters.iter().map(|&(name, count)| (name.to_owned(), count));
        BatchRows { outputs: outputs.collect(), states: states.collect(), counters: counters.collect() }
    }
}

/// Whether they are the same, as people and as programs are told, with all that is said.
fn told(then: &Batch, now: &Batch) -> (bool, String) {
    let replayed = Replayed { then: Some(then.rows()), now: now.rows(), rows: 1, rejected: 0, is_skipped: false };
    let plan = BatchPlan {
        batch: Timestamp(0),
        sources: Vec::new(),
        plugins: Vec::new(),
        delivered: None,
        tables: Vec::new(),
        away: Vec::new(),
    };
    let past = Past { plan, commit: None, before: None, snapshot: None, deltas: Vec::new() };
    let compared = Compared::of(&replayed);
    let is_same = compared.is_same();
    let shown = Shown { pipeline: "test", past: &past, plugins: Vec::new(), replayed: &replayed, compared };
    let (text, mut json) = (text::of(&shown), Vec::new());
    json::write(&shown, &mut json).unwrap();
    assert_eq!(text.contains("\nsame as committed\n"), is_same, "{text}");
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["same"], is_same, "{json}");
    (is_same, text)
}

#[test]
fn what_is_the_same_is_the_same() {
    assert!(told(&batch(), &batch()).0);
    // Nobody can tell whether something was never counted, or nothing of it.
    let mut with_nothing = batch();
    with_nothing.counters.push(("none/p/rows", 0));
    assert!(told(&batch(), &with_nothing).0 && told(&with_nothing, &batch()).0);
}

#[test]
fn whatever_is_changed_alone_is_told_by_its_name() {
    type Change = fn(&mut Batch);
    let changes: [(&str, Change); 19] = [
        ("output first", |batch| batch.outputs.get_mut("first").unwrap()[0][0] = 9),
        ("output first", |batch| batch.outputs.get_mut("first").unwrap()[1].push(3)),
        ("output first", |batch| batch.outputs.get_mut("first").unwrap()[1].clear()),
        ("output first: 4 rows then, 4 rows now, the same in another order", |batch| {
            batch.outputs.get_mut("first").unwrap()[0].reverse();
        }),
        ("output first", |batch| batch.outputs.get_mut("first").unwrap().reverse()),
        ("output second", |batch| batch.outputs.get_mut("second").unwrap()[0][0] = 8),
        ("output second: 1 row then, no batch now", |batch| drop(batch.outputs.remove("second"))),
        ("output third: 0 rows then, no batch now", |batch| drop(batch.outputs.remove("third"))),
        ("output fourth: no batch then, 0 rows now", |batch| drop(batch.outputs.insert("fourth", vec![]))),
        ("+ {\"k\":\"a\"}: {\"total\":2}", |batch| batch.states.get_mut("sums").unwrap()[0].1 = Some(2)),
        ("+ {\"k\":\"a\"}: deleted", |batch| batch.states.get_mut("sums").unwrap()[0].1 = None),
        ("+ {\"k\":\"a\"}: {\"total\":1}, to be called at", |batch| {
            batch.states.get_mut("sums").unwrap()[0].2 = Some(5)
        }),
        ("- {\"k\":\"b\"}: deleted", |batch| batch.states.get_mut("sums").unwrap()[1].1 = Some(0)),
        ("- {\"k\":\"c\"}: {\"total\":3}, to be called at", |batch| batch.states.get_mut("sums").unwrap()[2].2 = None),
        ("+ {\"k\":\"c\"}: unchanged", |batch| batch.states.get_mut("sums").unwrap().truncate(2)),
        ("state of totals: 1 key changed then, 2 now", |batch| {
            batch.states.get_mut("totals").unwrap().push(("z", Some(1), None));
        }),
        ("state of totals: 1 key changed then, 0 now", |batch| drop(batch.states.remove("totals"))),
        ("counter one/p/rows: 3 then, 2 now", |batch| batch.counters[0].1 = 2),
        ("counter two/p/rows: 4 then, 0 now", |batch| batch.counters.truncate(1)),
    ];
    for (number, (name, change)) in changes.into_iter().enumerate() {
        let mut other = batch();
        change(&mut other);
        let (is_same, text) = told(&batch(), &other);
        assert!(!is_same, "change {number}: {name}");
        assert!(text.contains(name), "change {number}: {name} is not in\n{text}");
        // And the other way round.
        assert!(!told(&other, &batch()).0, "change {number}: {name}");
    }
}
