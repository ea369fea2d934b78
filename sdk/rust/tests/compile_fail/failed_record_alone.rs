use tidemill_sdk::prelude::*;

#[derive(Record)]
enum Status {
    Open,
    Closed,
}

#[derive(Record)]
struct Word<'a> {
    word: &'a str,
    count: i32,
}

#[derive(Record)]
struct Pair<T> {
    a: T,
    b: i64,
}

#[map]
fn split(line: &str) -> impl Iterator<Item = Word<'_>> {
    words(line).map(|word| Word { word, count: 1 })
}

#[map]
fn is_open(status: Status) -> bool {
    matches!(status, Status::Open)
}

#[derive(Clone, Record)]
struct Longest {
    word: [String; 2],
}

#[reduce]
fn longest(a: Longest, b: Longest) -> Longest {
    if a.word.len() < b.word.len() { b } else { a }
}

#[update_state]
fn last(new: Values<Word<'_>>, state: Option<i64>) -> Option<i64> {
    new.iter().last().map(|word| i64::from(word.count)).or(state)
}

#[output]
fn shown(pair: Pair<i64>) -> i64 {
    pair.a + pair.b
}

plugin!(split, is_open, longest, last, shown);

fn main() {}
