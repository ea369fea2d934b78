//! Every type that a row can hold goes into columns and comes back.

use std::borrow::Cow;

use proptest::prelude::*;
use tidemill_sdk::{prelude::*, testing};

#[derive(Clone, Debug, PartialEq, Record)]
struct Inner {
    flag: Option<bool>,
    parts: Vec<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Everything {
    flag: bool,
    number: i64,
    share: f64,
    text: String,
    bytes: Vec<u8>,
    at: Timestamp,
    maybe: Option<i64>,
    word: Option<String>,
    list: Vec<Option<String>>,
    inner: Inner,
    maybe_inner: Option<Inner>,
    inners: Vec<Inner>,
    r#type: i64,
}

#[map]
fn same(row: Everything) -> Everything {
    row
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Borrowed<'a> {
    text: &'a str,
    bytes: &'a [u8],
    cow: Cow<'a, str>,
    maybe: Option<&'a str>,
    list: Values<'a, &'a str>,
}

#[map]
fn same_borrowed(row: Borrowed<'_>) -> Borrowed<'_> {
    row
}

#[map]
fn borrowed(text: &str, bytes: &[u8], list: Vec<String>) -> String {
    format!("{text} {bytes:?} {list:?}")
}

#[map]
fn borrowed_lists(list: Values<i64>, nested: Vec<Values<&str>>) -> i64 {
    list.iter().sum::<i64>() + nested.iter().map(Values::len).sum::<usize>() as i64
}

fn inner() -> impl Strategy<Value = Inner> {
    let bytes = prop::collection::vec(any::<u8>(), 0..5);
    (any::<Option<bool>>(), prop::collection::vec(bytes, 0..4)).prop_map(|(flag, parts)| Inner { flag, parts })
}

fn everything() -> impl Strategy<Value = Everything> {
    let scalars = (any::<bool>(), any::<i64>(), -1e9..1e9, ".{0,20}", prop::collection::vec(any::<u8>(), 0..20));
    let missing = (any::<i64>(), any::<Option<i64>>(), prop::option::of(".{0,3}"));
    let list = prop::collection::vec(prop::option::of("[a-z]{0,20}"), 0..4);
    let nested = (list, inner(), prop::option::of(inner()), prop::collection::vec(inner(), 0..3));
    (scalars, missing, nested).prop_map(|(scalars, missing, nested)| {
        let (flag, number, share, text, bytes) = scalars;
        let (micros, maybe, word) = missing;
        let (list, inner, maybe_inner, inners) = nested;
        let (at, r#type) = (Timestamp(micros), number ^ 1);
        Everything { flag, number, share, text, bytes, at, maybe, word, list, inner, maybe_inner, inners, r#type }
    })
}

proptest! {
    #![proptest_config(crate::cases::cases(256))]

    #[test]
    fn rows_come_back_as_they_were(rows in prop::collection::vec(everything(), 0..20)) {
        let out = testing::Kit::new().chunk_rows(11).map::<same>(rows.clone()).unwrap();
        prop_assert_eq!(out.rows(), rows);
    }
}

#[test]
fn kinds_are_written_as_the_wit_package_says() {
    let inner = "record<flag: boolean?, parts: list<bytes>>";
    let fields = format!(
        "flag: boolean, number: integer, share: float, text: text, bytes: bytes, at: timestamp, maybe: integer?, \
         word: text?, list: list<text?>, inner: {inner}, maybe_inner: {inner}?, inners: list<{inner}>, type: integer"
    );
    assert_eq!(testing::signature::<same>(), format!("same({fields}) -> {fields}"));
    assert_eq!(
        testing::signature::<borrowed_lists>(),
        "borrowed-lists(list: list<integer>, nested: list<list<text>>) -> value: integer"
    );
}

#[test]
fn parameters_may_borrow() {
    let rows = [("é", &b"\xff"[..], vec!["a".to_owned()]), ("", b"", Vec::new())];
    assert_eq!(testing::map::<borrowed>(rows).rows(), ["é [255] [\"a\"]", " [] []"]);

    let list = testing::Column::of(["a", "b"]);
    let bytes = &b"\0"[..];
    let row = Borrowed { text: "t", bytes, cow: Cow::Borrowed("c"), maybe: None, list: list.values() };
    assert_eq!(testing::map::<same_borrowed>([row.clone()]).rows(), [row]);

    let (numbers, lists) = (testing::Column::of([1, 2, 3]), [testing::Column::of(["x"]), testing::Column::of(["y"])]);
    let nested = lists.iter().map(testing::Column::values).collect();
    assert_eq!(testing::map::<borrowed_lists>([(numbers.values(), nested)]).rows(), [8]);
}
