//! Reduces that do not depend on how their rows are cut or ordered.

use tidemill_sdk::prelude::*;

use super::Everything;

#[reduce]
pub fn sum(a: i64, b: i64) -> i64 {
    a.wrapping_add(b)
}

#[reduce]
pub fn max(a: Timestamp, b: Timestamp) -> Timestamp {
    a.max(b)
}

#[reduce]
pub fn min(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.min(b)
}

#[reduce]
pub fn all(a: bool, b: bool) -> bool {
    a && b
}

#[reduce]
pub fn float_sum(a: f64, b: f64) -> f64 {
    a + b
}

#[reduce(create = |word| vec![word.to_owned()], merge = |all, other| other.iter().for_each(|word| put(all, word)))]
pub fn set(all: &mut Vec<String>, word: &str) {
    put(all, word);
}

fn put(all: &mut Vec<String>, word: &str) {
    if let Err(place) = all.binary_search_by(|other| other.as_str().cmp(word)) {
        all.insert(place, word.to_owned());
    }
}

#[reduce(create = |value| Moments { count: 1, sum: value, squares: value * value }, merge = join, finish = |all| all.sum / all.count as f64)]
pub fn mean(all: Moments, value: f64) -> Moments {
    join(all, Moments { count: 1, sum: value, squares: value * value })
}

/// Of numbers far from zero rounding is all that is left of it.
#[reduce(create = |value| Moments { count: 1, sum: value, squares: value * value }, merge = join, finish = variance_of)]
pub fn variance(all: Moments, value: f64) -> Moments {
    join(all, Moments { count: 1, sum: value, squares: value * value })
}

fn variance_of(all: Moments) -> Option<f64> {
    let count = all.count as f64;
    Some(all.squares / count - (all.sum / count).powi(2))
}

fn join(a: Moments, b: Moments) -> Moments {
    Moments { count: a.count + b.count, sum: a.sum + b.sum, squares: a.squares + b.squares }
}

/// The order of an accumulator's items does not matter where it cannot be seen.
#[reduce(create = |value| vec![value], merge = |all, other| all.extend(other), finish = |all| all.len() as i64)]
pub fn count(all: &mut Vec<i64>, value: i64) {
    all.push(value);
}

/// All rows are equal, so no order can be seen.
#[reduce]
pub fn same_of_all(_a: Everything, b: Everything) -> Everything {
    b
}

#[derive(Clone, Debug, PartialEq, Record)]
pub struct Moments {
    count: i64,
    sum: f64,
    squares: f64,
}
