//! Words of the last batches, and words that are away.

use std::collections::BTreeMap;

use tidemill_model::time::Timestamp;

/// So many batches after its last one a word goes.
const AWAY: i64 = 2;

/// See the module.
#[derive(Default)]
pub(super) struct Past {
    interval_micros: i64,
    /// The words of past batches, as far as a window goes back whose length changes.
    window: BTreeMap<Timestamp, BTreeMap<String, i64>>,
    /// The same of one of three batches.
    three: BTreeMap<Timestamp, BTreeMap<String, i64>>,
    now_micros: i64,
    /// Of so many batches the window was at the batch before.
    window_before: u32,
    /// For each word how often it came, and its last batch.
    here: BTreeMap<String, (i64, i64)>,
}

impl Past {
    pub fn new(interval_micros: i64) -> Past {
        Past { interval_micros, ..Past::default() }
    }

    /// The next batch, with a window of so many.
    pub fn batch(&mut self, time: Timestamp, counts: &BTreeMap<String, i64>, window: u32) {
        // What the window of the batch before had for the last time was let go then, also if this one is longer.
        let (of_before, interval) = (i64::from(self.window_before), self.interval_micros);
        let now_before = std::mem::replace(&mut self.now_micros, time.0);
        self.window.retain(|at, _| at.0 > now_before + interval - of_before * interval);
        self.window_before = window;
        for (past, batches) in [(&mut self.window, i64::from(window)), (&mut self.three, 3)] {
            past.insert(time, counts.clone());
            past.retain(|at, _| at.0 > time.0 - batches * self.interval_micros);
        }
        for (word, count) in counts {
            let here = self.here.entry(word.clone()).or_default();
            *here = (here.0 + count, time.0);
        }
        self.here.retain(|_, (_, last)| time.0 - *last <= AWAY * self.interval_micros);
    }

    /// How often each word came in the window.
    pub fn recent(&self) -> BTreeMap<String, i64> {
        summed(&self.window)
    }

    /// In how many batches of it.
    pub fn gathered(&self) -> BTreeMap<String, i64> {
        let mut batches: BTreeMap<String, i64> = BTreeMap::new();
        let words = self.window.values().flat_map(BTreeMap::keys);
        words.for_each(|word| *batches.entry(word.clone()).or_default() += 1);
        batches
    }

    /// How often each word came in the last three batches.
    pub fn three(&self) -> BTreeMap<String, i64> {
        summed(&self.three)
    }

    /// Whether this batch is a second one.
    pub fn is_second(&self) -> bool {
        self.now_micros % (2 * self.interval_micros.max(1)) == 0
    }

    /// The words that are not away.
    pub fn here(&self) -> BTreeMap<String, i64> {
        self.here.iter().map(|(word, (count, _))| (word.clone(), *count)).collect()
    }
}

fn summed(batches: &BTreeMap<Timestamp, BTreeMap<String, i64>>) -> BTreeMap<String, i64> {
    let mut all: BTreeMap<String, i64> = BTreeMap::new();
    batches.values().flatten().for_each(|(word, count)| *all.entry(word.clone()).or_default() += count);
    all
}
