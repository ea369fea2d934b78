use tidemill_sdk::prelude::*;

#[derive(Parameters)]
struct Settings {
    limit: i64,
}

#[map]
fn owned(context: Context<Settings>, word: &str) -> bool {
    word.len() as i64 > context.parameters().limit
}

#[update_state]
fn changed(context: &mut Context, new: Values<i64>, _: Option<i64>) -> Option<i64> {
    context.count("rows", 1);
    new.last()
}

#[map]
fn late(word: &str, context: &Context) -> String {
    format!("{word} {}", context.partition())
}

plugin!(owned, changed, late);

fn main() {}
