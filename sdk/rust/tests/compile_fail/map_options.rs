use tidemill_sdk::prelude::*;

#[map(whole)]
fn option(number: i64) -> i64 {
    number
}

#[map(whole_partition)]
fn rows(number: i64) -> i64 {
    number
}

#[output(whole_partition)]
fn line(number: i64) -> String {
    number.to_string()
}

fn main() {}
