//! `hostile/total-emitted` and what becomes of its states in newer versions: they say which versions they were.

use std::collections::BTreeMap;

use super::Values;

#[derive(Default)]
pub(super) struct Moved {
    /// With the versions that they were migrated from.
    states: BTreeMap<String, (i64, String)>,
    version: u32,
    /// Of the newest batch.
    pub rows: Vec<String>,
}

impl Moved {
    /// A batch counts that was run with this version.
    pub fn migrate(&mut self, version: u32) {
        let from = std::mem::replace(&mut self.version, version);
        if from < version {
            for (_, was) in self.states.values_mut() {
                *was = if from == 1 { from.to_string() } else { format!("{was} {from}") };
            }
        }
    }

    pub fn batch(&mut self, values: &Values) {
        let of = |(word, values): (&String, &Vec<i64>)| {
            let new = || (0, if self.version == 1 { String::new() } else { "new".to_owned() });
            let state = self.states.entry(word.clone()).or_insert_with(new);
            state.0 += values.iter().sum::<i64>();
            format!("{word} {}", state.0)
        };
        self.rows = values.iter().map(of).collect();
    }

    pub fn states(&self) -> Vec<String> {
        self.states.iter().map(|(word, (sum, was))| format!("{word} {sum} {was}").trim_end().to_owned()).collect()
    }
}
