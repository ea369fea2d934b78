use tidemill_sdk::prelude::*;

#[update_state]
fn no_values(new: Vec<i64>, total: Option<i64>) -> Option<i64> {
    total
}

#[update_state]
fn wrong_order(total: Option<i64>, new: Values<i64>) -> Option<i64> {
    total
}

#[update_state(versoin = 2)]
fn unknown_option(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    total
}

fn main() {}
