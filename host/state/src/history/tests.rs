//! Histories against panes in a map. Merges write down what they merge, so that what comes out says how it came about.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::Index};
use tidemill_model::{
    testing::{Value, buffer_of, cases, values_of},
    time::Interval,
};

use super::*;
use crate::{
    numbered::NumberedTable,
    table::{BlockLimits, StateError},
};

const EVERY: i64 = 1_000;

fn schema() -> Schema {
    "t: text, n: integer".parse().unwrap()
}

fn every() -> Interval {
    Interval::try_new(EVERY).unwrap()
}

/// A pane that has these keys, in this order.
fn pane(keys: &[u8], number: i64) -> Pane {
    let names = buffer_of(&"k: text".parse().unwrap(), &keys.iter().map(|&key| vec![name(key)]).collect::<Vec<_>>());
    let rows: Vec<Vec<Value>> = keys.iter().map(|&key| leaf(key, number)).collect();
    let rows = buffer_of(&schema(), &rows);
    let mut pane = Pane::new(&schema());
    pane.extend(names.columns()[0], &rows.with_columns(&rows.columns())).unwrap();
    pane
}

fn name(key: u8) -> Value {
    Value::text(&char::from(b'a' + key).to_string())
}

fn leaf(key: u8, number: i64) -> Vec<Value> {
    vec![Value::Text(format!("{}{}", char::from(b'a' + key), number / EVERY)), Value::Integer(1)]
}

fn both(left: &[Value], right: &[Value]) -> Vec<Value> {
    match (left, right) {
        ([Value::Text(left), Value::Integer(one)], [Value::Text(right), Value::Integer(other)]) => {
            vec![Value::Text(format!("({left} {right})")), Value::Integer(one + other)]
        }
        other => unreachable!("{other:?}"),
    }
}

/// Panes by number, each with its keys in order.
type Panes = BTreeMap<i64, Vec<u8>>;

/// What the panes of a key come to: of times that differ in a bit those of the one half, and then those of the other.
fn model_of(key: u8, times: &[i64]) -> Vec<Value> {
    let [first, .., last] = times else { return leaf(key, times[0] * EVERY) };
    let level = i64::BITS - 1 - (first ^ last).leading_zeros();
    let middle = times.partition_point(|time| time >> level == first >> level);
    both(&model_of(key, &times[..middle]), &model_of(key, &times[middle..]))
}

/// For each key in order its bytes and what it comes to.
fn model(panes: &Panes) -> Vec<(Vec<u8>, Vec<Value>)> {
    let mut order: Vec<u8> = Vec::new();
    for &key in panes.values().flatten() {
        if !order.contains(&key) {
            order.push(key);
        }
    }
    let times = |key| panes.iter().filter(move |(_, keys)| keys.contains(key)).map(|(&number, _)| number / EVERY);
    order.iter().map(|key| (vec![b'a' + key], model_of(*key, &times(key).collect::<Vec<_>>()))).collect()
}

/// The rows of these nodes.
fn rows_of(history: &History, nodes: &[u32]) -> Vec<Vec<Value>> {
    let mut rows = RowsBuffer::new(&schema());
    history.read(nodes, &mut rows).unwrap();
    values_of(&rows.with_columns(&rows.columns()))
}

/// Merges all that is stale, but for the keys that `fails` names. Gives the number of merges.
fn fold(history: &mut History, fails: Option<u8>) -> usize {
    let mut count = 0;
    for mut round in history.stale() {
        round.retain(|merge| history.is_ready(merge) && fails.is_none_or(|key| history.key(merge.key) != [b'a' + key]));
        let merged: Vec<Vec<Value>> = round
            .iter()
            .map(|merge| {
                let halves = rows_of(history, &merge.halves);
                both(&halves[0], &halves[1])
            })
            .collect();
        count += round.len();
        let rows = buffer_of(&schema(), &merged);
        history.put(&round, &rows.with_columns(&rows.columns()));
    }
    count
}

/// What is there; of keys that are not merged nothing.
fn found(history: &History) -> Vec<(Vec<u8>, Option<Vec<Value>>)> {
    let of_key = |key| {
        let merged = history.merged(key).map(|node| rows_of(history, &[node]).remove(0));
        (history.key(key).to_vec(), merged)
    };
    let found: Vec<_> = history.keys().map(of_key).collect();
    assert_eq!((found.len(), found.is_empty()), (history.len(), history.is_empty()));
    found
}

/// The same panes in another table, as a run that goes on has them.
fn restored(table: &NumberedTable) -> NumberedTable {
    let mut copy = NumberedTable::new(&schema());
    let blocks: Result<Vec<_>, StateError> = table.whole(BlockLimits { rows_max: 3, bytes_max: 1_000 }).collect();
    blocks.unwrap().iter().for_each(|block| copy.apply(&"k: text".parse().unwrap(), block).unwrap());
    copy
}

/// What a batch does: after how many batches' time it comes, what keys its pane has, how many old panes go; and what of it
/// becomes true.
#[derive(Clone, Debug)]
struct Batch {
    gap: i64,
    keys: Vec<Index>,
    go: usize,
    is_undone: bool,
    /// What is merged when the panes have come, and when those that go have gone; and of which key it fails.
    folds: [bool; 2],
    fails: Option<u8>,
    restores: bool,
}

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let keys = vec(any::<Index>(), 0..12);
    let batch = (1..9_i64, keys, 0..4_usize, prop::bool::weighted(0.2), any::<[bool; 2]>());
    let batch = (batch, prop::option::weighted(0.3, 0..12_u8), prop::bool::weighted(0.1));
    let batch = batch.prop_map(|((gap, keys, go, is_undone, folds), fails, restores)| Batch {
        gap,
        keys,
        go,
        is_undone,
        folds,
        fails,
        restores,
    });
    vec(batch, 1..40)
}

/// Keys in some order, each once.
fn chosen(indices: &[Index]) -> Vec<u8> {
    let mut left: Vec<u8> = (0..12).collect();
    indices.iter().map(|index| left.remove(index.index(left.len()))).collect()
}

proptest! {
    #![proptest_config(cases(300))]

    /// Whatever came, went, was undone, failed or was restored: what a key comes to hangs on its panes, and so does the order.
    #[test]
    fn what_keys_come_to_hangs_on_the_panes_alone(batches in batches(), begins in 0..20_usize, first in -40..40_i64) {
        let (mut table, mut panes, mut number) = (NumberedTable::new(&schema()), Panes::new(), first * EVERY);
        for (at, Batch { gap, keys, go, is_undone, folds, fails, restores }) in batches.iter().enumerate() {
            if at >= begins && table.begin_history(every(), number, 7).is_some() {
                table.end_history();
            }
            number += gap * EVERY;
            let before = panes.clone();
            let keys = chosen(keys);
            table.put(number, pane(&keys, number));
            panes.insert(number, keys);
            if at >= begins && folds[0] {
                fold(table.history_mut(), *fails);
            }
            for _ in 0..*go {
                let Some((gone, _)) = panes.pop_first() else { break };
                table.remove(gone);
            }
            if at >= begins && folds[1] {
                fold(table.history_mut(), *fails);
            }
            if *is_undone {
                table.undo();
                panes = before;
            }
            table.end_batch();
            prop_assert_eq!(table.len(), panes.values().map(Vec::len).sum::<usize>());
            if *restores {
                table = restored(&table);
                continue;
            }
            if at >= begins {
                let (found, model) = (found(table.history()), model(&panes));
                prop_assert_eq!(found.len(), model.len());
                for ((key, merged), (expect_key, expect)) in found.into_iter().zip(model) {
                    prop_assert_eq!(key, expect_key);
                    prop_assert!(merged.is_none_or(|merged| merged == expect));
                }
            }
        }
        table.begin_history(every(), i64::MAX, 7);
        fold(table.history_mut(), None);
        let merged: Vec<_> = found(table.history()).into_iter().map(|(key, merged)| (key, merged.unwrap())).collect();
        prop_assert_eq!(merged, model(&panes));
        prop_assert!(table.history_mut().stale().is_empty());
    }
}

/// A key of a long window is merged a few times for each of its panes that comes or goes, and the others not at all.
#[test]
fn a_pane_costs_its_keys_and_a_few_merges_of_each() {
    let mut table = NumberedTable::new(&schema());
    table.begin_history(every(), 0, 7);
    table.end_history();
    let length = 1_000;
    for at in 0..length {
        table.put(at * EVERY, pane(&[0, 1, (2 + at % 10) as u8], at * EVERY));
    }
    table.end_batch();
    // Of three keys a pane all but one leaf of each of the twelve keys is merged into another.
    assert_eq!(fold(table.history_mut(), None), 3 * length as usize - 12);
    assert_eq!(fold(table.history_mut(), None), 0);
    for at in length..2 * length {
        table.put(at * EVERY, pane(&[0, 1], at * EVERY));
        let came = fold(table.history_mut(), None);
        table.remove((at - length) * EVERY);
        let went = fold(table.history_mut(), None);
        table.end_batch();
        assert!((2..=2 * 11).contains(&came) && went <= 3 * 11, "{came} and {went} at {at}");
    }
    assert_eq!(table.history().len(), 2, "the others have gone");
}

/// What goes is forgotten: its room is used again.
#[test]
fn memory_follows_the_panes() {
    let mut table = NumberedTable::new(&schema());
    table.begin_history(every(), 0, 7);
    table.end_history();
    let mut most = 0;
    for at in 0..2_000 {
        table.put(at * EVERY, pane(&[(at % 12) as u8, ((at + 5) % 12) as u8], at * EVERY));
        fold(table.history_mut(), None);
        table.remove((at - 8) * EVERY);
        fold(table.history_mut(), None);
        table.end_batch();
        if at == 100 {
            most = 4 * table.history().memory_bytes();
        }
    }
    assert!(table.history().memory_bytes() < most, "{} bytes of {most}", table.history().memory_bytes());
    assert!(table.memory_bytes() > table.history().memory_bytes(), "it is counted with the panes");
}

/// Where there is nothing to accumulate there is nothing to merge: a key is there or not.
#[test]
fn keys_without_accumulators_are_never_stale() {
    let nothing = Schema::default();
    let keys = buffer_of(&"k: text".parse().unwrap(), &[vec![name(0)], vec![name(1)]]);
    let mut table = NumberedTable::new(&nothing);
    table.begin_history(every(), 0, 7);
    table.end_history();
    for number in [EVERY, 2 * EVERY] {
        let mut pane = Pane::new(&nothing);
        pane.extend(keys.columns()[0], &Rows { schema: &nothing, len: 2, columns: &[] }).unwrap();
        table.put(number, pane);
    }
    assert!(table.history_mut().stale().is_empty());
    assert!(table.history().keys().all(|key| table.history().merged(key).is_some()));
    table.remove(EVERY);
    table.remove(2 * EVERY);
    assert!(table.history().is_empty());
}
