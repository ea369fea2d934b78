use tidemill_sdk::prelude::*;

#[derive(Record)]
struct Total {
    total: i64,
}

#[derive(Parameters)]
struct Settings {
    limit: i64,
}

#[derive(Record)]
struct Pair<'a> {
    total: &'a Total,
}

fn from_one(old: &Total) -> Total {
    Total { total: old.total }
}

#[map]
fn row(total: &Total) -> i64 {
    total.total
}

#[map]
fn number(number: &i64) -> i64 {
    *number
}

#[map]
fn optional(total: Option<&Total>) -> i64 {
    total.map_or(0, |total| total.total)
}

#[map]
fn settings(settings: &Settings, total: i64) -> bool {
    total > settings.limit
}

#[reduce]
fn larger(a: &Total, b: &Total) -> Total {
    Total { total: a.total.max(b.total) }
}

#[reduce(zero = 0, merge = |a, b| a + b)]
fn sum(sum: i64, total: &Total) -> i64 {
    sum + total.total
}

#[update_state]
fn kept(new: Values<Total>, total: Option<&Total>) -> Option<Total> {
    None
}

#[update_state]
fn keyed(key: &Total, new: Values<i64>, total: Option<i64>) -> Option<i64> {
    total
}

#[update_state]
fn borrowed(new: &Values<i64>, total: Option<i64>) -> Option<i64> {
    total
}

#[update_state]
fn borrowed_state(new: Values<i64>, total: &Option<i64>) -> Option<i64> {
    *total
}

#[update_state(version = 2, migrate(1 = from_one))]
fn migrated(_new: Values<i64>, total: Option<Total>) -> Option<Total> {
    total
}

#[map(whole_partition)]
fn whole(rows: impl Iterator<Item = &Total>) -> i64 {
    rows.count() as i64
}

#[map(whole_partition)]
fn listed(rows: &[Total]) -> i64 {
    rows.len() as i64
}

fn main() {}
