//! Runs a case's pipeline through the engine, on a clock that nobody waits for.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Result, anyhow};
use tidemill_checkpoint::MemoryStorage;
use tidemill_connect::{
    CONNECTORS,
    system::{ManualClock, Threads},
};
use tidemill_engine::{
    Parts, Run, RunError, Settings, Until,
    checkpoint::{Checkpoint, Failpoints, Point},
    open_sources,
};
use tidemill_model::{
    connector::World,
    ports::{Sink, Source, Spawn},
    time::Timestamp,
};
use tidemill_plan::{
    Manifest,
    graph::{NodeId, Plan},
};

use crate::{
    case::Case,
    compile::{Compiled, INPUTS},
    lanes::{self, Lanes},
    plugin::Named,
    sink::{Keeping, Log, SharedLog},
};

/// A way to run a case. All give the same.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    pub partitions: u32,
    pub workers: usize,
    pub chunk_rows: usize,
    pub fresh: bool,
    /// It is stopped there once in each batch, and goes on from its checkpoint.
    pub stop: Option<(Point, bool)>,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub log: Log,
    /// Why it ended early.
    pub error: Option<String>,
}

/// Commits each batch before the next one begins.
struct CommitsAtOnce;

impl Spawn for CommitsAtOnce {
    fn spawn(&self, name: String, work: Box<dyn FnOnce() + Send>) {
        if name == "commit" { work() } else { Threads.spawn(name, work) }
    }
}

/// Stops at a point, once for each of so many batches.
struct OnceEach {
    point: (Point, bool),
    batches: usize,
    stopped: Arc<Mutex<BTreeSet<Timestamp>>>,
}

impl Failpoints for OnceEach {
    fn stops(&mut self, point: Point, after: bool, batch: Timestamp) -> bool {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        (point, after) == self.point && stopped.len() < self.batches && stopped.insert(batch)
    }
}

/// What a case's pipeline is, or why it is refused.
pub fn plan(compiled: &Compiled, partitions: u32, named: &Named) -> Result<Plan> {
    let (manifest, mut diagnostics) = Manifest::read("case.toml", &compiled.text(partitions), &[], CONNECTORS);
    manifest.resolve(named, &mut diagnostics).ok_or_else(|| anyhow!(diagnostics.render(false)))
}

/// Runs a case once, with as many restarts as its mode asks for.
pub fn run(case: &Case, compiled: &Compiled, mode: Mode, named: &Named) -> Result<Outcome> {
    let (log, storage, stopped) = (SharedLog::default(), Arc::new(MemoryStorage::new()), Arc::default());
    // Once all is done a run has one batch more, without rows.
    for restarts in 0..=case.ticks() + 1 {
        let checkpoint = mode.stop.map(|point| {
            let failpoints = Box::new(OnceEach { point, batches: case.ticks(), stopped: Arc::clone(&stopped) });
            let checkpoint = Checkpoint::new(storage.clone(), format!("run {restarts}"), Vec::new());
            Checkpoint { failpoints, ..checkpoint }
        });
        let mut run = open(case, plan(compiled, mode.partitions, named)?, (mode, checkpoint), named, &log)?;
        let error = match run.run() {
            Ok(_) => None,
            Err(RunError::Failpoint { .. }) => continue,
            Err(error) => Some(said(&error)),
        };
        return Ok(Outcome { log: log.lock().clone(), error });
    }
    Err(anyhow!("it was stopped at more batches than there are"))
}

fn said(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {}", said(source)));
    format!("{error}{}", source.unwrap_or_default())
}

fn open(
    case: &Case,
    plan: Plan,
    (mode, checkpoint): (Mode, Option<Checkpoint>),
    named: &Named,
    log: &SharedLog,
) -> Result<Run> {
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let stdout = Arc::new(Mutex::new(Vec::<u8>::new()));
    let world = World::new(clock.clone(), Arc::new(CommitsAtOnce), ".".into(), stdout);
    let given = |(id, source): (NodeId, Box<dyn Source>)| {
        let given = input(case, &plan.node(id).name, source.schema());
        (id, given.map_or(source, |given| Box::new(given.with(mode)) as Box<dyn Source>))
    };
    let sources = open_sources(&plan, &world)?.into_iter().map(given).collect();
    let sinks = plan.outputs.iter().map(|output| Box::new(Keeping::new(&output.name, log)) as Box<dyn Sink>);
    let sinks = sinks.collect();
    let World { spawn, wake, .. } = world;
    let parts = Parts { plan, plugins: named.plugins(), sources, sinks, clock, wake, spawn, checkpoint };
    let settings = Settings { workers: mode.workers, seed: 7, fresh_instances: mode.fresh, until: Until::Done };
    Ok(Run::try_new(parts, &settings)?)
}

/// An input before it is known how it is cut into chunks.
struct Input {
    schema: tidemill_model::schema::Schema,
    given: lanes::Given,
}

impl Input {
    fn with(&self, mode: Mode) -> Lanes {
        Lanes::new(&self.schema, &self.given, mode.chunk_rows, mode.fresh)
    }
}

/// What a case gives to a stream; `None`: it is none of the inputs.
fn input(case: &Case, stream: &str, schema: &tidemill_model::schema::Schema) -> Option<Input> {
    let batches = match INPUTS.iter().position(|input| *input == stream)? {
        0 => case.input(),
        _ => case.input_batches_2.clone().unwrap_or_default(),
    };
    let given = lanes::cut(schema, &batches, case.ticks(), case.params.input_partitions as usize);
    Some(Input { schema: schema.clone(), given })
}
