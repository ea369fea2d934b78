//! What all functions of a pipeline may use of a batch together. Each call has limits of its own; calls multiply.
//!
//! What is counted is a sum over all calls, so that whether it is too much does not depend on which partition is faster. It is
//! counted call by call, and never row by row.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tidemill_guest::Usage;
use tidemill_model::limits::PipelineLimits;

use crate::failure::Cause;

/// Shared by everything that runs the stages of a pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    limits: PipelineLimits,
    /// A batch that goes beyond it is skipped, whoever came to that.
    pub(crate) skips: bool,
    used: Arc<Used>,
}

#[derive(Debug, Default)]
struct Used {
    fuel: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Budget {
    pub(crate) fn new(limits: &PipelineLimits, skips: bool) -> Budget {
        Budget { limits: limits.clone(), skips, used: Arc::default() }
    }

    /// A new batch.
    pub(crate) fn begin(&self) {
        let Used { fuel, rows, bytes } = &*self.used;
        [fuel, rows, bytes].iter().for_each(|used| used.store(0, Relaxed));
    }

    /// Counts what calls have used.
    pub(crate) fn spend(&self, usage: Usage) -> Result<(), Cause> {
        let PipelineLimits { batch_fuel, batch_rows, batch_bytes, .. } = self.limits;
        let Used { fuel, rows, bytes } = &*self.used;
        // All of them are counted, whichever is too much.
        let spent = [
            spend("batch-fuel", "units of fuel", fuel, usage.fuel, batch_fuel),
            spend("batch-rows", "rows", rows, usage.rows, batch_rows),
            spend("batch-bytes", "bytes of rows", bytes, usage.bytes, batch_bytes),
        ];
        spent.into_iter().collect()
    }

    /// Counts bytes that are put beside the rows of a function.
    pub(crate) fn spend_bytes(&self, bytes: usize) -> Result<(), Cause> {
        self.spend(Usage { bytes: bytes as u64, ..Usage::default() })
    }
}

impl Default for Budget {
    fn default() -> Budget {
        Budget::new(&PipelineLimits::default(), false)
    }
}

fn spend(key: &'static str, what: &'static str, used: &AtomicU64, more: u64, limit: u64) -> Result<(), Cause> {
    if more == 0 {
        // What is too much was said to whoever used it, and nothing more is used here.
        return Ok(());
    }
    // Limits are below half of what the number can say, and a call uses far less than the rest.
    let used = used.fetch_add(more, Relaxed).saturating_add(more);
    if used > limit { Err(Cause::OverBudget { who: None, key, what, limit, used }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_three_has_its_own_bound_and_a_batch_begins_anew() {
        let limits = PipelineLimits { batch_fuel: 10, batch_rows: 20, batch_bytes: 30, ..PipelineLimits::default() };
        let usage = |fuel, rows, bytes| Usage { fuel, rows, bytes };
        let key = |spent: Result<(), Cause>| match spent {
            Ok(()) => "",
            Err(Cause::OverBudget { key, .. }) => key,
            Err(_) => "another",
        };
        let budget = Budget::new(&limits, false);
        for _ in 0..2 {
            assert_eq!(key(budget.spend(usage(10, 20, 10))), "");
            assert_eq!(key(budget.spend_bytes(20)), "");
            assert_eq!(key(budget.clone().spend(usage(1, 0, 0))), "batch-fuel");
            assert_eq!(key(budget.spend(usage(0, 1, 0))), "batch-rows");
            assert_eq!(key(budget.spend_bytes(1)), "batch-bytes");
            budget.begin();
        }
    }
}
