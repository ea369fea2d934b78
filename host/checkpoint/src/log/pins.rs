//! Which records are kept in memory with where their batch's sources were. A log has thousands of records, and a pin may have
//! megabytes: that of a folder names the batch's files.

use std::collections::VecDeque;

use crate::{
    record::{Number, Record},
    recover::Scanned,
};

/// Who goes on needs the plan of the last commit and what was planned behind it; or, if that turns out to be damaged, of the one
/// before. Four are more than is ever gone back.
const COMMITS: usize = 4;

/// Which pins are kept.
pub(super) enum Pins {
    /// Those of all batches.
    All,
    /// Those that a run may go on from.
    Newest(NewestPins),
}

/// See [`COMMITS`].
#[derive(Default)]
pub(super) struct NewestPins {
    /// The plans of the last commits.
    plans: VecDeque<Number>,
    /// So many records have no pins any more.
    forgotten: usize,
}

impl NewestPins {
    /// Looks at the record that came last, and forgets pins of earlier ones.
    pub fn keep(&mut self, records: &mut [Scanned]) {
        let Some(Ok(header)) = records.last().map(|record| &record.found) else { return };
        let Record::Commit(commit) = &header.record else { return };
        self.plans.push_back(commit.plan);
        if self.plans.len() <= COMMITS {
            return;
        }
        self.plans.pop_front();
        let Some(&oldest) = self.plans.front() else { return };
        // After another look records may have gone.
        self.forgotten = self.forgotten.min(records.len());
        let old = records[self.forgotten..].iter_mut().take_while(|record| record.number < oldest);
        self.forgotten += old.map(Scanned::forget_pins).count();
    }
}

impl Scanned {
    /// Forgets where the batch's sources were.
    pub(super) fn forget_pins(&mut self) {
        let Ok(header) = &mut self.found else { return };
        let sources = match &mut header.record {
            Record::Plan(plan) => plan.sources.iter_mut().chain(&mut plan.away),
            Record::Start(start) => start.sources.iter_mut().chain(&mut []),
            Record::Claim { .. } | Record::Commit(_) | Record::Delivered { .. } => return,
        };
        sources.for_each(|source| source.pin = String::new());
    }
}
