use tidemill_sdk::prelude::*;

#[map]
fn one() -> i64 {
    1
}

fn main() {}
