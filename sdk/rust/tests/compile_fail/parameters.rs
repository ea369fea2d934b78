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

#[map]
fn uses(context: &Context<Short>, word: &str) -> bool {
    word.len() as u32 > context.parameters().limit
}

plugin!(uses);

fn main() {}
