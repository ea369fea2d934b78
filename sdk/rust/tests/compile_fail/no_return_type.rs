use tidemill_sdk::prelude::*;

#[map]
fn split(line: &str) {
    let _ = line;
}

#[update_state]
fn total(new: Values<i64>, total: Option<i64>) {}

#[reduce]
fn sum(a: i64, b: i64) {}

fn main() {}
