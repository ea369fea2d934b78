use tidemill_sdk::prelude::*;

fn from_one(old: i64) -> i64 {
    old
}

#[update_state(version = 2, migrate = from_one)]
fn without_version(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    total
}

#[update_state(version = 2, migrate(from_one))]
fn without_number(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    total
}

#[update_state(version = 2, migrate())]
fn empty(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    total
}

#[update_state(migrate(1 = from_one))]
fn no_new_version(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    total
}

#[update_state(version = 3, migrate(3 = from_one))]
fn from_itself(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    total
}

#[update_state(version = 3, migrate(1 = from_one, 1 = from_one))]
fn twice(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    total
}

fn main() {}
