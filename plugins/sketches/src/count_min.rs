//! A count-min sketch, with the values that come often.

use tidemill_sdk::prelude::*;

use super::hash;

/// Rows of counters: each sees every value, under another hash. A value's count is the least of its counters, too large by more
/// than e/WIDTH of all rows in less than one of e^DEPTH cases.
const DEPTH: usize = 4;
const WIDTH: usize = 1 << 10;

/// A value is kept by name if it is one of so many rows, or more.
const ONE_OF: i64 = 100;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Record)]
pub struct CountMin {
    pub rows: i64,
    /// DEPTH times WIDTH of them.
    counters: Vec<i64>,
    /// In the order of their texts. More than ONE_OF of them cannot come often.
    candidates: Vec<String>,
}

impl CountMin {
    /// Of one value.
    pub fn of(value: &str) -> CountMin {
        let mut sketch = CountMin { rows: 0, counters: vec![0; DEPTH * WIDTH], candidates: Vec::new() };
        sketch.add(value);
        sketch
    }

    /// A value more.
    pub fn add(&mut self, value: &str) {
        self.rows += 1;
        places(value).for_each(|place| self.counters[place] += 1);
        if self.is_often(value) {
            self.note(value);
        }
    }

    /// The values of another sketch too.
    pub fn merge(&mut self, other: &CountMin) {
        self.rows += other.rows;
        self.counters.iter_mut().zip(&other.counters).for_each(|(ours, theirs)| *ours += theirs);
        other.candidates.iter().for_each(|value| self.note(value));
        self.forget();
    }

    /// The values that come often, and about how often: the most frequent first.
    pub fn hitters(&self) -> Vec<(String, i64)> {
        let often = self.candidates.iter().filter(|value| self.is_often(value));
        let mut hitters: Vec<(String, i64)> = often.map(|value| (value.clone(), self.count(value))).collect();
        hitters.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        hitters
    }

    fn count(&self, value: &str) -> i64 {
        places(value).map(|place| self.counters[place]).min().unwrap_or(0)
    }

    fn is_often(&self, value: &str) -> bool {
        self.count(value) * ONE_OF >= self.rows
    }

    fn note(&mut self, value: &str) {
        if let Err(place) = self.candidates.binary_search_by(|candidate| candidate.as_str().cmp(value)) {
            self.candidates.insert(place, value.to_owned());
            if self.candidates.len() > 2 * ONE_OF as usize {
                self.forget();
            }
        }
    }

    fn forget(&mut self) {
        let candidates = std::mem::take(&mut self.candidates);
        self.candidates = candidates.into_iter().filter(|value| self.is_often(value)).collect();
    }
}

/// The counters of a value, one in each row.
fn places(value: &str) -> impl Iterator<Item = usize> {
    let (first, second) = (hash(value, 0), hash(value, 1) | 1);
    (0..DEPTH).map(move |row| row * WIDTH + first.wrapping_add(second.wrapping_mul(row as u64)) as usize % WIDTH)
}
