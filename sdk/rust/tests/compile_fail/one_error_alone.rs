use tidemill_sdk::prelude::*;

#[map]
fn double(number: i32) -> i64 {
    i64::from(number) * 2
}

plugin!(double);

fn main() {}
