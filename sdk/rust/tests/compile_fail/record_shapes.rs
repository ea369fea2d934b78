use tidemill_sdk::prelude::*;

#[derive(Record)]
enum Status {
    Open,
    Closed,
}

#[derive(Record)]
struct Pair(i64, i64);

#[derive(Record)]
struct Empty {}

#[derive(Record)]
struct Unit;

#[derive(Record)]
struct Generic<T> {
    value: T,
}

#[derive(Record)]
struct TwoLifetimes<'a, 'b> {
    first: &'a str,
    second: &'b str,
}

#[derive(Record)]
struct SameName {
    word: String,
    #[record(name = "word")]
    other: String,
}

#[derive(Record)]
struct BadAttribute {
    #[record(rename = "word")]
    other: String,
}

#[derive(Record)]
struct Static {
    label: &'static str,
}

fn main() {}
