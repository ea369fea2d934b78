use tidemill_sdk::prelude::*;

#[derive(Record)]
struct Total {
    total: i64,
}

#[derive(Record)]
struct Other {
    other: i64,
}

fn from_one(old: i64) -> Total {
    Total { total: old }
}

fn to_other(old: i64) -> Other {
    Other { other: old }
}

fn of_pair(old: (i64, i64)) -> Total {
    Total { total: old.0 }
}

fn of_two(old: i64, more: i64) -> Total {
    Total { total: old + more }
}

#[update_state(version = 2, migrate(1 = to_other))]
fn another_state(new: Values<i64>, total: Option<Total>) -> Option<Total> {
    total
}

#[update_state(version = 2, migrate(1 = of_pair))]
fn of_no_value(new: Values<i64>, total: Option<Total>) -> Option<Total> {
    total
}

#[update_state(version = 2, migrate(1 = of_two))]
fn of_more_values(new: Values<i64>, total: Option<Total>) -> Option<Total> {
    total
}

fn main() {}
