//! The batch loop: ticks, head starts, batches, outputs.

mod commit;
mod due;
mod exchanges;
mod outputs;
mod patience;
mod recover;
mod replay;
mod restore;
mod room;
mod share;
mod skip;
mod sources;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use tidemill_checkpoint::{Glance, Recovery};
use tidemill_guest::Plugin;
use tidemill_model::{
    ports::{Clock, Sink, Source, Spawn, Wake},
    time::Timestamp,
};
use tidemill_plan::{
    graph::{NodeId, Plan},
    stages::{Input, Stages},
};
use tracing::Span;

use crate::{
    arrival::Arrived,
    budget::Budget,
    build::Builder,
    checkpoint::{Checkpoint, Keeper, TableId},
    commit::{Commits, Committer, Sinks},
    counters::Counters,
    failure::{Cause, RunError},
    foreseen::Refusals,
    named::{NamedThreads, run_span},
    open::OpenSources,
    operators::{Guests, Rejections, SharedRows},
    pieces::Slice,
    pool::{Job, Pool},
    presence::Presence,
    report::{BatchReport, Reporter, Summary},
    stop::Stopper,
    store::StateStore,
    task::{Left, Task, TaskFailure},
};
use due::{Due, Late};
use exchanges::Exchanges;
use outputs::Outputs;
pub(crate) use recover::check_sinks;
use replay::Collected;
use room::RoomWatch;
use share::Shares;
use skip::Failed;
use sources::Round;
pub(crate) use sources::Sources;

/// Bytes of input that are run ahead of a tick before the clock is looked at again.
const ROUND_BYTES: usize = 8 << 20;

/// Bytes of rows that the operators may hold of a batch before its tick. With more, input is left with the sources, whose
/// buffers are bounded too, until the batch has ended.
const HELD_BYTES_MAX: usize = 1 << 30;

/// Everything that a run is made of.
pub struct Parts {
    /// What to run.
    pub plan: Plan,
    /// The plugins that the plan names.
    pub plugins: HashMap<String, Plugin>,
    /// A source for each source node of the plan.
    pub sources: Vec<(NodeId, Box<dyn Source>)>,
    /// A sink for each output of the plan, in order.
    pub sinks: Vec<Box<dyn Sink>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What the sources ring when rows have come.
    pub wake: Wake,
    /// Starts the worker threads, and one for each commit and each snapshot.
    pub spawn: Arc<dyn Spawn>,
    /// Where to keep what must survive the run; `None`: nowhere.
    pub checkpoint: Option<Checkpoint>,
}

/// How a run goes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads that run stages, the calling one among them.
    pub workers: usize,
    /// For the hashes of keys: unknown to whoever makes the keys. Results do not depend on it.
    pub seed: u64,
    /// Every batch gets new instances of guests: finds guests that remember.
    pub fresh_instances: bool,
    /// When to stop.
    pub until: Until,
}

/// When a run stops by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Never: only when it is told to.
    Stopped,
    /// After so many batches.
    Batches(u64),
    /// When no source will have rows any more.
    Done,
}

/// A pipeline at work. Results depend on the sources' batches alone: not on workers, timing, or the seed.
pub struct Run {
    plan: Plan,
    stages: Stages,
    /// For every stage and partition its task; `None` while it is with a worker.
    tasks: Vec<Vec<Option<Box<Task>>>>,
    /// What the streams keep from batch to batch.
    store: StateStore,
    /// For what is called outside of the tasks.
    guests: Guests,
    sources: Sources,
    /// What stages have left of the open batch for other stages.
    exchanges: Exchanges,
    /// What side inputs had in the last batch.
    shares: Shares,
    outputs: Outputs,
    clock: Arc<dyn Clock>,
    wake: Wake,
    pool: Pool,
    stopper: Stopper,
    until: Until,
    held_bytes_max: usize,
    reporter: Reporter,
    counters: Counters,
    /// What a run leaves in the world.
    commits: Commits,
    /// The batch that left the loop, until it is done.
    committing: Option<BatchReport>,
    /// The tables that the next commit has to hold as a whole.
    whole: BTreeSet<TableId>,
    room: RoomWatch,
    /// What the checkpoint says, until the run begins.
    recovered: Option<Recovery>,
    /// Why the open batch is to be skipped, if it is.
    skipped: Option<RunError>,
    /// What a batch that is replayed would commit, in place of committing it.
    collected: Option<Collected>,
    /// What it says bears its name.
    span: Span,
}

/// Sources that are open and will not be begun: what is kept of them, and whether a checkpoint is theirs.
pub(crate) fn foreseen_sources(plan: &Plan, sources: OpenSources) -> Sources {
    Sources::new(plan, &Stages::of(plan), sources)
}

impl Run {
    /// A run that has not begun.
    ///
    /// # Errors
    /// A plugin that the plan names is not there.
    ///
    /// # Panics
    /// A source or sink of the plan is not there: that is a mistake of the caller, whatever the pipeline says.
    pub fn try_new(parts: Parts, settings: &Settings) -> Result<Run, RunError> {
        assert_eq!(parts.sinks.len(), parts.plan.outputs.len(), "every output has a sink");
        for (index, node) in parts.plan.nodes.iter().enumerate() {
            let is_source = node.source().is_some();
            let given = parts.sources.iter().filter(|(id, _)| *id == NodeId(index)).count();
            assert_eq!(given, usize::from(is_source), "every source node has a source");
        }
        let span = run_span(&parts.plan.name);
        let _named = span.enter();
        let spawn: Arc<dyn Spawn> = Arc::new(NamedThreads::new(parts.spawn, &span));
        Sinks::look(&parts.plan, &parts.sinks, parts.checkpoint.is_some())?;
        let stages = Stages::of(&parts.plan);
        let stopper = Stopper::new(parts.wake.clone(), parts.clock.clone(), parts.plan.stop_within);
        let budget = Budget::new(&parts.plan.limits, parts.plan.skips_over_budget());
        let guests = Guests::new(parts.plugins, settings.fresh_instances, budget, stopper.clone());
        let rows_max: Vec<Option<usize>> = parts.sinks.iter().map(|sink| sink.rows_max()).collect();
        let presence = Presence::of_nodes(&parts.plan);
        let builder = Builder {
            plan: &parts.plan,
            stages: &stages,
            guests: &guests,
            presence: &presence,
            seed: settings.seed,
            rows_max: &rows_max,
            stopper: &stopper,
        };
        let tasks = builder.tasks()?;
        let mut sources = Sources::new(&parts.plan, &stages, parts.sources);
        let mut open = |checkpoint: Checkpoint| {
            let (plan, now) = (&parts.plan, parts.clock.now());
            let mut refusals = Refusals::ask(plan, &mut sources, &parts.sinks)?;
            let states = refusals.tables().to_vec();
            let refuse = |glance: &Glance| refusals.check(Some(glance)).map(drop);
            Keeper::open(checkpoint, plan, states, now, spawn.clone(), refuse)
        };
        let (keeper, recovered) = parts.checkpoint.map(&mut open).transpose()?.unzip();
        let room = RoomWatch::new(keeper.as_ref().map(Keeper::room));
        let sinks = Sinks::new(&parts.plan, parts.sinks, keeper.as_ref().map(Keeper::outboxes));
        let committer = Committer { keeper, sinks, clock: parts.clock.clone() };
        Ok(Run {
            tasks,
            store: StateStore::new(&parts.plan, &stages, settings.seed, parts.plan.may_skip()),
            sources,
            outputs: Outputs::new(&parts.plan, &stages, &presence, &rows_max),
            exchanges: Exchanges::new(stages.exchanges),
            shares: Shares::default(),
            stages,
            clock: parts.clock,
            pool: Pool::new(settings.workers, &*spawn),
            stopper,
            commits: Commits::new(committer, spawn, parts.wake.clone()),
            committing: None,
            whole: BTreeSet::new(),
            wake: parts.wake,
            until: settings.until,
            held_bytes_max: HELD_BYTES_MAX,
            reporter: Reporter::new(&parts.plan),
            counters: guests.counters().clone(),
            guests,
            room,
            recovered,
            skipped: None,
            collected: None,
            span: span.clone(),
            plan: parts.plan,
        })
    }

    /// Tells the run to stop, from any thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Has rows for sinks written while their batch is open when there are more bytes of them than this, for tests.
    pub fn hold_outputs(&mut self, bytes_max: usize) {
        self.outputs.hold(bytes_max);
    }

    /// Has operators hold no more bytes of a batch in each partition than this, for tests.
    pub fn hold_in_operators(&mut self, bytes_max: usize) {
        self.tasks.iter_mut().flatten().flatten().for_each(|task| task.batch.held_bytes_max = bytes_max);
    }

    /// Runs batches until the settings, or the stopper, say stop. Told to stop, it ends the open batch, which has all that was
    /// received until then. If ticks are late none is open behind the running one: then what was received is logged for the next
    /// run; without a checkpoint it is run in one last batch.
    ///
    /// # Errors
    /// The first failure ends the run.
    pub fn run(&mut self) -> Result<Summary, RunError> {
        let span = self.span.clone();
        let _named = span.enter();
        let result = self.run_batches();
        let result = self.end(result);
        let result = self.keep_received(result);
        self.sources.stop();
        // What was left out of the log of the last batch is said before it is said that all is done.
        self.guests.end_logs();
        result.map(|()| self.reporter.summary(self.counters.totals()))
    }

    fn run_batches(&mut self) -> Result<(), RunError> {
        let last = self.recover()?;
        let now = self.clock.now();
        let mut tick = self.plan.interval.tick_after(last.map_or(now, |last| last.max(now)));
        self.settle()?;
        let mut late = None;
        // A batch that was run again may have been all.
        while self.reporter.batches() == 0 || !self.is_done() {
            // Only now: no batch may follow.
            late.take().iter().for_each(|late: &Late| late.tell(tick));
            tick = self.wait_for_room(tick)?;
            self.head_start(tick)?;
            let has_all = self.stopper.is_stopped() && self.clock.now() <= tick;
            self.batch(tick)?;
            if has_all {
                break;
            }
            let now = self.clock.now();
            (tick, late) = due::next_tick(self.plan.late_ticks, self.plan.interval, tick, now);
            if self.stopper.is_stopped() && tick <= now {
                if self.commits.has_keeper() || !self.sources.need_log() {
                    tracing::info!(
                        "batches are late: what came for them is not run, and stays with its source or in the input log"
                    );
                    break;
                }
                (tick, late) = (self.plan.interval.tick_after(now), None);
                tracing::info!(
                    "batches are late: what was received is run in one last batch, without a checkpoint to keep it"
                );
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        match self.until {
            Until::Stopped => false,
            Until::Batches(batches) => self.reporter.batches() >= batches,
            Until::Done => self.sources.are_used_up(),
        }
    }

    /// Until the tick, runs what has been received: the batch is open, but most of its work need not wait for its end.
    fn head_start(&mut self, tick: Timestamp) -> Result<(), RunError> {
        let mut due = Due::new(self.plan.interval, tick, self.clock.now());
        while !due.is_reached(self.clock.now()) && !self.stopper.is_stopped() {
            self.look_after_commit()?;
            let began = self.clock.now();
            let is_full = self.held_bytes() > self.held_bytes_max;
            let is_held = is_full || self.skipped.is_some() || self.is_short_of_room()?;
            let round = if is_held { Round::default() } else { self.sources.take_open(ROUND_BYTES)? };
            if round.is_empty() {
                self.reporter.held_back(is_full, tick);
                if self.clock.jumps() {
                    self.settle()?;
                }
                self.clock.wait(due.at(), &self.wake);
                continue;
            }
            self.reporter.add_rows(round.rows());
            for (stage, chunks) in round.by_stage() {
                if self.skipped.is_none() {
                    let ran = self.run_stage(stage, tick, Feed::Chunks(chunks), None);
                    self.unless_skipped(ran)?;
                }
            }
            self.reporter.add_ahead(self.clock.now().since(began));
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        let of_tasks: usize = self.tasks.iter().flatten().flatten().map(|task| task.held_bytes()).sum();
        of_tasks + self.exchanges.bytes() + self.outputs.held_bytes()
    }

    /// Runs the batch of a tick to its end.
    fn batch(&mut self, tick: Timestamp) -> Result<(), RunError> {
        let began = self.clock.now();
        let mut absent: Arc<[NodeId]> = self.sources.seal(tick)?.into();
        if self.skipped.is_none() {
            let ran = self.run_stages(tick, &absent);
            self.unless_skipped(ran)?;
        }
        let skipped = self.skipped.take();
        let mut rejections = Rejections::default();
        if skipped.is_some() {
            absent = self.skip()?;
        } else {
            self.tasks.iter().flatten().flatten().for_each(|task| rejections.merge(&task.batch.rejections));
        }
        let (intake, is_replayed) = (self.reporter.leave(), self.collected.is_some());
        let left = self.clock.now();
        let irregularities = Vec::new();
        let report = BatchReport { time: tick, began, left, intake, rejections, irregularities, skipped, is_replayed };
        self.leave(&absent, report)
    }

    /// Runs all stages for what the sealed sources still have.
    fn run_stages(&mut self, tick: Timestamp, absent: &Arc<[NodeId]>) -> Result<(), Failed> {
        for stage in 0..self.stages.stages.len() {
            let feed = match &self.stages.stages[stage].input {
                Input::Source(_) => Feed::Chunks(self.rest_of_source(stage, tick)?),
                Input::Exchanges(ids, sequence) => {
                    let rows = self.exchanges.take(ids, *sequence);
                    Feed::Rows(rows, self.share(stage, tick)?)
                }
            };
            self.run_stage(stage, tick, feed, Some(absent))?;
        }
        if !self.outputs.has_written() {
            return Ok(self.outputs.arrange(tick, None)?);
        }
        self.settle()?;
        Ok(self.outputs.arrange(tick, Some(&mut self.commits.idle().sinks))?)
    }

    /// What a sealed source still has: run round by round, the last one given back for the end of the batch.
    fn rest_of_source(&mut self, stage: usize, tick: Timestamp) -> Result<Vec<Vec<Arrived>>, Failed> {
        loop {
            let (chunks, end) = self.sources.take_sealed(stage, ROUND_BYTES)?;
            self.reporter.add_rows(chunks.iter().flatten().map(|arrived| arrived.rows() as u64).sum());
            if end {
                return Ok(chunks);
            }
            self.run_stage(stage, tick, Feed::Chunks(chunks), None)?;
        }
    }

    /// Runs a stage for all partitions, and takes what they leave. `end`: the batch ends, and these sources have none.
    fn run_stage(
        &mut self,
        stage: usize,
        time: Timestamp,
        feed: Feed,
        end: Option<&Arc<[NodeId]>>,
    ) -> Result<(), Failed> {
        self.look_after_commit()?;
        if self.stopper.is_out_of_time() {
            return Err(self.out_of_time(time).into());
        }
        let store = &mut self.store;
        let tasks = self.tasks[stage].iter_mut().enumerate().map(|(partition, task)| {
            let mut task = task.take().expect("no task is with a worker now");
            if !task.has_begun() {
                task.lend(store.lend(stage, partition));
            }
            task
        });
        let mut jobs: Vec<Job> = tasks.map(|task| Job::new(task, time, end.cloned())).collect();
        feed.give(&mut jobs);
        let mut left = Vec::new();
        let mut failed = None;
        for (partition, job) in (0u32..).zip(self.pool.run(jobs)) {
            // A batch that is skipped is gone for good: no other failure may hide behind that one.
            let is_worse = |failure: &TaskFailure| match &failed {
                None => true,
                Some(Failed::Batch(_)) => !failure.skips,
                Some(Failed::Run(_)) => false,
            };
            if let Some(failure) = job.failure.filter(is_worse) {
                let TaskFailure { stream, cause, .. } = failure;
                let pipeline = self.plan.name.clone();
                let error = match *cause {
                    Cause::OutOfTime => self.out_of_time(time),
                    _ => RunError::Operator { pipeline, stream, partition, batch: time, cause },
                };
                failed = Some(if failure.skips { Failed::Batch(error) } else { Failed::Run(error) });
            }
            left.extend(job.left);
            let mut task = job.task;
            if !task.has_begun() {
                self.store.take_back(partition as usize, task.give_back());
            }
            self.tasks[stage][partition as usize] = Some(task);
        }
        if let Some(failed) = failed {
            return Err(failed);
        }
        for left in left {
            match left {
                Left::Exchange(exchange, to, piece) => self.exchanges.put(exchange, to, piece),
                Left::Output(output, piece) => self.outputs.put(output, stage, time, piece)?,
            }
        }
        if self.outputs.has_many() {
            // Sinks get the rows of one batch after those of the other.
            self.settle()?;
            self.outputs.write(time, &mut self.commits.idle().sinks)?;
        }
        Ok(())
    }
}

/// Rows for the partitions of a stage.
enum Feed {
    /// By partition.
    Chunks(Vec<Vec<Arrived>>),
    /// For each partition what was left for it, and for all of them the side inputs.
    Rows(HashMap<u32, Vec<Slice>>, Option<Arc<[SharedRows]>>),
}

impl Feed {
    fn give(self, jobs: &mut [Job]) {
        match self {
            Feed::Chunks(chunks) => jobs.iter_mut().zip(chunks).for_each(|(job, chunks)| job.chunks = chunks),
            Feed::Rows(mut rows, shared) => {
                for (partition, job) in (0u32..).zip(jobs) {
                    job.rows = rows.remove(&partition).unwrap_or_default();
                    job.shared = shared.clone();
                }
            }
        }
    }
}
