//! `hostile/alarm`: the newest value of a word says what becomes of it, and when it is woken.

use std::collections::BTreeMap;

use tidemill_model::time::Timestamp;

use super::{Values, Wakes};

#[derive(Default)]
pub(super) struct Alarms {
    pub states: BTreeMap<String, i64>,
    wakes: Wakes,
    /// What was said in the newest batch.
    pub rows: Vec<String>,
    /// How many values were not taken in it.
    pub rejected: u64,
}

impl Alarms {
    pub fn batch(&mut self, time: Timestamp, values: &Values) {
        self.rows.clear();
        self.rejected = 0;
        for (word, is_due) in self.wakes.called(time, values) {
            let last = values.get(&word).and_then(|values| values.last()).copied().unwrap_or(0);
            // All its rows are rejected: as if it had not been called.
            if last == -1 {
                self.rejected += values[&word].len() as u64;
                continue;
            }
            if is_due {
                self.rows.push(format!("{word} {}", 100 + self.states[&word]));
            }
            if last != 0 {
                self.states.insert(word.clone(), last.max(0));
            }
            if last != 0 || is_due {
                self.wakes.set(&word, time, Some(last).filter(|last| *last > 0));
            }
        }
    }
}
