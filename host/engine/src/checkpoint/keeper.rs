//! The log of a run: plans, commits, deliveries, each an append to the checkpoint's log between two failpoints.

use std::sync::Arc;

use tidemill_checkpoint::{
    Archive, BatchPlan, Budget, CheckpointError, Cleaned, Commit, Fence, Glance, Keep, Log, Number, Outbox, Outboxes,
    PluginDigest, Record, Recovery, SEGMENT_BYTES, Section, Shortage, SourcePin, Start, Storage, TableSchema, Usage,
};
use tidemill_model::{ports::Spawn, time::Timestamp};
use tidemill_plan::graph::Plan;

use super::{Checkpoint, Failpoints, Point, Renames, cleaner::Cleaner, restore::states_of, snapshots::Snapshots};
use crate::failure::RunError;

/// A budget is shared among two snapshots, what happened since them, the input of the open batch, and history: which
/// gets so much of it,
const HISTORY_SHARE: u64 = 4;
/// and so much what happens before a snapshot is made, and a segment of input.
const PART_SHARE: u64 = 8;

/// Input that is logged before it is looked again whether there is room for more.
const LOOK_BYTES: u64 = 8 << 20;

/// What is settled of sources: where they are, and what changed in their tables.
#[derive(Default)]
pub(crate) struct Settled {
    pub(crate) pins: Vec<SourcePin>,
    /// The tables that changed.
    pub(crate) tables: Vec<TableSchema>,
    pub(crate) sections: Vec<Section>,
    /// Those that the pipeline has no more, if they go on where they are when they come back.
    pub(crate) away: Vec<SourcePin>,
    /// Where those have begun that have no batch yet, because the one that is run again was planned without them.
    pub(crate) starts: Vec<SourcePin>,
}

/// What a run does to its checkpoint.
pub(crate) struct Keeper {
    log: Log,
    storage: Arc<dyn Storage>,
    plugins: Vec<PluginDigest>,
    /// What the pipeline keeps.
    states: Vec<TableSchema>,
    keep: Keep,
    budget: Budget,
    failpoints: Box<dyn Failpoints>,
    /// The last batch that all sinks have.
    delivered: Option<Timestamp>,
    /// The last batch of which the log says so.
    noted: Option<Timestamp>,
    /// The plan of the batch that is run again.
    again: Option<(Number, Vec<SourcePin>)>,
    snapshots: Snapshots,
    cleaner: Cleaner,
    /// The snapshot that stays alone.
    relied_on: Option<Number>,
    renames: Renames,
    /// Whether input may be in the log that nobody needs; not where this run logs any.
    may_have_old_input: bool,
}

/// For asking whether there is room, while a batch is being committed too.
pub(crate) struct Room {
    usage: Usage,
    storage: Arc<dyn Storage>,
    budget: Budget,
}

impl Keeper {
    /// Takes the checkpoint over, unless what is there is refused.
    pub(crate) fn open(
        checkpoint: Checkpoint,
        plan: &Plan,
        states: Vec<TableSchema>,
        now: Timestamp,
        spawn: Arc<dyn Spawn>,
        refuse: impl FnMut(&Glance) -> Result<(), RunError>,
    ) -> Result<(Keeper, Recovery), RunError> {
        let Checkpoint { storage, host, plugins, mut keep, budget, mut snapshot_after, failpoints } = checkpoint;
        keep.bytes = budget.share(keep.bytes, HISTORY_SHARE);
        snapshot_after.bytes_min = budget.share(snapshot_after.bytes_min, PART_SHARE);
        let (log, recovered) = Log::open_unless(storage.clone(), &plan.name, &host, now, refuse)?;
        let used = recovered.deltas.iter().rev().copied().chain(recovered.snapshot);
        let renames = Renames::of(plan).learn(used.filter_map(|commit| states_of(log.records(), commit)));
        let snapshots = Snapshots::new(&log, &recovered, &states, plan.partitions, snapshot_after, spawn.clone());
        let again = recovered.planned.as_ref().map(|planned| (planned.number, planned.plan.sources.clone()));
        let delivered = recovered.delivered;
        let noted = delivered;
        let keeper = Keeper {
            log,
            storage,
            plugins,
            states,
            keep,
            budget,
            failpoints,
            delivered,
            noted,
            again,
            snapshots,
            cleaner: Cleaner::new(spawn),
            relied_on: None,
            renames,
            may_have_old_input: true,
        };
        Ok((keeper, recovered))
    }

    pub(crate) fn archive(&self) -> &Archive {
        self.log.archive()
    }

    /// What streams of the checkpoint are called now.
    pub(crate) fn renames(&self) -> &Renames {
        &self.renames
    }

    /// For rows that are too many for a commit's record. Asked for once.
    pub(crate) fn outboxes(&self) -> Outboxes {
        self.log.outboxes()
    }

    /// Where a commit has such rows, if it has any.
    pub(crate) fn outbox_of(&self, commit: Number) -> Option<&Outbox> {
        self.log.outbox_of(commit)
    }

    pub(crate) fn fence(&self) -> &Fence {
        self.log.fence()
    }

    /// This run logs input.
    pub(crate) fn logs_input(&mut self) {
        self.may_have_old_input = false;
    }

    pub(crate) fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// The length of segments of the input log.
    pub(crate) fn segment_bytes(&self) -> u64 {
        self.budget.share(SEGMENT_BYTES, PART_SHARE)
    }

    /// For asking whether there is room.
    pub(crate) fn room(&self) -> Room {
        Room { usage: self.log.usage().clone(), storage: self.storage.clone(), budget: self.budget }
    }

    /// What the pipeline keeps.
    pub(crate) fn tables(&self) -> &[TableSchema] {
        &self.states
    }

    /// What the states of a commit were.
    pub(crate) fn states_of(&self, commit: Number) -> &[TableSchema] {
        states_of(self.log.records(), commit).unwrap_or(&self.states)
    }

    /// Does a point between its two failpoints.
    pub(crate) fn point<T>(
        &mut self,
        point: Point,
        batch: Timestamp,
        action: impl FnOnce(&mut Keeper) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        if self.failpoints.stops(point, false, batch) {
            return Err(RunError::Failpoint { point, batch });
        }
        let result = action(self)?;
        if self.failpoints.stops(point, true, batch) {
            return Err(RunError::Failpoint { point, batch });
        }
        Ok(result)
    }

    /// Settles the input of a batch, and what changes with it in the tables of sources. One that is run again has its plan
    /// already; but a source that the pipeline has no more gave nothing to it now, and is not to be taken for one that did.
    pub(crate) fn plan(&mut self, batch: Timestamp, settled: Settled) -> Result<Number, RunError> {
        if let Some((number, planned)) = self.again.take() {
            let sources = &settled.pins;
            let is_there =
                |pin: &SourcePin| sources.iter().any(|source| source.stream == self.renames.now(&pin.stream));
            let (there, gone): (Vec<SourcePin>, Vec<SourcePin>) = planned.into_iter().partition(is_there);
            // What changed in the tables stands in the plan that there is.
            let again = Settled { pins: there, away: settled.away, ..Settled::default() };
            let number = if gone.is_empty() { number } else { self.write_plan(batch, again)? };
            if !settled.starts.is_empty() {
                // Behind a plan that does not name them, and counts, they would be sources that have gone.
                self.log.append(Record::Start(Start { sources: settled.starts, tables: Vec::new() }), &[])?;
            }
            return Ok(number);
        }
        self.write_plan(batch, settled)
    }

    /// Whether the next plan is there already, so that nobody asks what changed in the tables of sources.
    pub(crate) fn is_again(&self) -> bool {
        self.again.is_some()
    }

    fn write_plan(&mut self, batch: Timestamp, settled: Settled) -> Result<Number, RunError> {
        let Settled { pins: sources, tables, sections, away, .. } = settled;
        let plugins = self.plugins.clone();
        let plan = BatchPlan { batch, sources, plugins, delivered: self.delivered, tables: tables.clone(), away };
        let number =
            self.point(Point::Plan, batch, |keeper| Ok(keeper.log.append(Record::Plan(plan), &sections)?))?;
        self.noted = self.delivered;
        self.note_settled(number, tables);
        Ok(number)
    }

    /// Keeps where sources begin that the log does not know.
    pub(crate) fn start(&mut self, batch: Timestamp, settled: Settled) -> Result<(), RunError> {
        let Settled { pins: sources, tables, sections, .. } = settled;
        let start = Start { sources, tables: tables.clone() };
        let number =
            self.point(Point::Start, batch, |keeper| Ok(keeper.log.append(Record::Start(start), &sections)?))?;
        self.note_settled(number, tables);
        Ok(())
    }

    /// These tables of sources have changed with a record.
    fn note_settled(&mut self, number: Number, tables: Vec<TableSchema>) {
        if !tables.is_empty() {
            self.snapshots.settled(number, self.newest_bytes(), tables);
        }
    }

    fn newest_bytes(&self) -> u64 {
        self.log.records().last().map_or(0, |record| record.bytes)
    }

    /// Decides that a batch counts.
    pub(crate) fn commit(
        &mut self,
        batch: Timestamp,
        plan: Number,
        counters: Vec<(String, u64)>,
        sections: &[Section],
        outbox: Option<Outbox>,
    ) -> Result<(), RunError> {
        let outbox_bytes = outbox.as_ref().map_or(0, |outbox| outbox.bytes);
        let commit = Commit { batch, plan, counters, tables: self.states.clone(), outbox };
        let number =
            self.point(Point::Commit, batch, |keeper| Ok(keeper.log.append(Record::Commit(commit), sections)?))?;
        self.snapshots.committed(number, self.newest_bytes() + outbox_bytes);
        Ok(())
    }

    /// All sinks have the batch. The next plan will say so.
    pub(crate) fn delivered(&mut self, batch: Timestamp) {
        self.delivered = Some(batch);
    }

    /// Has a snapshot made if it is time, and has removed what no recovery needs when one was made.
    pub(crate) fn tidy(&mut self, batch: Timestamp) -> Result<(), RunError> {
        if self.snapshots.is_due() {
            self.begin_snapshot(batch)?;
        }
        if let Some(found) = self.snapshots.poll()
            && !self.cleaner.is_running()
        {
            self.point(Point::Clean, batch, |keeper| {
                let removal = keeper.log.removal(keeper.keep, found?);
                keeper.cleaner.begin(removal);
                Ok(())
            })?;
        }
        self.forget_removed()
    }

    /// Forgets what was removed in the background, and what no record names any more then.
    fn forget_removed(&mut self) -> Result<(), RunError> {
        match self.cleaner.poll() {
            Some(removed) => {
                let removed = removed?;
                self.remove(|log| Ok(log.forget(removed)))
            }
            None => Ok(()),
        }
    }

    /// Removes all that no recovery needs; `begin`: has a snapshot made, after which that is more, unless one is being made.
    /// Where the newest snapshot holds everything there can be no other one: it is read whole, and stays alone.
    pub(crate) fn make_room(&mut self, batch: Timestamp, begin: bool) -> Result<(), RunError> {
        // Who waits for room is not to wait for ever if another host has taken over.
        self.log.fence().check()?;
        if begin && self.snapshots.is_possible() {
            self.begin_snapshot(batch)?;
        }
        let is_new = self.snapshots.poll().is_some();
        if self.cleaner.is_running() {
            return self.forget_removed();
        }
        match self.snapshots.complete().filter(|&snapshot| self.relied_on != Some(snapshot)) {
            Some(snapshot) => self.rely_on(snapshot, batch),
            None if is_new || begin => self.clean(batch, Keep { batches: 0, bytes: 0 }),
            None => Ok(()),
        }
    }

    /// Removes all that the newest snapshot stands for.
    fn rely_on(&mut self, snapshot: Number, batch: Timestamp) -> Result<(), RunError> {
        // Its commit must not be the newest record: that may turn out damaged.
        self.note_delivered()?;
        self.relied_on = Some(snapshot);
        self.point(Point::Clean, batch, |keeper| keeper.remove(|log| log.rely_on(snapshot)))
    }

    fn begin_snapshot(&mut self, batch: Timestamp) -> Result<(), RunError> {
        self.point(Point::Snapshot, batch, |keeper| {
            keeper.snapshots.begin();
            Ok(())
        })
    }

    fn clean(&mut self, batch: Timestamp, keep: Keep) -> Result<(), RunError> {
        self.point(Point::Clean, batch, |keeper| keeper.remove(|log| log.clean(keep)))
    }

    fn remove(&mut self, of_log: impl FnOnce(&mut Log) -> Result<Cleaned, CheckpointError>) -> Result<(), RunError> {
        let cleaned = of_log(&mut self.log)?;
        if let Some(position) = cleaned.input_before {
            self.log.remove_input_before(position)?;
        }
        if cleaned.needs_no_input && std::mem::take(&mut self.may_have_old_input) {
            match self.log.remove_input() {
                Ok(segments) => tracing::debug!(segments, "input that no batch needs was removed"),
                Err(fenced @ CheckpointError::Fenced { .. }) => return Err(fenced.into()),
                // It may be damaged: it is needed by nobody.
                Err(error) => tracing::warn!("input that no batch needs could not be removed: {error}"),
            }
        }
        Ok(())
    }

    /// Ends the run: the last batch is noted as delivered.
    pub(crate) fn finish(&mut self) -> Result<(), RunError> {
        if let Some(Err(error)) = self.cleaner.poll() {
            tracing::warn!("what no recovery needs could not be removed; the next run does it: {error}");
        }
        match self.delivered.filter(|_| self.delivered > self.noted) {
            Some(batch) => self.point(Point::Finish, batch, |keeper| keeper.note_delivered()),
            None => Ok(()),
        }
    }

    /// Without waiting for the next plan to say it.
    fn note_delivered(&mut self) -> Result<(), RunError> {
        if let Some(batch) = self.delivered.filter(|_| self.delivered > self.noted) {
            self.log.append(Record::Delivered { batch }, &[])?;
            self.noted = self.delivered;
        }
        Ok(())
    }
}

impl Room {
    /// After how much more input it is to be looked whether there is room for it.
    pub(crate) fn look_bytes(&self) -> u64 {
        self.budget.share(LOOK_BYTES, PART_SHARE)
    }

    /// Why no new input is to be taken, if there is too little room for it.
    /// `open_bytes`: of a file that has no name yet; `coming_bytes`: of what is being written.
    pub(crate) fn shortage(&self, open_bytes: u64, coming_bytes: u64) -> Result<Option<Shortage>, CheckpointError> {
        // To count them is to list files, which costs time and money where they are not on this machine.
        let counted = self.budget.bytes_max.is_some();
        let used = if counted { self.usage.bytes()? + open_bytes + coming_bytes } else { 0 };
        let free = self.storage.free_bytes()?.map(|free| free.saturating_sub(coming_bytes));
        Ok(self.budget.shortage(used, free))
    }
}
