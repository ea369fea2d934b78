use tidemill_sdk::prelude::*;

#[map]
fn good(number: i64) -> i64 {
    number
}

fn plain(number: i64) -> i64 {
    number
}

struct Thing;

plugin!(good, plain, Thing, absent);

fn main() {}
