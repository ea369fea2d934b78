//! A host: one start of the engine, from opening the checkpoint to whatever ends it.

mod clock;
mod points;
mod sink;
mod source;
mod storage;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tidemill_checkpoint::{Budget, CheckpointError, Keep};
use tidemill_engine::{
    Parts, Run, RunError, Settings, Summary, Until,
    checkpoint::{Checkpoint, RestoreError, SnapshotAfter},
};
use tidemill_model::ports::{Sink, Wake};
use tidemill_plan::graph::{LateTicks, NodeId, Output, Plan};

use crate::{
    scenario::{Edition, Trouble},
    simulation::Simulation,
    world::{HostId, HostState, World},
};
use clock::{SimulatedClock, Threads};
use points::Points;
use sink::SimulatedSink;
use storage::SimulatedStorage;

/// How a host ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It has run everything, and nobody else has taken over.
    Done,
    /// Anything else.
    Early,
}

/// What a host is started with.
struct Start {
    partitions: u32,
    settings: Settings,
    skew_micros: i64,
    /// Rows for sinks are written while their batch is open when there are more bytes of them.
    held_bytes_max: usize,
    /// How long a batch may go on behind a stop.
    stop_within: Duration,
    late_ticks: LateTicks,
}

/// Runs a host from its start to its end.
pub(crate) fn run(simulation: &Arc<Simulation>, id: HostId) -> Ended {
    let (start, edition) = {
        let mut world = simulation.world();
        let start = start(&mut world);
        world.hosts[id].skew_micros = start.skew_micros;
        world.hosts[id].is_opening = true;
        let Settings { workers, fresh_instances, .. } = start.settings;
        let edition = world.hosts[id].edition;
        world.note(&format!(
            "host {id} starts: {} partitions, {workers} workers, fresh {fresh_instances}, {} µs ahead, {edition:?}, holds {} bytes, \
             stops within {:?}, late ticks {:?}",
            start.partitions, start.skew_micros, start.held_bytes_max, start.stop_within, start.late_ticks
        ));
        (start, edition)
    };
    let plan = match simulation.plan(edition) {
        Ok(plan) => {
            Plan { partitions: start.partitions, stop_within: start.stop_within, late_ticks: start.late_ticks, ..plan }
        }
        Err(what) => {
            simulation.world().broken(what);
            return Ended::Early;
        }
    };
    let opened = Run::try_new(parts(simulation, id, plan, edition), &start.settings).map(|mut run| {
        run.hold_outputs(start.held_bytes_max);
        run
    });
    simulation.world().hosts[id].is_opening = false;
    let result = opened.and_then(|mut run| {
        simulation.world().hosts[id].stopper = Some(run.stopper());
        run.run()
    });
    simulation.world().end(id, result)
}

/// What may differ from host to host.
fn start(world: &mut World) -> Start {
    let random = &mut world.random;
    let skew_micros = match random.between(1, 6) {
        1 => 3_000_000,
        2 => -3_000_000,
        _ => 0,
    };
    let (workers, seed, fresh_instances) = (random.length(1, 3), random.next(), random.once_in(6));
    let settings = Settings { workers, seed, fresh_instances, until: Until::Done };
    let partitions = random.pick(&[1, 2, 2, 2, 3]);
    let held_bytes_max = world.of_writing.pick(&[0, 100, usize::MAX]);
    let stop_within = Duration::from_millis(world.of_stops.pick(&[0, 100, 1_000, 30_000]));
    let late_ticks = world.of_stops.pick(&[LateTicks::Each, LateTicks::Merge]);
    Start { partitions, settings, skew_micros, held_bytes_max, stop_within, late_ticks }
}

fn parts(simulation: &Arc<Simulation>, id: HostId, plan: Plan, edition: Edition) -> Parts {
    let sources = plan.nodes.iter().enumerate().filter_map(|(index, node)| {
        node.source()?;
        let stream = simulation.scenario.sources(edition).find(|stream| node.name == edition.name(stream));
        let stream = stream.expect("the scenario has all sources of its pipeline");
        Some((NodeId(index), source::source(simulation, id, stream, &node.schema)))
    });
    let outputs = &simulation.scenario.outputs;
    let sink = |output: &Output| -> Box<dyn Sink> {
        // Dead letters have theirs behind all others.
        let place = outputs.iter().position(|spec| spec.name == output.name);
        Box::new(SimulatedSink::new(
            simulation.clone(),
            id,
            place.expect("the scenario has all outputs of its pipeline"),
        ))
    };
    Parts {
        plugins: simulation.plugins.clone(),
        sources: sources.collect(),
        sinks: plan.outputs.iter().map(sink).collect(),
        clock: Arc::new(SimulatedClock::new(simulation.clone(), id)),
        wake: Wake::default(),
        spawn: Arc::new(Threads::new(simulation.clone(), id)),
        checkpoint: Some(checkpoint(simulation, id)),
        plan,
    }
}

fn checkpoint(simulation: &Arc<Simulation>, id: HostId) -> Checkpoint {
    let storage = Arc::new(SimulatedStorage::new(simulation.clone(), id));
    let keep = Keep { batches: simulation.scenario.keep_batches, bytes: 1 << 20 };
    let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max: simulation.scenario.snapshot_commits };
    let failpoints = Box::new(Points::new(simulation.clone(), id));
    let checkpoint = Checkpoint::new(storage, format!("host {id}"), Vec::new());
    let bytes_max = simulation.world().budget_bytes;
    let budget = Budget { bytes_max, free_bytes_min: simulation.scenario.free_bytes_min };
    Checkpoint { keep, budget, snapshot_after, failpoints, ..checkpoint }
}

impl World {
    /// Judges how a host ended.
    fn end(&mut self, id: HostId, result: Result<Summary, RunError>) -> Ended {
        let is_owner = self.owner == Some(id);
        let host = &mut self.hosts[id];
        let (is_down, is_stopped) = (host.is_down, host.is_stopped);
        let is_excused = is_down || host.has_met_errors || !is_owner;
        let work = std::mem::take(&mut host.work);
        match &result {
            Ok(summary) => self.note(&format!("host {id} ends after {} batches", summary.batches)),
            Err(error) => self.note(&format!("host {id} ends: {error}")),
        }
        if let Err(error) = &result
            && self.broken.is_none()
            && !self.is_of_pipeline(id, error)
            && (!is_excused || (is_owner && is_never_right(error)))
        {
            self.broken(format!("host {id} ends without a reason: {error}"));
        }
        // A process that ends takes its threads with it; a library's may go on.
        if !is_down && self.random.once_in(2) {
            self.late_work.extend(work);
        }
        let is_done = result.is_ok() && is_owner && !is_down && !is_stopped;
        self.hosts[id].summary = result.ok();
        if is_done { Ended::Done } else { Ended::Early }
    }

    /// Whether an error is right because of what the host's pipeline says. The operator mends the next one.
    fn is_of_pipeline(&mut self, id: HostId, error: &RunError) -> bool {
        let edition = self.hosts[id].edition;
        match error {
            RunError::Operator { stream, .. } => {
                let stops = self.trouble == Trouble::Stop && !edition.skips;
                self.is_stopped_by_function |= stops;
                stops && matches!(&stream[..], "taken" | "behind")
            }
            RunError::OutOfTime { .. } => self.hosts[id].is_stopped,
            RunError::Undeliverable { output, .. } if !edition.has_passing_outputs => {
                self.lacks_output = true;
                self.outputs.iter().any(|known| known.spec.is_passing && known.spec.name == output)
            }
            _ => false,
        }
    }
}

/// Errors that no fault of the simulation is an excuse for, while the host owns the checkpoint.
fn is_never_right(error: &RunError) -> bool {
    let of_checkpoint = |error: &CheckpointError| {
        !matches!(
            error,
            CheckpointError::Storage(_)
                | CheckpointError::Uncertain { .. }
                | CheckpointError::InputFailed { .. }
                | CheckpointError::Contended { .. }
        )
    };
    match error {
        RunError::Failpoint { .. } | RunError::Source { .. } | RunError::Sink { .. } | RunError::Place { .. } => false,
        // Only a host that was told to stop.
        RunError::OutOfTime { .. } => false,
        RunError::Checkpoint(error) => of_checkpoint(error),
        RunError::Restore(error) => match &**error {
            RestoreError::Checkpoint(error) => of_checkpoint(error),
            _ => true,
        },
        _ => true,
    }
}

impl HostState {
    /// One that is about to start.
    pub fn new(edition: Edition) -> HostState {
        HostState {
            edition,
            is_down: false,
            has_met_errors: false,
            is_opening: false,
            is_stopped: false,
            sealed: BTreeMap::new(),
            summary: None,
            planning: None,
            committing: None,
            skew_micros: 0,
            stopper: None,
            work: Vec::new(),
        }
    }

    /// Tells it to stop, if it runs.
    pub fn stop(&mut self) {
        if let Some(stopper) = &self.stopper {
            self.is_stopped = true;
            stopper.stop();
        }
    }
}
