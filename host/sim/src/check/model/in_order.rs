//! `hostile/in-order`: a number for each word, in which the order of its values shows.

use std::collections::BTreeMap;

use crate::{check::lines::Numbered, scenario::stream_of_number};

#[derive(Default)]
pub(super) struct InOrder {
    pub states: BTreeMap<String, i64>,
    /// Of the newest batch.
    pub rows: Vec<String>,
}

impl InOrder {
    /// `stream`: the one whose lines it gets.
    pub fn batch(&mut self, lines: &[Numbered<'_>], stream: &str) {
        let lines = lines.iter().filter(|line| stream_of_number(line.number) == stream);
        let mut changed = BTreeMap::new();
        for (line, word) in lines.flat_map(|line| line.text.split_whitespace().map(move |word| (line, word))) {
            let state = self.states.entry(word.to_owned()).or_default();
            *state = (31 * *state + line.value + 7).rem_euclid(1_000_003);
            changed.insert(word, *state);
        }
        self.rows = changed.into_iter().map(|(word, state)| format!("{word} {state}")).collect();
    }
}
