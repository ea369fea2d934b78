//! Accumulators that are handed on before the batch ends.

#![allow(clippy::unwrap_used, reason = "a test")]

use tidemill_model::{
    testing::{Value, buffer_of, values_of},
    time::Interval,
};
use tidemill_plan::graph::Aggregate;

use super::*;
use crate::{operators::merge::Merge, reduce::NativeReduce};

/// Takes all rows that it gets.
struct Taken(Vec<Vec<Value>>);

impl Out for Taken {
    fn push(&mut self, _: &mut Batch, rows: &Rows<'_>) -> Result<(), Cause> {
        self.0.extend(values_of(rows));
        Ok(())
    }
}

fn batch() -> Batch {
    Batch::new(Interval::try_new(1_000).unwrap(), 0, 1)
}

/// The sums of values by key, of rows in chunks of three, with so many groups and so many bytes of keys at most.
fn sums(rows: &[(&str, i64)], groups_max: usize, key_bytes_max: usize) -> Vec<Vec<Value>> {
    let schema: Schema = "k: text, n: integer".parse().unwrap();
    let reduce = || Box::new(NativeReduce::new(Some(Aggregate::Sum(1)), &schema));
    let mut batch = batch();
    let mut combine = Combine::new(vec![0], reduce(), 1, None, None, 7);
    (combine.groups_max, combine.key_bytes_max) = (groups_max, key_bytes_max);
    let mut merge = Merge::new(&schema, 1, reduce(), None, 8);
    let mut out = Taken(Vec::new());
    combine.begin(&batch);
    for chunk in rows.chunks(3) {
        let values: Vec<_> = chunk.iter().map(|&(k, n)| vec![Value::text(k), Value::Integer(n)]).collect();
        let chunk = buffer_of(&schema, &values);
        combine.push(&mut batch, &chunk.with_columns(&chunk.columns()), &mut out).unwrap();
        assert!(combine.table.touched().len() <= groups_max);
        let key_bytes: usize = combine.table.touched().iter().map(|&id| combine.table.key(id).len()).sum();
        assert!(key_bytes <= combine.key_bytes && combine.key_bytes <= key_bytes_max);
        assert!(combine.held_bytes() >= combine.key_bytes);
    }
    combine.finish(&mut batch, &mut out).unwrap();
    merge.begin(&batch);
    for (_, Piece { rows, .. }) in combine.leave(true) {
        merge.push(&mut batch, &rows.with_columns(&rows.columns()), &mut out).unwrap();
    }
    merge.finish(&mut batch, &mut out).unwrap();
    out.0
}

#[test]
fn many_groups_are_handed_on_in_parts() {
    let rows: Vec<(&str, i64)> = ["a", "b", "c", "a", "d", "e", "b", "f", "a"].into_iter().zip(1..).collect();
    let expect = [("a", 14), ("b", 9), ("c", 3), ("d", 5), ("e", 6), ("f", 8)];
    let expect = expect.map(|(k, n)| vec![Value::text(k), Value::Integer(n)]);
    for groups_max in [usize::MAX, 5, 2, 0] {
        assert_eq!(sums(&rows, groups_max, usize::MAX), expect, "{groups_max}");
    }
    for key_bytes_max in [9, 8, 5, 3, 0] {
        assert_eq!(sums(&rows, usize::MAX, key_bytes_max), expect, "{key_bytes_max}");
    }
}

/// Texts that are accumulated are handed on before they are many, and merged to the same.
#[test]
fn many_texts_are_handed_on_in_parts() {
    let schema: Schema = "k: text, t: text".parse().unwrap();
    let reduce = || Box::new(NativeReduce::new(Some(Aggregate::Max(1)), &schema));
    let mut batch = batch();
    let mut combine = Combine::new(vec![0], reduce(), 1, None, None, 7);
    let mut merge = Merge::new(&schema, 1, reduce(), None, 8);
    let mut out = Taken(Vec::new());
    combine.begin(&batch);
    let text = |n: usize| format!("{n:0300}");
    let row = |n: usize| vec![Value::text(&(n % 10).to_string()), Value::Text(text(n))];
    for n in 0..40 {
        let chunk = buffer_of(&schema, &[row(n)]);
        combine.push(&mut batch, &chunk.with_columns(&chunk.columns()), &mut out).unwrap();
        assert!(combine.reduce.bytes() <= 10 * size_of::<Option<Vec<u8>>>() + (1 << 10), "{}", combine.reduce.bytes());
    }
    combine.finish(&mut batch, &mut out).unwrap();
    merge.begin(&batch);
    for (_, Piece { rows, .. }) in combine.leave(true) {
        merge.push(&mut batch, &rows.with_columns(&rows.columns()), &mut out).unwrap();
    }
    merge.finish(&mut batch, &mut out).unwrap();
    let expect: Vec<_> = (0..10).map(|k| vec![Value::text(&k.to_string()), Value::Text(text(30 + k))]).collect();
    out.0.sort();
    assert_eq!(out.0, expect);
}

#[test]
fn few_keys_of_many_rows_stay() {
    let schema: Schema = "k: text, n: integer".parse().unwrap();
    let mut combine =
        Combine::new(vec![0], Box::new(NativeReduce::new(Some(Aggregate::Sum(1)), &schema)), 1, None, None, 7);
    combine.key_bytes_max = 40;
    let mut batch = batch();
    combine.begin(&batch);
    let row = |k: &str| vec![Value::text(k), Value::Integer(1)];
    for _ in 0..20 {
        let chunk = buffer_of(&schema, &[row("seven77"), row("seven77"), row("eight888")]);
        combine.push(&mut batch, &chunk.with_columns(&chunk.columns()), &mut Taken(Vec::new())).unwrap();
    }
    assert_eq!((combine.table.touched().len(), combine.left.bytes()), (2, 0), "nothing was handed on");
}
