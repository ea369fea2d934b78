use tidemill_sdk::prelude::*;

struct Word {
    word: String,
}

#[map]
fn split(line: &str) -> Vec<Word> {
    line.split(' ').map(|word| Word { word: word.to_owned() }).collect()
}

fn main() {}
