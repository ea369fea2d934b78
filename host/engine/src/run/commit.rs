//! A batch whose stages have run leaves the loop, to be committed beside it.

use std::collections::BTreeSet;

use tidemill_checkpoint::{CheckpointError, InputSync, Section, SectionKind};
use tidemill_model::time::Timestamp;
use tidemill_plan::graph::NodeId;
use tidemill_state::table::{BlockLimits, StateError};

use super::Run;
use crate::{
    checkpoint::{Keeper, Settled, TableId},
    commit::{CommitJob, News},
    failure::RunError,
    report::BatchReport,
    store::StateStore,
};

impl Run {
    /// Ends the open batch, whose stages have run, and has it committed and delivered beside the next one.
    pub(super) fn leave(&mut self, absent: &[NodeId], report: BatchReport) -> Result<(), RunError> {
        let (_, written_bytes) = self.outputs.written_bytes();
        let rows = self.outputs.seal(report.time, absent);
        let changes = changes(&self.store, &std::mem::take(&mut self.whole))?;
        self.store.end_batch();
        self.counters.commit();
        self.sources.leave();
        self.guests.budget().begin();
        if let Some(collected) = &mut self.collected {
            collected.sections = changes;
            collected.sections.extend(self.commits.idle().sinks.sections(&rows));
            let irregularities = self.sources.irregularities();
            self.reporter.batch(BatchReport { irregularities, ..report }, self.clock.now());
            return Ok(());
        }
        // Batches are committed one after the other. Until the one before counts nothing newer of its sources is settled.
        self.settle()?;
        let (logged, settled) = self.settled()?;
        // What is told is what the pins stand for.
        let irregularities = self.sources.irregularities();
        let (batch, counters) = (report.time, self.counters.totals());
        self.commits.hand_over(CommitJob { batch, logged, settled, changes, counters, rows, written_bytes });
        self.committing = Some(BatchReport { left: self.clock.now(), irregularities, ..report });
        Ok(())
    }

    /// What a checkpoint keeps of the input of the batch that ends.
    fn settled(&mut self) -> Result<(Option<Option<InputSync>>, Settled), RunError> {
        let Some(keeper) = self.commits.keeper() else { return Ok((None, Settled::default())) };
        let is_again = keeper.is_again();
        let (mut logged, mut range) = (None, None);
        if let Some(input) = self.sources.input() {
            (logged, range) = (Some(input.begin_sync()?), Some(input.batch()));
        }
        let settled = self.sources.settled(range, is_again)?;
        if let (Some(input), Some(range), false) = (self.sources.input(), range, is_again) {
            input.end_batch(range);
        }
        Ok((logged, settled))
    }

    /// Waits until the batch that left the loop is done, if there is one.
    pub(super) fn settle(&mut self) -> Result<(), RunError> {
        while let Some(news) = self.commits.wait() {
            self.heed(news)?;
        }
        Ok(())
    }

    /// Looks what has come of the batch that left the loop.
    pub(super) fn look_after_commit(&mut self) -> Result<(), RunError> {
        while let Some(news) = self.commits.news() {
            self.heed(news)?;
        }
        Ok(())
    }

    fn heed(&mut self, news: News) -> Result<(), RunError> {
        match news {
            News::Committed => self.sources.acknowledge(),
            News::Done(done) => {
                let (report, ended) = (self.committing.take(), done?);
                report.into_iter().for_each(|report| self.reporter.batch(report, ended));
            }
        }
        Ok(())
    }

    /// The batch is not to go on: what it has changed is gone with the run.
    pub(super) fn out_of_time(&self, batch: Timestamp) -> RunError {
        RunError::OutOfTime { batch, within: self.stopper.within(), is_kept: self.commits.has_keeper() }
    }

    /// Logs what was received and not taken, for the next run, unless the checkpoint itself has failed.
    pub(super) fn keep_received(&mut self, result: Result<(), RunError>) -> Result<(), RunError> {
        if matches!(result, Err(RunError::Checkpoint(_) | RunError::Failpoint { .. })) {
            return result;
        }
        if !self.commits.has_keeper() {
            self.sources.tell_lost(self.clock.now());
            return result;
        }
        match (self.sources.keep_received(self.clock.now()), result) {
            (Ok(()), result) => result,
            (Err(why), Ok(())) => Err(why),
            (Err(why), Err(error)) => {
                tracing::warn!("what was received and not taken is lost: {why}");
                Err(error)
            }
        }
    }

    /// Ends the run, however it went: the batch that left the loop is brought to its end, and it is noted that the last one was
    /// delivered, or sinks would get it again for nothing. Not where the log itself has failed, or a test has the machine stop
    /// here.
    pub(super) fn end(&mut self, result: Result<(), RunError>) -> Result<(), RunError> {
        if let Err(error) = &result
            && self.commits.coming_bytes().is_some()
        {
            // That may take a while, and may fail itself.
            tracing::warn!("the run ends when the batch before is delivered: {error}");
        }
        let result = self.settle().and(result);
        let Some(keeper) = self.commits.keeper() else { return result };
        let error = match result {
            Ok(()) => return keeper.finish(),
            Err(RunError::Failpoint { point, batch }) => return Err(RunError::Failpoint { point, batch }),
            Err(error) => reason(keeper, error),
        };
        if !matches!(error, RunError::Checkpoint(_))
            && let Err(why) = keeper.finish()
        {
            tracing::warn!("it could not be noted that the last batch was delivered: {why}");
        }
        Err(error)
    }
}

/// Why a run fails. A host that slept may have been overtaken meanwhile: the later one removes what the earlier one has prepared,
/// and records that it would read, and that is all that a sink or the checkpoint knows. What a function does is its own.
fn reason(keeper: &Keeper, error: RunError) -> RunError {
    if matches!(error, RunError::Operator { .. }) {
        return error;
    }
    match keeper.fence().check() {
        Err(fenced @ CheckpointError::Fenced { .. }) => fenced.into(),
        _ => error,
    }
}

/// What a batch changed in the tables, if somebody wants to know, by partition; of the tables `whole` all that they hold.
fn changes(store: &StateStore, whole: &BTreeSet<TableId>) -> Result<Vec<Section>, StateError> {
    let mut sections = Vec::new();
    for kept in store.noted() {
        let id = kept.id();
        for (partition, table) in kept.tables() {
            let limits = BlockLimits::default();
            let blocks = if whole.contains(&id) { table.whole(limits) } else { table.changes(limits) };
            let batches: Vec<_> = blocks.collect::<Result<_, _>>()?;
            if !batches.is_empty() {
                let TableId { stream, table } = id.clone();
                sections.push(Section { kind: SectionKind::State, stream, table, partition, batches });
            }
        }
    }
    Ok(sections)
}
