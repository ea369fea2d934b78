use std::collections::HashMap;

use tidemill_sdk::prelude::*;

#[derive(Record)]
struct Visit {
    tags: HashMap<String, i64>,
    user: String,
    price: f32,
}

#[update_state]
fn list(new: Vec<Visit>, total: Option<i64>) -> Option<i64> {
    total
}

#[update_state]
fn always(new: Values<i64>, total: i64) -> i64 {
    total
}

#[update_state]
fn both(new: Values<i64>, total: Option<i64>) -> (Option<i64>, Vec<i64>) {
    (total, Vec::new())
}

plugin!(list, always, both);

fn main() {}
