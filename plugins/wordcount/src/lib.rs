//! Counts words: per batch, and for ever.

use tidemill_sdk::prelude::*;

/// A word that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record)]
struct Word<'a> {
    word: &'a str,
    count: i64,
}

/// The words of a line, each counted once. White space separates words.
#[map]
fn split(line: &str) -> impl Iterator<Item = Word<'_>> {
    words(line).map(|word| Word { word, count: 1 })
}

/// The words of a line, each counted once. A single space separates words: two spaces have an empty word between them.
#[map]
fn split_spaces(line: &str) -> impl Iterator<Item = Word<'_>> {
    line.split(' ').map(|word| Word { word, count: 1 })
}

/// The sum of a key's values.
#[reduce(inverse = |whole, part| whole - part)]
fn sum(a: i64, b: i64) -> i64 {
    a + b
}

/// The sum of a key's values since the pipeline began.
#[update_state]
fn running_total(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    Some(total.unwrap_or(0) + new.iter().sum::<i64>())
}

plugin!(split, split_spaces, sum, running_total);
