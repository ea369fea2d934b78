use tidemill_sdk::prelude::*;

#[reduce]
fn one(a: i64) -> i64 {
    a
}

#[reduce]
fn three(a: i64, b: i64, c: i64) -> i64 {
    a + b + c
}

#[reduce]
fn different(a: f64, b: i64) -> f64 {
    a + b as f64
}

#[reduce]
fn other_result(a: i64, b: i64) -> f64 {
    (a + b) as f64
}

#[reduce]
fn borrowed<'a>(a: &'a str, b: &'a str) -> &'a str {
    if b > a { b } else { a }
}

#[reduce(zero = 0.0)]
fn no_merge(total: f64, value: i64) -> f64 {
    total + value as f64
}

#[reduce(inverted = |a, b| a - b)]
fn unknown_option(a: i64, b: i64) -> i64 {
    a + b
}

fn main() {}
