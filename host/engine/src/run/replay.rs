//! One batch that has been run before, run again, without a checkpoint and without sinks.

use tidemill_checkpoint::{Archive, Number, Past, Scanned, Section, StateSchema};

use super::{
    Run,
    commit::{restore, state_schemas},
};
use crate::{
    checkpoint::{Pending, Renames, states_of},
    failure::RunError,
    report::Summary,
};

/// What came of it.
pub(crate) struct ReplayedBatch {
    /// What would have been committed.
    pub(crate) sections: Vec<Section>,
    /// What the streams of the pipeline keep.
    pub(crate) states: Vec<StateSchema>,
    /// Counters after the batch, rows and rejections of it.
    pub(crate) summary: Summary,
}

impl Run {
    /// Runs a past batch, with the state that it began with. `renames` tells what its streams are called now, `input` is
    /// what the input log has of it, `counters` are those before it.
    pub(crate) fn replay(
        mut self,
        archive: &Archive,
        records: &[Scanned],
        past: &Past,
        renames: &Renames,
        input: Pending,
        counters: &[(String, u64)],
    ) -> Result<ReplayedBatch, RunError> {
        let states = state_schemas(&self.plan);
        let of = |number: Number| (number, states_of(records, number).unwrap_or(&states));
        let (snapshot, deltas) = (past.snapshot.map(of), past.deltas.iter().map(|&number| of(number)));
        restore(&mut self.tasks, &states, renames, archive, snapshot, deltas)?;
        self.counters.restore(counters);
        self.collected = Some(Vec::new());
        let plan = &past.batch.plan;
        let resumed = self.sources.resume(None, Some(plan), input, renames);
        let replayed = resumed.and_then(|()| self.batch(plan.batch));
        self.sources.stop();
        replayed?;
        let summary = self.reporter.summary(self.counters.totals());
        Ok(ReplayedBatch { sections: self.collected.take().unwrap_or_default(), states, summary })
    }
}
