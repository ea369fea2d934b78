//! Reduces, plain and with accumulators of their own.

use tidemill_sdk::prelude::*;

/// What a mean is made of.
#[derive(Clone, Debug, Default, PartialEq, Record)]
pub struct Mean {
    pub sum: f64,
    pub count: i64,
}

/// A page that took long.
#[derive(Clone, Debug, PartialEq, Record)]
pub struct Slowest {
    pub page: String,
    pub millis: i64,
}

#[reduce]
pub fn reduce_values(a: String, b: String) -> String {
    a.max(b)
}

#[reduce(inverse = |whole, part| whole - part)]
pub fn reduce_inverse(a: i64, b: i64) -> i64 {
    a + b
}

#[reduce(zero = Mean::default(), merge = |a, b| Mean { sum: a.sum + b.sum, count: a.count + b.count })]
pub fn reduce_zero(mean: Mean, value: f64) -> Mean {
    Mean { sum: mean.sum + value, count: mean.count + 1 }
}

#[reduce(create = |value| vec![value], merge = |all, other| other.into_iter().for_each(|value| reduce_create(all, value)))]
pub fn reduce_create(all: &mut Vec<i64>, value: i64) {
    all.insert(all.partition_point(|other| *other < value), value);
}

#[reduce(
    create = |page, millis| Slowest { page: page.to_owned(), millis },
    merge = |slowest, other| if other.millis > slowest.millis { *slowest = other }
)]
pub fn reduce_in_place(slowest: &mut Slowest, page: &str, millis: i64) {
    if millis > slowest.millis {
        *slowest = Slowest { page: page.to_owned(), millis };
    }
}

#[reduce(
    zero = Mean::default(),
    merge = |a, b| Mean { sum: a.sum + b.sum, count: a.count + b.count },
    finish = |mean| mean.sum / mean.count as f64
)]
pub fn reduce_finish(mean: Mean, value: f64) -> Mean {
    Mean { sum: mean.sum + value, count: mean.count + 1 }
}

#[reduce(create = |x, y| x * y, merge = |a, b| a + b)]
pub fn reduce_context(_context: &Context, total: f64, x: f64, y: f64) -> f64 {
    total + x * y
}

#[derive(Debug, Parameters)]
pub struct Scale {
    #[parameter(default = 1.0)]
    pub factor: f64,
}

#[reduce(create = |x| x, merge = |a, b| a + b)]
pub fn reduce_parameters(context: &Context<Scale>, total: f64, x: f64) -> f64 {
    total + x * context.parameters().factor
}

/// The accumulator of version 1.
fn from_one(old: i64) -> Mean {
    Mean { sum: old as f64, count: 1 }
}

#[reduce(
    version = 2,
    migrate(1 = from_one),
    zero = Mean::default(),
    merge = |a, b| Mean { sum: a.sum + b.sum, count: a.count + b.count }
)]
pub fn reduce_version(mean: Mean, value: f64) -> Mean {
    Mean { sum: mean.sum + value, count: mean.count + 1 }
}
