use tidemill_sdk::prelude::*;

#[map]
fn tuple(line: &str) -> (String, i64) {
    (line.to_owned(), 1)
}

#[map]
fn slice(numbers: &[f64]) -> f64 {
    numbers.iter().sum()
}

#[map]
fn twice_missing(number: Option<Option<i64>>) -> i64 {
    number.flatten().unwrap_or(0)
}

#[map]
fn characters(line: &str) -> impl Iterator<Item = char> {
    line.chars()
}

#[map]
fn held(line: Box<str>) -> String {
    line.into()
}

#[map]
fn different(words: Vec<HashSet<String>>) -> i64 {
    words.len() as i64
}

fn main() {}
