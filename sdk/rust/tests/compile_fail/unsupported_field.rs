use tidemill_sdk::prelude::*;

#[derive(Record)]
struct Sample {
    name: String,
    value: f32,
}

fn main() {}
