use tidemill_sdk::prelude::*;

struct Taken {
    word: String,
}

struct Added {
    count: i64,
}

struct Kept {
    count: i64,
}

struct Emitted {
    word: String,
}

#[map]
fn length(taken: Taken) -> i64 {
    taken.word.len() as i64
}

#[map(whole_partition)]
fn longest(rows: impl Iterator<Item = Taken>) -> Option<Taken> {
    rows.max_by_key(|taken| taken.word.len())
}

#[reduce(zero = 0, merge = |a, b| a + b)]
fn add(total: i64, added: Added) -> i64 {
    total + added.count
}

#[update_state]
fn keep(new: Values<i64>, kept: Option<Kept>) -> Update<Kept, Emitted> {
    let count = new.len() as i64 + kept.map_or(0, |kept| kept.count);
    Update::put(Kept { count }).emit(Emitted { word: String::new() })
}

#[update_state]
fn count(new: Values<Added>, total: Option<i64>) -> Option<i64> {
    Some(total.unwrap_or(0) + new.iter().map(|added| added.count).sum::<i64>())
}

fn main() {}
