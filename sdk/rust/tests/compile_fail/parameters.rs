use tidemill_sdk::prelude::*;

#[derive(Parameters)]
enum Choice {
    One,
}

#[derive(Parameters)]
struct Pair(i64, i64);

#[derive(Parameters)]
struct Short {
    limit: u32,
}

#[derive(Parameters)]
struct Borrowed {
    label: &'static str,
}

#[derive(Parameters)]
struct Twice {
    a: i64,
    #[parameter(name = "a")]
    b: i64,
}

#[derive(Parameters)]
struct Nameless {
    #[parameter(name = "")]
    empty: i64,
    #[parameter(name = "two words")]
    spaced: i64,
    #[parameter(name = "a.b")]
    dotted: i64,
    #[parameter(name = "line\nend")]
    broken: i64,
}

#[derive(Parameters)]
struct Both {
    #[parameter(default = 1)]
    a: Option<i64>,
}

#[derive(Parameters)]
struct Computed {
    #[parameter(default = 1 + 1)]
    a: i64,
}

#[derive(Parameters)]
struct Misspelt {
    #[parameter(defualt = 1)]
    a: i64,
}

#[derive(Parameters)]
struct Nothing {
    #[parameter(default = true)]
    integer: i64,
    #[parameter(default = 1.5)]
    whole: i64,
    #[parameter(default = 5u64)]
    unsigned: i64,
    #[parameter(default = "1")]
    float: f64,
    #[parameter(default = 0)]
    boolean: bool,
    #[parameter(default = -true)]
    negative: bool,
    #[parameter(default = 1)]
    text: String,
    twice: Option<Option<i64>>,
    several: Vec<i64>,
}

#[derive(Parameters)]
struct Lives<'a> {
    label: &'a str,
}

#[derive(Parameters)]
struct Generic<T> {
    limit: T,
}

#[map]
fn lives(context: &Context<Lives<'_>>, word: &str) -> bool {
    word == context.parameters().label
}

#[map]
fn generic(context: &Context<Generic<i64>>, word: &str) -> bool {
    word.len() as i64 > context.parameters().limit
}

#[map]
fn uses(context: &Context<Short>, word: &str) -> bool {
    word.len() as u32 > context.parameters().limit
}

plugin!(uses);

fn main() {}
