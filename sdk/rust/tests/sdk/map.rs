//! Maps and outputs: what they take, what they return, where rows came from.

use std::num::ParseFloatError;

use tidemill_sdk::{
    prelude::*,
    testing::{self, Kit},
};

#[derive(Clone, Debug, PartialEq, Record)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Tagged<'a> {
    tag: &'a str,
    #[record(name = "seen-at")]
    seen_at: Timestamp,
}

#[map]
fn point(line: &str) -> Result<Option<Point>, ParseFloatError> {
    let Some((x, y)) = line.split_once(' ') else { return Ok(None) };
    Ok(Some(Point { x: x.parse()?, y: y.parse()? }))
}

#[map]
fn distance(point: Point, _scale: i64, offset: Option<f64>) -> f64 {
    point.x.hypot(point.y) + offset.unwrap_or(0.0)
}

#[map]
fn letters(word: &str) -> Vec<String> {
    word.chars().map(String::from).collect()
}

#[map]
fn bytes(word: &str) -> Vec<u8> {
    word.bytes().rev().collect()
}

#[map]
fn boxed<'a>(line: &'a str) -> Box<dyn Iterator<Item = &'a str> + 'a> {
    Box::new(line.split(','))
}

#[map]
fn several(number: i64) -> Result<impl Iterator<Item = i64>, String> {
    if number < 0 { Err(format!("{number} is negative")) } else { Ok(0..number) }
}

#[map]
fn tagged<'r>(tag: &'r str, at: Timestamp) -> Tagged<'r> {
    Tagged { tag, seen_at: at.plus_micros(1) }
}

/// Rows are sorted
/// within their partition.
#[map(whole_partition)]
fn sorted(rows: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut rows: Vec<i64> = rows.collect();
    rows.sort_unstable();
    rows
}

#[map(whole_partition)]
fn longest<'a>(context: &Context, rows: impl Iterator<Item = Tagged<'a>>) -> Result<Option<&'a str>, String> {
    let longest = rows.map(|row| row.tag).max_by_key(|tag| tag.len());
    context.count("partitions", 1);
    if longest == Some("poison") { Err("poison".to_owned()) } else { Ok(longest) }
}

#[output]
fn line(word: &str, count: i64) -> String {
    format!("{word}={count}")
}

#[test]
fn signatures_say_what_is_read_and_returned() {
    for (signature, expect) in [
        (testing::signature::<point>(), "point(line: text) -> x: float, y: float"),
        (
            testing::signature::<distance>(),
            "distance(x: float, y: float, scale: integer, offset: float?) -> value: float",
        ),
        (testing::signature::<letters>(), "letters(word: text) -> value: text"),
        (testing::signature::<bytes>(), "bytes(word: text) -> value: bytes"),
        (testing::signature::<boxed>(), "boxed(line: text) -> value: text"),
        (testing::signature::<several>(), "several(number: integer) -> value: integer"),
        (testing::signature::<tagged>(), "tagged(tag: text, at: timestamp) -> tag: text, seen-at: timestamp"),
        (testing::signature::<sorted>(), "sorted(value: integer) -> value: integer whole-partition"),
        (testing::signature::<longest>(), "longest(tag: text, seen-at: timestamp) -> value: text whole-partition"),
        (testing::signature::<line>(), "line(word: text, count: integer) -> value: text output"),
    ] {
        assert_eq!(signature, expect);
    }
}

#[test]
fn a_row_may_be_left_out_or_rejected() {
    let out = testing::map::<point>(["1 2", "", "3 four", "-0.5 1e3"]);
    assert_eq!(out.rows(), [Point { x: 1.0, y: 2.0 }, Point { x: -0.5, y: 1000.0 }]);
    assert_eq!(out.origins(), [0, 3]);
    assert_eq!(out.rejected(), [(2, "invalid float literal")]);
}

#[test]
fn several_parameters_are_one_row() {
    let rows = [(Point { x: 3.0, y: 4.0 }, 1, None), (Point { x: 0.0, y: 1.0 }, 1, Some(0.5))];
    let out = testing::map::<distance>(rows);
    assert_eq!((out.rows(), out.origins()), (vec![5.0, 1.5], &[0, 1][..]));
}

#[test]
fn a_list_is_many_rows_and_bytes_are_one() {
    assert_eq!(testing::map::<letters>(["ab", "", "é"]).rows(), ["a", "b", "é"]);
    assert_eq!(testing::map::<bytes>(["ab", ""]).rows(), [b"ba".to_vec(), Vec::new()]);
    assert_eq!(testing::map::<boxed>(["a,b", "c"]).rows(), ["a", "b", "c"]);
}

#[test]
fn origins_are_right_wherever_rows_stop_being_one_to_one() {
    for numbers in [vec![1, 1, 1, 1], vec![1, 0, 2, 1, 1], vec![0, 0], vec![3, 1, -1, 1], vec![1, 1, 1, 1, 0], vec![]] {
        for chunk_rows in [1, 2, 3, 100] {
            let out = Kit::new().chunk_rows(chunk_rows).map::<several>(numbers.iter().copied()).unwrap();
            let expect = numbers.iter().enumerate().flat_map(|(row, &times)| (0..times).map(move |_| row));
            assert_eq!(out.origins(), expect.collect::<Vec<_>>(), "{numbers:?} in chunks of {chunk_rows}");
            assert_eq!(out.rejected().len(), numbers.iter().filter(|&&number| number < 0).count());
        }
    }
}

#[test]
fn rows_borrow_what_they_return() {
    let out = testing::map::<tagged>([("a", Timestamp(1)), ("b", Timestamp::from_millis(1))]);
    let expect = [("a", 2), ("b", 1_001)].map(|(tag, micros)| Tagged { tag, seen_at: Timestamp(micros) });
    assert_eq!(out.rows(), expect);
}

#[test]
fn a_whole_partition_is_seen_at_once() {
    let out = testing::map::<sorted>([5, 3, 9, 1, 4]);
    assert_eq!(out.rows(), [1, 3, 4, 5, 9]);
    assert!(out.origins().is_empty());
    assert!(testing::map::<sorted>([]).rows().is_empty());
}

#[test]
fn a_whole_partition_fails_as_one() {
    let tag = |tag| Tagged { tag, seen_at: Timestamp(0) };
    let out = testing::map::<longest>(["a", "abc", "ab", "b"].map(tag));
    assert_eq!(out.rows(), ["abc"]);
    assert_eq!(out.noted().counters["partitions"], 1);
    let failed = Kit::new().map::<longest>(["poison", "a"].map(tag)).unwrap_err();
    assert_eq!(failed.reason, "poison");
}

#[test]
fn outputs_are_maps_to_what_the_sink_takes() {
    assert_eq!(testing::map::<line>([("a", 1), ("b", 2)]).rows(), ["a=1", "b=2"]);
}

#[test]
fn functions_stay_plain_functions() {
    assert_eq!(letters("ab"), ["a", "b"]);
    assert_eq!(sorted([2, 1].into_iter()), [1, 2]);
}
