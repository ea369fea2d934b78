use tidemill_sdk::prelude::*;

#[map]
fn double(number: u32) -> i64 {
    i64::from(number) * 2
}

fn main() {}
