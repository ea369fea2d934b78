//! What guests count, each under `stream/plugin/counter`; a function of an output under `outputs.output/plugin/counter`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counters of all operators. What a batch counts is added to the totals when the batch is done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    shared: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    batch: BTreeMap<String, u64>,
    totals: BTreeMap<String, u64>,
}

impl Counters {
    /// Adds what one call at a place counted.
    pub(crate) fn add(&self, place: &str, counted: Vec<(String, u64)>) {
        if counted.is_empty() {
            return;
        }
        let mut state = self.lock();
        for (name, delta) in counted {
            let count = state.batch.entry(format!("{place}/{name}")).or_default();
            *count = count.saturating_add(delta);
        }
    }

    /// The batch is done.
    pub(crate) fn commit(&self) {
        let mut state = self.lock();
        for (name, delta) in std::mem::take(&mut state.batch) {
            let total = state.totals.entry(name).or_default();
            *total = total.saturating_add(delta);
        }
    }

    /// The batch does not count.
    pub(crate) fn abandon(&self) {
        self.lock().batch.clear();
    }

    /// Goes on from these totals.
    pub(crate) fn restore(&self, totals: &[(String, u64)]) {
        self.lock().totals = totals.iter().cloned().collect();
    }

    /// All counters since the beginning.
    pub(crate) fn totals(&self) -> Vec<(String, u64)> {
        self.lock().totals.iter().map(|(name, total)| (name.clone(), *total)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
