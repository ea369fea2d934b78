//! Where Rust lets a function leave a lifetime out, a plugin's function may: `Seen` for `Seen<'_>`, wherever it stands.
#![allow(
    mismatched_lifetime_syntaxes,
    elided_lifetimes_in_paths,
    reason = "an author may write it so, and is told by the compiler"
)]

use tidemill_sdk::{prelude::*, testing};

#[derive(Clone, Copy, Debug, PartialEq, Record)]
struct Seen<'a> {
    word: &'a str,
    count: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Last {
    word: String,
    count: i64,
}

#[map]
fn shout(row: Seen) -> String {
    row.word.to_uppercase()
}

#[map]
fn same(row: Seen) -> Seen {
    row
}

#[map]
fn those_there(row: Option<Seen>) -> Option<Seen> {
    row
}

#[map]
fn counts(rows: Values<Seen>) -> i64 {
    rows.iter().map(|row| row.count).sum()
}

#[map(whole_partition)]
fn longest(rows: impl Iterator<Item = Seen>) -> i64 {
    rows.map(|row| row.word.len()).max().unwrap_or(0) as i64
}

#[map(whole_partition)]
fn words_of_all(rows: impl Iterator<Item = &str>) -> Vec<&str> {
    rows.collect()
}

#[map(whole_partition)]
fn dearest(rows: impl Iterator<Item = Seen>) -> Result<Option<Seen>, String> {
    Ok(rows.max_by_key(|row| row.count))
}

#[map(whole_partition)]
fn owned(rows: impl Iterator<Item = Last>) -> Vec<Last> {
    rows.collect()
}

#[output]
fn sentence(row: Seen) -> String {
    format!("{}: {}", row.word, row.count)
}

#[reduce(zero = 0, merge = |a, b| a + b)]
fn letters(total: i64, row: Seen) -> i64 {
    total + row.word.len() as i64
}

#[update_state]
fn last(key: Seen, new: Values<Seen>, last: Option<Last>) -> Option<Last> {
    let count = last.map_or(0, |last| last.count) + key.count;
    new.last().map(|row| Last { word: row.word.to_owned(), count })
}

#[update_state]
fn told(new: Values<Option<Seen>>, seen: Option<i64>) -> Update<i64, Last> {
    let rows = new.iter().flatten().map(|row| Last { word: row.word.to_owned(), count: row.count });
    Update::put(seen.unwrap_or(0) + new.len() as i64).emit_all(rows)
}

const SEEN: [Seen<'static>; 2] = [Seen { word: "to", count: 1 }, Seen { word: "be", count: 2 }];

#[test]
fn a_lifetime_may_be_left_out_in_every_kind_of_function() {
    assert_eq!(testing::map::<shout>(SEEN).rows(), ["TO", "BE"]);
    assert_eq!(testing::map::<same>(SEEN).rows(), SEEN);
    assert_eq!(testing::map::<those_there>([Some(SEEN[0]), None]).rows(), [SEEN[0]]);
    let column = testing::Column::of(SEEN);
    assert_eq!(testing::map::<counts>([column.values()]).rows(), [3]);
    assert_eq!(testing::map::<sentence>(SEEN).rows(), ["to: 1", "be: 2"]);
    assert_eq!(testing::reduce::<letters, _>([("a", SEEN[0]), ("a", SEEN[1])]).rows(), [("a", 4)]);
    for (signature, expect) in [
        (testing::signature::<shout>(), "shout(word: text, count: integer) -> value: text"),
        (testing::signature::<longest>(), "longest(word: text, count: integer) -> value: integer"),
        (testing::signature::<words_of_all>(), "words-of-all(value: text) -> value: text"),
        (
            testing::signature::<dearest>(),
            "dearest(word: text, count: integer) -> word: text, count: integer whole-partition",
        ),
        (
            testing::signature::<owned>(),
            "owned(word: text, count: integer) -> word: text, count: integer whole-partition",
        ),
        (testing::signature::<last>(), "last(word: text, count: integer)"),
        (testing::signature::<told>(), "told(value: record<word: text, count: integer>?)"),
    ] {
        assert!(signature.starts_with(expect), "{signature}");
    }
}
