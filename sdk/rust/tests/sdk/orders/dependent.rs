//! Reduces that depend on how their rows are cut or ordered.

use tidemill_sdk::prelude::*;

use super::Everything;

#[reduce]
pub fn first(a: i64, _b: i64) -> i64 {
    a
}

#[reduce]
pub fn last(_a: i64, b: i64) -> i64 {
    b
}

#[reduce]
pub fn last_of_all(_a: Everything, b: Everything) -> Everything {
    b
}

#[reduce]
pub fn last_float(_a: f64, b: f64) -> f64 {
    b
}

#[reduce]
pub fn last_value(_a: Reading, b: Reading) -> Reading {
    b
}

#[reduce(zero = String::new(), merge = |a, b| a + &b)]
pub fn concatenation(all: String, part: &str) -> String {
    all + part
}

#[reduce(create = |part| part.to_vec(), merge = |all, other| all.extend(other))]
pub fn bytes(all: &mut Vec<u8>, part: &[u8]) {
    all.extend(part);
}

#[reduce]
pub fn subtraction(a: i64, b: i64) -> i64 {
    a.wrapping_sub(b)
}

#[reduce]
pub fn mean_of_means(a: f64, b: f64) -> f64 {
    (a + b) / 2.0
}

#[reduce(create = |value| vec![value], merge = |all, other| all.extend(other))]
pub fn collect(all: &mut Vec<i64>, value: i64) {
    all.push(value);
}

/// The first one of several wins.
#[reduce]
pub fn longest(a: String, b: String) -> String {
    if b.len() > a.len() { b } else { a }
}

/// Comes to the same backwards.
#[reduce(create = |value| Ends { first: value, last: value }, merge = |a, b| Ends { first: a.first, last: b.last }, finish = |ends| (ends.last - ends.first).abs())]
pub fn distance(ends: Ends, value: i64) -> Ends {
    Ends { last: value, ..ends }
}

#[reduce(create = |value| value, merge = |a, _b| a)]
pub fn merge_drops(a: i64, b: i64) -> i64 {
    a.max(b)
}

#[reduce(create = |value| value, merge = |_a, b| b)]
pub fn merge_takes_the_other(a: i64, b: i64) -> i64 {
    a.max(b)
}

#[reduce(create = |value| value, merge = |a, b| a.min(b))]
pub fn merge_is_another(a: i64, b: i64) -> i64 {
    a.max(b)
}

#[reduce(create = |value| value, merge = |a, b| if b >= a { b } else { 0 })]
pub fn merge_wants_order(a: i64, b: i64) -> i64 {
    a.max(b)
}

#[reduce(create = |_value| 1, merge = |_a, b| 1 + b)]
pub fn merge_takes_this_for_one(count: i64, _value: i64) -> i64 {
    count + 1
}

#[reduce(create = |_value| 1, merge = |a, _b| a + 1)]
pub fn merge_takes_the_other_for_one(count: i64, _value: i64) -> i64 {
    count + 1
}

#[reduce(create = |_value| 0, merge = |a, b| a + b)]
pub fn create_forgets(count: i64, _value: i64) -> i64 {
    count + 1
}

#[reduce(zero = 10, merge = |a, b| a + b)]
pub fn zero_counts(sum: i64, value: i64) -> i64 {
    sum + value
}

#[reduce(create = Some, merge = |a, b| if b.is_none() { b } else { a.max(b) })]
pub fn missing_wins(a: Option<i64>, b: i64) -> Option<i64> {
    if b == 0 { None } else { a.max(Some(b)) }
}

#[derive(Clone, Debug, PartialEq, Record)]
pub struct Ends {
    first: i64,
    last: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
pub struct Reading {
    pub seconds: f64,
    pub value: f64,
}
