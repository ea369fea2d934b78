use tidemill_sdk::prelude::*;

#[map]
async fn later(line: &str) -> String {
    line.to_owned()
}

#[map]
fn generic<T: Clone>(value: T) -> i64 {
    1
}

#[map]
fn pattern((a, b): (i64, i64)) -> i64 {
    a + b
}

#[map]
fn late_context(line: &str, context: &Context) -> i64 {
    1
}

#[map]
struct NotAFunction;

struct Splitter;

impl Splitter {
    #[map]
    fn split(&self, _line: &str) -> i64 {
        1
    }
}

fn main() {}
