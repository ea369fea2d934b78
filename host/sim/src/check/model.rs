//! The pipeline once more, in the plainest way.

use std::collections::BTreeMap;

use crate::scenario::Content;

/// How many words [`Content::Top`] has.
const TOP: usize = 2;

/// All batches up to one.
#[derive(Default)]
pub(super) struct Model {
    /// Of the newest batch.
    counts: BTreeMap<String, i64>,
    totals: BTreeMap<String, i64>,
    ages: BTreeMap<String, i64>,
    busy: BTreeMap<String, i64>,
}

impl Model {
    /// The next batch, of these words.
    pub fn batch(&mut self, words: &[&str]) {
        self.counts.clear();
        self.ages.values_mut().for_each(|age| *age += 1);
        for &word in words {
            *self.counts.entry(word.to_owned()).or_default() += 1;
            *self.totals.entry(word.to_owned()).or_default() += 1;
            self.ages.entry(word.to_owned()).or_default();
            *self.busy.entry(word.to_owned()).or_default() += 1;
        }
        self.busy.retain(|word, _| self.counts.contains_key(word));
    }

    /// What an output's stream keeps, sorted as text; `None` if it keeps nothing.
    pub fn states(&self, content: Content) -> Option<Vec<String>> {
        let rows = match content {
            Content::Totals => self.rows(Content::All)?,
            Content::All | Content::Ages | Content::Busy => self.rows(content)?,
            _ => return None,
        };
        Some(rows)
    }

    /// The rows of an output, sorted as text; `None` for what is no part of the model.
    pub fn rows(&self, content: Content) -> Option<Vec<String>> {
        let counts = self.counts.iter();
        let mut rows: Vec<String> = match content {
            Content::Lines => return None,
            Content::Counts | Content::NativeCounts => counts.map(row).collect(),
            Content::Lengths => counts.map(|(word, count)| row((word, &(count * word.len() as i64)))).collect(),
            Content::Rows => vec![self.counts.values().sum::<i64>().to_string()],
            Content::Top => {
                let mut sorted: Vec<_> = counts.collect();
                sorted.sort_by_key(|&(word, count)| (-count, word));
                sorted.into_iter().take(TOP).map(row).collect()
            }
            Content::Totals => counts.map(|(word, _)| row((word, &self.totals[word]))).collect(),
            Content::All => self.totals.iter().map(row).collect(),
            Content::Ages => self.ages.iter().map(row).collect(),
            Content::Busy => self.busy.iter().map(row).collect(),
        };
        rows.sort();
        Some(rows)
    }
}

fn row((word, number): (&String, &i64)) -> String {
    format!("{word} {number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_add_up() {
        let mut model = Model::default();
        model.batch(&["b", "a", "b"]);
        model.batch(&["a", "c"]);
        let check = |content, expect: &[&str]| assert_eq!(model.rows(content).unwrap_or_default(), expect);
        check(Content::Counts, &["a 1", "c 1"]);
        check(Content::Rows, &["2"]);
        check(Content::Totals, &["a 2", "c 1"]);
        check(Content::All, &["a 2", "b 2", "c 1"]);
        check(Content::Ages, &["a 1", "b 1", "c 0"]);
        check(Content::Busy, &["a 2", "c 1"]);
    }
}
