//! Going on from a checkpoint, until the first new batch.

use tidemill_checkpoint::{Archive, Fence, Recovery, SectionKind};
use tidemill_model::{ports::Owner, time::Timestamp};

use super::{
    Run,
    restore::Restorer,
    sources::{Resumed, Starts},
};
use crate::{
    checkpoint::{InputKeeper, Pending, Point, RestoreError},
    commit::Committer,
    failure::RunError,
};

impl Run {
    /// Goes on from the checkpoint, if there is one; gives the last batch that counts. A batch that was planned and not
    /// committed is run again.
    pub(super) fn recover(&mut self) -> Result<Option<Timestamp>, RunError> {
        let recovered = self.recovered.take();
        let (Committer { keeper: Some(keeper), sinks, .. }, Some(recovered)) = (self.commits.idle(), recovered) else {
            self.begin(None)?;
            return Ok(None);
        };
        if let Some(fell_back) = &recovered.fell_back {
            tracing::warn!(
                said.record = fell_back.number,
                "record {} of the checkpoint is damaged and passed over: {}",
                fell_back.number,
                fell_back.what
            );
        }
        let last = recovered.last.as_ref().map(|last| last.commit.batch);
        let last_plan = recovered.last.as_ref().map(|last| &last.plan);
        let planned = recovered.planned.as_ref().map(|planned| &planned.plan);
        // This host has the checkpoint now: what was asked before it had it may be old.
        sinks.newest()?.check(last)?;
        check_sinks(&sinks.new_ones(), keeper.archive(), &recovered)?;
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
            keeper.logs_input();
            pending = logged;
        }
        let of = |number| (number, keeper.states_of(number));
        let deltas: Vec<_> = recovered.deltas.iter().map(|&number| of(number)).collect();
        let (plan, guests, renames) = (&self.plan, &self.guests, keeper.renames());
        let restorer = Restorer { plan, guests, schemas: keeper.tables(), renames };
        let restored = restorer.restore(&mut self.store, keeper.archive(), recovered.snapshot.map(of), &deltas)?;
        let resumed = Resumed { last: last_plan, planned, starts: &recovered.starts, tables: &restored.of_sources };
        self.sources.resume(resumed, pending, keeper.renames())?;
        self.whole = restored.whole;
        if let Some(last) = &recovered.last {
            self.counters.restore(&last.commit.counters);
            tracing::info!(
                said.batch = last.commit.batch.millis(),
                keys = restored.keys,
                "going on behind the batch {}",
                last.commit.batch
            );
        }
        self.begin(planned.map(|planned| planned.batch).or(last))?;
        for undelivered in &recovered.undelivered {
            self.deliver_again(undelivered.number, undelivered.batch)?;
        }
        if let Some(planned) = recovered.planned.as_ref().map(|planned| planned.plan.batch) {
            tracing::info!(said.batch = planned.millis(), "running the batch {planned} again, with the same input");
            self.batch(planned)?;
            return Ok(Some(planned));
        }
        Ok(last)
    }

    /// Begins to receive, and makes the outputs' places this run's. What is to be refused has been: from here on there are
    /// effects. `last`: the batch behind which the first new one comes, if there is one.
    pub(super) fn begin(&mut self, last: Option<Timestamp>) -> Result<(), RunError> {
        // A host that slept since it took the checkpoint over may have lost it.
        self.commits.keeper().map_or(Ok(()), |keeper| keeper.fence().check())?;
        let now = self.clock.now();
        let first = self.plan.interval.tick_after(last.map_or(now, |last| last.max(now)));
        self.keep_starts(Starts::Logged, first)?;
        let fence = self.commits.keeper().map(|keeper| keeper.fence().clone());
        let is_held = || fence.as_ref().is_none_or(|fence| fence.check().is_ok());
        let generation = fence.as_ref().map(Fence::generation);
        let pipeline = self.plan.name.clone();
        let owner = Owner { pipeline: &pipeline, generation, is_held: &is_held };
        self.sources.begin(&owner, &self.stopper)?;
        self.keep_starts(Starts::Tables, first)?;
        self.commits.idle().sinks.begin(&owner)
    }

    /// Keeps where those sources begin that the checkpoint does not know, whatever becomes of this run: what is logged of one, and
    /// what one has seen in a folder, is its own from then on.
    fn keep_starts(&mut self, of: Starts, first: Timestamp) -> Result<(), RunError> {
        let Some(keeper) = self.commits.keeper() else { return Ok(()) };
        self.sources.starts(of)?.map_or(Ok(()), |starts| keeper.start(first, starts))
    }

    fn deliver_again(&mut self, number: u64, batch: Timestamp) -> Result<(), RunError> {
        let Committer { keeper: Some(keeper), sinks, .. } = self.commits.idle() else { return Ok(()) };
        tracing::info!(said.batch = batch.millis(), "delivering the batch {batch} again");
        keeper.point(Point::Deliver, batch, |keeper| {
            let archive = keeper.archive();
            let outbox = keeper.outbox_of(number);
            let beside = outbox.map(|outbox| Ok::<_, RunError>((outbox, archive.outbox(outbox)?))).transpose()?;
            sinks.deliver_again(batch, archive.read_sections(number)?, beside)
        })?;
        keeper.delivered(batch);
        Ok(())
    }
}

/// Of the sinks that are new none has got the last batch already.
pub(crate) fn check_sinks(new: &[String], archive: &Archive, recovered: &Recovery) -> Result<(), RunError> {
    let Some(last) = &recovered.last else { return Ok(()) };
    if new.is_empty() || recovered.undelivered.iter().any(|undelivered| undelivered.number == last.number) {
        return Ok(());
    }
    let sections = archive.read_sections(last.number)?;
    let outputs = sections.iter().filter(|section| section.kind == SectionKind::Output);
    let beside = last.commit.outbox.iter().flat_map(|outbox| &outbox.outputs).map(|output| &output.output);
    match outputs.map(|section| &section.stream).chain(beside).find(|output| new.contains(output)) {
        Some(output) => Err(RunError::SinkGone { output: output.clone(), last: last.commit.batch }),
        None => Ok(()),
    }
}
