//! One batch that has been run before, run again, without a checkpoint and without sinks.

use std::collections::BTreeMap;

use tidemill_checkpoint::{Archive, Number, Past, Scanned, Section, TableSchema};

use super::{Run, restore::Restorer, sources::Resumed};
use crate::{
    checkpoint::{Pending, Renames, other_versions, states_of, table_schemas},
    failure::RunError,
    report::Summary,
};

/// What came of it.
pub(crate) struct ReplayedBatch {
    /// What would have been committed.
    pub(crate) sections: Vec<Section>,
    /// What the streams of the pipeline keep.
    pub(crate) states: Vec<TableSchema>,
    /// Counters after the batch, rows and rejections of it.
    pub(crate) summary: Summary,
}

/// What a batch that is replayed would commit, in place of committing it.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) sections: Vec<Section>,
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
        let states = table_schemas(&self.plan);
        let of = |number: Number| (number, states_of(records, number).unwrap_or(&states));
        let (snapshot, deltas) = (past.snapshot.map(of), past.deltas.iter().map(|&number| of(number)));
        let deltas: Vec<_> = deltas.collect();
        let restorer = Restorer { plan: &self.plan, guests: &self.guests, schemas: &states, renames };
        restorer.restore(&mut self.store, archive, snapshot, &deltas)?;
        let history: Vec<_> = snapshot.iter().chain(&deltas).map(|(_, schemas)| *schemas).collect();
        // What it is compared with holds the whole state of these.
        let then = past.commit.as_ref().map_or(&states, |(_, commit)| &commit.tables);
        let whole = other_versions(&history, renames, then);
        self.counters.restore(counters);
        self.outputs.hold(usize::MAX);
        self.whole = whole;
        self.collected = Some(Collected::default());
        let plan = &past.plan;
        let (starts, tables) = (&[][..], &BTreeMap::new());
        let of_batch = Resumed { last: None, planned: Some(plan), starts, tables };
        let resumed = self.sources.resume(of_batch, input, renames);
        let replayed = resumed.and_then(|()| self.begin(None)).and_then(|()| self.batch(plan.batch));
        self.sources.stop();
        replayed?;
        let summary = self.reporter.summary(self.counters.totals());
        let sections = self.collected.take().unwrap_or_default().sections;
        Ok(ReplayedBatch { sections, states, summary })
    }
}
