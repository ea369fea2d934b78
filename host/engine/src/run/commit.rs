//! What makes a batch count, and seen: in the order that [`steps`](crate::checkpoint) describes.

use std::collections::BTreeSet;

use tidemill_checkpoint::{CheckpointError, Recovery, Section, SectionKind};
use tidemill_model::{ports::Owner, time::Timestamp};
use tidemill_plan::graph::NodeId;
use tidemill_state::table::{BlockLimits, StateError};

use super::{Run, patience::Patience, restore::Restorer, sources::Resumed};
use crate::{
    checkpoint::{InputKeeper, Keeper, Pending, RestoreError, Step, TableId},
    failure::RunError,
    store::StateStore,
};

impl Run {
    /// Commits a batch whose stages have run, if there is a checkpoint, and gives it to the sinks.
    pub(super) fn commit(&mut self, tick: Timestamp, absent: &[NodeId]) -> Result<(), RunError> {
        if let Some(collected) = &mut self.collected {
            collected.sections = changes(&self.store, &collected.whole)?;
            collected.sections.extend(self.outputs.sections(absent));
            return Ok(());
        }
        let Some(keeper) = &mut self.keeper else {
            self.outputs.stage(tick, absent)?;
            return self.outputs.deliver(tick, absent);
        };
        let logged = match self.sources.input() {
            Some(input) => {
                keeper.step(Step::Log, tick, |_| Ok(input.sync()?))?;
                Some(input.batch())
            }
            None => None,
        };
        let settled = self.sources.settled(logged, keeper.is_again())?;
        let plan = keeper.plan(tick, settled, self.sources.input().zip(logged))?;
        let outbox = match self.outputs.take_outbox(absent) {
            Some((draft, parts)) => Some(keeper.step(Step::Outbox, tick, |_| Ok(draft.publish(parts)?))?),
            None => None,
        };
        let mut sections = changes(&self.store, keeper.whole())?;
        sections.extend(self.outputs.sections(absent));
        keeper.commit(tick, plan, self.counters.with_batch(), &sections, outbox)?;
        // Not with the plan: a damaged newest record is passed over, and what it says must not have been told.
        self.sources.acknowledge();
        // A host that slept here for long is not to deliver what another one has delivered since.
        keeper.fence().check()?;
        keeper.step(Step::Stage, tick, |_| self.outputs.stage(tick, absent))?;
        keeper.step(Step::Deliver, tick, |_| self.outputs.deliver(tick, absent))?;
        keeper.delivered(tick);
        Ok(())
    }

    /// Goes on from the checkpoint, if there is one; gives the last batch that counts. A batch that was planned and not
    /// committed is run again.
    pub(super) fn recover(&mut self) -> Result<Option<Timestamp>, RunError> {
        let (Some(keeper), Some(recovered)) = (&mut self.keeper, self.recovered.take()) else {
            self.begin()?;
            return Ok(None);
        };
        if let Some(fell_back) = &recovered.fell_back {
            tracing::warn!(
                "record {} of the checkpoint is damaged and passed over: {}",
                fell_back.number,
                fell_back.what
            );
        }
        let last = recovered.last.as_ref().map(|last| last.commit.batch);
        let last_plan = recovered.last.as_ref().map(|last| &last.plan);
        let planned = recovered.planned.as_ref().map(|planned| &planned.plan);
        if let Some((output, newest)) = self.outputs.ahead_of(last)? {
            return Err(RunError::SinkAhead { output, newest, last });
        }
        check_sinks(&self.outputs.new_ones(), keeper, &recovered)?;
        if let Some((old, now)) = keeper.renames().taken.clone() {
            return Err(RestoreError::NameTaken { old, now }.into());
        }
        let mut pending = Pending::default();
        if self.sources.need_log() {
            let storage = keeper.storage().clone();
            let (input, logged) = InputKeeper::open(
                storage,
                keeper.fence(),
                (last_plan, planned),
                &recovered.starts,
                keeper.segment_bytes(),
                keeper.renames(),
            )?;
            self.sources.log_to(input);
            pending = logged;
        }
        let of = |number| (number, keeper.states_of(number));
        let deltas: Vec<_> = recovered.deltas.iter().map(|&number| of(number)).collect();
        let (plan, guests, renames) = (&self.plan, &self.guests, keeper.renames());
        let restorer = Restorer { plan, guests, schemas: keeper.tables(), renames };
        let restored = restorer.restore(&mut self.store, keeper.archive(), recovered.snapshot.map(of), &deltas)?;
        let resumed = Resumed { last: last_plan, planned, starts: &recovered.starts, tables: &restored.of_sources };
        self.sources.resume(resumed, pending, keeper.renames())?;
        keeper.commit_whole(restored.whole);
        if let Some(last) = &recovered.last {
            self.counters.restore(&last.commit.counters);
            tracing::info!(keys = restored.keys, "going on behind the batch {}", last.commit.batch);
        }
        self.begin()?;
        for undelivered in &recovered.undelivered {
            self.deliver_again(undelivered.number, undelivered.batch)?;
        }
        if let Some(planned) = recovered.planned.as_ref().map(|planned| planned.plan.batch) {
            tracing::info!("running the batch {planned} again, with the same input");
            self.batch(planned)?;
            return Ok(Some(planned));
        }
        Ok(last)
    }

    /// Keeps where sources begin, before the first batch has anything of them: what comes from now on is theirs, whatever
    /// becomes of this run.
    pub(super) fn begin_sources(&mut self, tick: Timestamp) -> Result<(), RunError> {
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        self.sources.starts()?.map_or(Ok(()), |starts| keeper.start(tick, starts))
    }

    /// Ends the run, however it went: notes that the last batch was delivered, or sinks would get it again for nothing. Not
    /// where the log itself has failed, or a test has the machine stop here.
    pub(super) fn end(&mut self, result: Result<(), RunError>) -> Result<(), RunError> {
        let Some(keeper) = &mut self.keeper else { return result };
        let error = match result {
            Ok(()) => return keeper.finish(),
            Err(RunError::Failpoint { step, batch }) => return Err(RunError::Failpoint { step, batch }),
            Err(error) => reason(keeper, error),
        };
        if !matches!(error, RunError::Checkpoint(_))
            && let Err(why) = keeper.finish()
        {
            tracing::warn!("it could not be noted that the last batch was delivered: {why}");
        }
        Err(error)
    }

    /// Begins to receive, and makes the outputs' places this run's. What is to be refused has been: from here on there are
    /// effects.
    pub(super) fn begin(&mut self) -> Result<(), RunError> {
        let fence = self.keeper.as_ref().map(Keeper::fence);
        let is_held = || fence.is_none_or(|fence| fence.check().is_ok());
        let generation = fence.map(|fence| fence.generation());
        // A host that slept since it took the checkpoint over may have lost it.
        fence.map_or(Ok(()), |fence| fence.check())?;
        let owner = Owner { pipeline: &self.plan.name, generation, is_held: &is_held };
        let patience = Patience { clock: &*self.clock, wake: &self.wake, stopper: &self.stopper };
        self.sources.begin(&owner, &patience)?;
        self.outputs.begin(&owner)
    }

    fn deliver_again(&mut self, number: u64, batch: Timestamp) -> Result<(), RunError> {
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        tracing::info!("delivering the batch {batch} again");
        let mut present = self.outputs.restore(batch, keeper.archive().read_sections(number)?)?;
        if let Some(outbox) = keeper.outbox_of(number) {
            present.extend(self.outputs.restore_outbox(batch, outbox, keeper.archive().outbox(outbox)?)?);
        }
        keeper.step(Step::Deliver, batch, |_| self.outputs.deliver_again(batch, &present))?;
        keeper.delivered(batch);
        Ok(())
    }
}

/// Why a run fails. A host that slept may have been overtaken meanwhile: the later one removes what the earlier one has staged,
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

/// Of the sinks that are new none has got the last batch already.
fn check_sinks(new: &[String], keeper: &Keeper, recovered: &Recovery) -> Result<(), RunError> {
    let Some(last) = &recovered.last else { return Ok(()) };
    if new.is_empty() || recovered.undelivered.iter().any(|undelivered| undelivered.number == last.number) {
        return Ok(());
    }
    let sections = keeper.archive().read_sections(last.number)?;
    let outputs = sections.iter().filter(|section| section.kind == SectionKind::Output);
    let beside = last.commit.outbox.iter().flat_map(|outbox| &outbox.outputs).map(|output| &output.output);
    match outputs.map(|section| &section.stream).chain(beside).find(|output| new.contains(output)) {
        Some(output) => Err(RunError::SinkGone { output: output.clone(), last: last.commit.batch }),
        None => Ok(()),
    }
}

/// What a batch changed in the tables, by partition; of the tables `whole` all that they hold.
fn changes(store: &StateStore, whole: &BTreeSet<TableId>) -> Result<Vec<Section>, StateError> {
    let mut sections = Vec::new();
    for kept in store.kept() {
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
