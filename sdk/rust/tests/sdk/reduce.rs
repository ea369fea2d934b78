//! Reduces, plain and with accumulators of their own.

use proptest::prelude::*;
use tidemill_sdk::{prelude::*, testing};

#[reduce(inverse = |whole, part| whole - part)]
fn sum(a: i64, b: i64) -> i64 {
    a + b
}

#[reduce]
fn longer(a: String, b: String) -> String {
    if b.len() > a.len() { b } else { a }
}

#[derive(Clone, Debug, Default, PartialEq, Record)]
struct Mean {
    sum: f64,
    count: i64,
}

/// The mean of a key's values.
#[reduce(zero = Mean::default(), merge = join, inverse = |whole, part| Mean { sum: whole.sum - part.sum, count: whole.count - part.count }, finish = |mean| mean.sum / mean.count as f64)]
fn mean(mean: Mean, value: f64) -> Mean {
    Mean { sum: mean.sum + value, count: mean.count + 1 }
}

fn join(a: Mean, b: Mean) -> Mean {
    Mean { sum: a.sum + b.sum, count: a.count + b.count }
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Visit<'a> {
    page: &'a str,
    millis: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Slowest {
    page: String,
    millis: i64,
}

#[reduce(
    create = |visit| Slowest { page: visit.page.to_owned(), millis: visit.millis },
    merge = |slowest, other| if other.millis > slowest.millis { *slowest = other },
    finish = describe
)]
fn slowest(slowest: &mut Slowest, visit: Visit<'_>) {
    if visit.millis > slowest.millis {
        slowest.page.clear();
        slowest.page.push_str(visit.page);
        slowest.millis = visit.millis;
    }
}

fn describe(slowest: Slowest) -> String {
    format!("{} {}", slowest.page, slowest.millis)
}

#[reduce(create = |value| vec![value], merge = |all, other| other.into_iter().for_each(|value| collect(all, value)))]
fn collect(all: &mut Vec<i64>, value: i64) {
    all.insert(all.partition_point(|other| *other < value), value);
}

#[reduce(create = |x, y| x * y, merge = |a, b| a + b)]
fn dot(context: &Context, total: f64, x: f64, y: f64) -> f64 {
    context.count("rows", 1);
    total + x * y
}

#[test]
fn signatures_say_what_is_accumulated() {
    let text = "value: text";
    for (signature, expect) in [
        (testing::signature::<sum>(), "sum(value: integer) [value: integer] -> value: integer invertible".to_owned()),
        (testing::signature::<longer>(), format!("longer({text}) [{text}] -> {text}")),
        (
            testing::signature::<mean>(),
            "mean(value: float) [sum: float, count: integer] -> value: float finishes invertible".to_owned(),
        ),
        (
            testing::signature::<slowest>(),
            format!("slowest(page: text, millis: integer) [page: text, millis: integer] -> {text} finishes"),
        ),
        (testing::signature::<collect>(), {
            "collect(value: integer) [value: list<integer>] -> value: list<integer>".to_owned()
        }),
        (testing::signature::<dot>(), "dot(x: float, y: float) [value: float] -> value: float".to_owned()),
    ] {
        assert_eq!(signature, expect);
    }
}

#[test]
fn the_first_row_of_a_key_is_its_accumulator() {
    let words = [("x", "a"), ("y", "bb"), ("x", "ccc"), ("x", "dd"), ("y", "e")];
    let out = testing::reduce::<longer, _>(words.map(|(key, word)| (key, word.to_owned())));
    assert_eq!(out.rows::<&str>(), [("x", "ccc"), ("y", "bb")]);
    assert_eq!(testing::reduce::<sum, &str>([]).rows::<i64>(), []);
}

#[test]
fn an_accumulator_may_differ_from_rows_and_result() {
    let out = testing::reduce::<mean, _>([(1, 1.0), (1, 2.0), (2, 7.0), (1, 6.0)]);
    assert_eq!(out.rows::<f64>(), [(1, 3.0), (2, 7.0)]);
    let part = testing::reduce::<mean, _>([(1, 2.0)]);
    assert_eq!(out.subtract(&part).unwrap().rows::<f64>(), [(1, 3.5), (2, 7.0)]);
    let visits = [("a", 3), ("b", 5), ("c", 4), ("d", 2)].map(|(page, millis)| ((), Visit { page, millis }));
    assert_eq!(testing::reduce::<slowest, _>(visits).rows::<String>(), [((), "b 5".to_owned())]);
    assert_eq!(testing::reduce::<dot, _>([("k", (1.0, 2.0)), ("k", (3.0, 4.0))]).rows::<f64>(), [("k", 14.0)]);
}

#[test]
fn an_accumulator_grows_with_its_rows() {
    let out = testing::reduce::<collect, _>((0..20).map(|number| (number % 3, number)));
    let expect = (0..3).map(|key| (key, (0..20).filter(|number| number % 3 == key).collect::<Vec<i64>>()));
    assert_eq!(out.rows::<Vec<i64>>(), expect.collect::<Vec<_>>());
}

#[test]
fn a_reduce_without_inverse_cannot_subtract() {
    let whole = testing::reduce::<longer, _>([("x", "a".to_owned()), ("x", "bb".to_owned())]);
    assert_eq!(whole.subtract(&whole).unwrap_err().reason, "this reduce has no inverse");
}

proptest! {
    #![proptest_config(crate::cases::cases(256))]

    #[test]
    fn sums_are_those_of_a_plain_loop(rows in prop::collection::vec((0_u8..9, -99_i64..99), 0..60), chunk_rows in 1_usize..9) {
        let mut expect: Vec<(u8, i64)> = Vec::new();
        for &(key, value) in &rows {
            match expect.iter_mut().find(|(other, _)| *other == key) {
                Some((_, total)) => *total += value,
                None => expect.push((key, value)),
            }
        }
        let out = testing::Kit::new().chunk_rows(chunk_rows).reduce::<sum, _>(rows).unwrap();
        prop_assert_eq!(out.rows::<i64>(), expect);
    }
}
