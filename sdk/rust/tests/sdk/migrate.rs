//! Migrations: states of older versions to those of now.

use tidemill_sdk::{
    prelude::*,
    testing::{self, Kit},
};

#[derive(Clone, Debug, PartialEq, Record)]
struct Visits<'a> {
    pages: Vec<String>,
    last: &'a str,
    count: i64,
}

/// Version 1: nothing but a number.
fn from_one(count: i64) -> Visits<'static> {
    Visits { pages: Vec::new(), last: "unknown", count }
}

/// What is needed of version 2, by the names of its fields.
#[derive(Record)]
struct Two<'a> {
    page: Option<&'a str>,
    count: i64,
}

/// Version 2 as it was stored.
#[derive(Record)]
struct StoredTwo {
    seen: Vec<String>,
    count: i64,
    page: String,
}

fn from_two(old: Two<'_>) -> Result<Visits<'_>, String> {
    if old.count < 0 {
        return Err(format!("{} visits are too few", old.count));
    }
    let last = old.page.unwrap_or("none");
    Ok(Visits { pages: vec![last.to_owned()], last, count: old.count })
}

#[update_state(version = 3, migrate(2 = from_two, 1 = from_one))]
fn visits<'a>(new: Values<'a, &'a str>, visits: Option<Visits<'a>>) -> Option<Visits<'a>> {
    let mut visits = visits.unwrap_or(Visits { pages: Vec::new(), last: "none", count: 0 });
    for page in new {
        visits.pages.push(page.to_owned());
        visits.last = page;
        visits.count += 1;
    }
    Some(visits)
}

/// An integer has the columns of a float, and is none.
#[update_state(version = 2, migrate(1 = |old: String| old.len() as f64))]
fn mistyped(_new: Values<i64>, old: Option<i64>) -> Option<i64> {
    old
}

#[update_state]
fn mistyped_at_once(_new: Values<i64>, old: Option<i64>) -> Option<f64> {
    old.map(|old| old as f64)
}

#[update_state(version = 2, migrate(1 = |old: String| old.len() as i64))]
fn lengths(_new: Values<i64>, old: Option<i64>) -> Option<i64> {
    old
}

#[update_state(version = 7)]
fn without(_new: Values<i64>, old: Option<i64>) -> Option<i64> {
    old
}

/// A mean, which was a sum and then a sum as text.
#[derive(Clone, Debug, Default, PartialEq, Record)]
struct Mean {
    sum: f64,
    count: i64,
}

#[reduce(
    zero = Mean::default(),
    merge = |a, b| Mean { sum: a.sum + b.sum, count: a.count + b.count },
    finish = |mean| mean.sum / mean.count as f64,
    version = 3,
    migrate(1 = |sum: i64| Mean { sum: sum as f64, count: 2 }, 2 = mean_of_text)
)]
fn mean(mean: Mean, value: f64) -> Mean {
    Mean { sum: mean.sum + value, count: mean.count + 1 }
}

fn mean_of_text(sum: &str) -> Result<Mean, std::num::ParseFloatError> {
    Ok(Mean { sum: sum.parse()?, count: 4 })
}

#[reduce]
fn largest(a: i64, b: i64) -> i64 {
    a.max(b)
}

#[test]
fn accumulators_of_a_reduce_are_migrated_like_states() {
    assert_eq!(testing::migrated_reduce::<mean, _, _>(1, [("a", 6), ("b", 9)]).rows(), [("a", 3.0), ("b", 4.5)]);
    assert_eq!(testing::migrated_reduce::<mean, _, _>(2, [("a", "6")]).rows(), [("a", 1.5)]);
    assert_eq!(
        testing::signature::<mean>(),
        "mean(value: float) [sum: float, count: integer v3] -> value: float finishes"
    );
    let failed =
        |from: u32, old: &str| Kit::new().migrated_reduce::<mean, _, _>(from, [("a", old)]).unwrap_err().reason;
    assert_eq!(failed(2, "x"), "invalid float literal");
    assert_eq!(failed(1, "x"), "the migration wants the old state's field `value` to be integer, and it is text");
    let none = Kit::new().migrated_reduce::<largest, _, _>(0, [("a", 1)]).unwrap_err().reason;
    assert_eq!(none, "the function cannot take over states of version 0: it has no migration");
}

fn visited<'a>(pages: &[&str], last: &'a str, count: i64) -> Visits<'a> {
    Visits { pages: pages.iter().map(|&page| page.to_owned()).collect(), last, count }
}

fn two(page: &str, count: i64) -> StoredTwo {
    StoredTwo { seen: vec!["x".to_owned(), page.to_owned()], count, page: page.to_owned() }
}

#[test]
fn states_of_every_version_become_those_of_now() {
    let keyed = testing::migrated::<visits, _, _>(1, [("ann", 3), ("bob", 4)]);
    assert_eq!(keyed.states(), [("ann", visited(&[], "unknown", 3)), ("bob", visited(&[], "unknown", 4))]);
    let mut keyed = testing::migrated::<visits, _, _>(2, [("ann", two("a", 1)), ("bob", two("b", 2))]);
    keyed.batch([("bob", "c"), ("eve", "d")]).unwrap();
    let expect =
        [("ann", visited(&["a"], "a", 1)), ("bob", visited(&["b", "c"], "c", 3)), ("eve", visited(&["d"], "d", 1))];
    assert_eq!(keyed.states(), expect);
    assert_eq!(
        testing::signature::<visits>(),
        "visits(value: text) [pages: list<text>, last: text, count: integer v3]"
    );
    assert!(testing::migrated::<visits, &str, StoredTwo>(2, []).states().is_empty());
    assert_eq!(testing::migrated::<lengths, _, _>(1, [(1, "abc")]).states(), [(1, 3)]);
}

#[test]
fn states_that_cannot_be_taken_over_are_told() {
    #[track_caller]
    fn check<F: testing::UpdateFunction, S: tidemill_sdk::__private::Write>(from: u32, old: S, expect: &str) {
        let failed = Kit::new().migrated::<F, _, _>(from, [("a", old)]).unwrap_err();
        assert_eq!(failed.reason, expect);
    }
    check::<visits, _>(2, two("a", -1), "-1 visits are too few");
    check::<visits, _>(1, "text", "the migration wants the old state's field `value` to be integer, and it is text");
    check::<visits, _>(
        2,
        visited(&[], "a", 1),
        "the migration wants the old state's field `page`, and the old state is pages: list<text>, last: text, count: \
         integer",
    );
    check::<visits, _>(
        7,
        1,
        "the function cannot take over states of version 7: it has migrations from the versions [2, 1] alone",
    );
    check::<lengths, _>(
        0,
        1,
        "the function cannot take over states of version 0: it has a migration from version 1 alone",
    );
    check::<without, _>(6, 1, "the function cannot take over states of version 6: it has no migration");
    check::<mistyped, _>(1, "abc", "the function's state is value: integer, and the migration returns value: float");
}

#[test]
fn a_state_that_is_returned_is_of_the_type_that_is_taken() {
    let failed = Kit::new().keyed::<mistyped_at_once, _>().batch([("a", 1)]).unwrap_err();
    assert_eq!(failed.reason, "the function's state is value: integer, and it returns value: float");
}
