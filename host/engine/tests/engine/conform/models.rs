//! What samples compute with, in plain Rust.

use std::collections::BTreeMap;

use tidemill_model::testing::Value;

use super::feed::{Feed, Row};

pub fn int(n: i64) -> Value {
    Value::Integer(n)
}

pub fn text(text: &str) -> Value {
    Value::text(text)
}

pub fn whole(row: &Row) -> Vec<Value> {
    vec![text(row.k), int(row.n), row.f.map_or(Value::Missing, Value::Boolean), text(row.line)]
}

/// Each batch of `in` for itself.
pub fn each(feed: &Feed, of_batch: impl Fn(&[Row]) -> Vec<Vec<Value>>) -> Vec<Vec<Vec<Value>>> {
    feed.0[0].iter().map(|rows| of_batch(rows)).collect()
}

/// The batches of `more`, then those of `in`.
pub fn both(feed: &Feed) -> Vec<Vec<Row>> {
    feed.0[0].iter().zip(&feed.0[1]).map(|(rows, more)| [more.clone(), rows.clone()].concat()).collect()
}

pub fn groups(rows: &[Row]) -> BTreeMap<&'static str, Vec<&Row>> {
    let mut groups: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| groups.entry(row.k).or_default().push(row));
    groups
}

pub fn by_key(rows: &[Row], value: impl Fn(&[&Row]) -> Value) -> Vec<Vec<Value>> {
    groups(rows).into_iter().map(|(k, rows)| vec![text(k), value(&rows)]).collect()
}

/// Each value behind those before it; of all keys in every batch, or of those with new rows.
pub fn digits(batches: &[Vec<Row>], all: bool) -> Vec<Vec<Vec<Value>>> {
    let mut states: BTreeMap<&str, i64> = BTreeMap::new();
    let batch = |rows: &Vec<Row>| {
        let groups = groups(rows);
        for (k, rows) in &groups {
            let state = states.entry(k).or_default();
            *state = rows.iter().fold(*state, |state, row| state.wrapping_mul(10).wrapping_add(row.n));
        }
        let shown = states.iter().filter(|(k, _)| all || groups.contains_key(*k));
        shown.map(|(k, state)| vec![text(k), int(*state)]).collect()
    };
    batches.iter().map(batch).collect()
}

/// A row a key with the sum of its values of all batches so far.
pub fn emitted_totals(batches: &[Vec<Row>]) -> Vec<Vec<Row>> {
    let mut totals: BTreeMap<&'static str, i64> = BTreeMap::new();
    let batch = |rows: &Vec<Row>| {
        let of_key = |(k, rows): (&'static str, Vec<&Row>)| {
            let total = totals.entry(k).or_default();
            *total += rows.iter().map(|row| row.n).sum::<i64>();
            Row { k, n: *total, f: None, line: "" }
        };
        groups(rows).into_iter().map(of_key).collect()
    };
    batches.iter().map(batch).collect()
}

/// 1000 and the total of each key that has had no true row for more than so many batches; it begins anew then.
pub fn farewells(batches: &[Vec<Row>], timeout: usize) -> Vec<Vec<Vec<Value>>> {
    let mut totals: BTreeMap<&str, (i64, usize)> = BTreeMap::new();
    let batch = |(number, rows): (usize, &Vec<Row>)| {
        for row in rows.iter().filter(|row| row.f == Some(true)) {
            let total = totals.entry(row.k).or_default();
            *total = (total.0 + row.n, number);
        }
        let idle: Vec<_> = totals.extract_if(.., |_, (_, last)| number - *last > timeout).collect();
        idle.into_iter().map(|(k, (total, _))| vec![text(k), int(1_000 + total)]).collect()
    };
    batches.iter().enumerate().map(batch).collect()
}

/// Whether a sample has the row with this number: by splitmix64's published constants.
pub fn is_drawn(seed: u64, time: i64, number: u64, fraction: f64) -> bool {
    let mixed = |number: u64| {
        let first = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let second = (first ^ (first >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let third = (second ^ (second >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        third ^ (third >> 31)
    };
    let lot = mixed(mixed(mixed(seed) ^ time as u64) ^ number) >> 11;
    (lot as f64) / ((1_u64 << 53) as f64) < fraction
}

/// Rows of `in` beside those of `more` with the same `k` and `f`, and those that are alone, where they stay.
pub fn joined(feed: &Feed, keeps: [bool; 2]) -> Vec<Vec<Vec<Value>>> {
    let rest = |row: &Row| vec![int(row.n), text(row.line)];
    let key = |row: &Row| vec![text(row.k), row.f.map_or(Value::Missing, Value::Boolean)];
    let blank = || vec![Value::Missing; 2];
    let batch = |(left, right): (&Vec<Row>, &Vec<Row>)| {
        let is_pair = |one: &Row, other: &Row| one.k == other.k && one.f == other.f;
        let mut rows: Vec<Vec<Value>> = Vec::new();
        for one in left {
            let others: Vec<&Row> = right.iter().filter(|other| is_pair(one, other)).collect();
            rows.extend(others.iter().map(|other| [key(one), rest(one), rest(other)].concat()));
            rows.extend((others.is_empty() && keeps[0]).then(|| [key(one), rest(one), blank()].concat()));
        }
        let is_alone = |other: &&Row| keeps[1] && !left.iter().any(|one| is_pair(one, other));
        rows.extend(right.iter().filter(is_alone).map(|other| [key(other), blank(), rest(other)].concat()));
        rows
    };
    feed.0[0].iter().zip(&feed.0[1]).map(batch).collect()
}

/// The rows of so many batches, at every tick that is a multiple of `slide`.
pub fn windows(batches: &[Vec<Row>], length: usize, slide: usize) -> Vec<Vec<Row>> {
    let at = |tick: usize| match tick % slide {
        0 => batches[tick.saturating_sub(length)..tick].concat(),
        _ => Vec::new(),
    };
    (1..=batches.len()).map(at).collect()
}
