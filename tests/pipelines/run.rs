//! Runs a pipeline file and keeps what it prints.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tidemill_checkpoint::MemoryStorage;
use tidemill_connect::{
    CONNECTORS,
    system::{ManualClock, Threads},
};
use tidemill_engine::{
    Parts, Run, RunError, Settings, Until,
    checkpoint::{Checkpoint, Failpoints, Point},
    open_sinks, open_sources,
};
use tidemill_model::{connector::World, time::Timestamp};
use tidemill_plan::{Manifest, Override, graph::Plan};
use tidemill_tests::repository;

use crate::plugins::Plugins;

/// A pipeline's text, where its files are, and what is replaced in it.
pub struct Pipeline {
    text: String,
    folder: PathBuf,
    overrides: Vec<Override>,
}

/// A way to run it.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// `None`: what the pipeline says.
    partitions: Option<u32>,
    workers: usize,
    fresh_instances: bool,
    seed: u64,
}

impl Mode {
    /// As the pipeline says, with one worker.
    pub const PLAIN: Mode = Mode { partitions: None, workers: 1, fresh_instances: false, seed: 1 };

    /// These must print the same bytes.
    pub const SAME_ORDER: [Mode; 3] = [
        Mode { workers: 3, ..Mode::PLAIN },
        Mode { fresh_instances: true, ..Mode::PLAIN },
        Mode { workers: 2, fresh_instances: true, seed: 0xfeed, ..Mode::PLAIN },
    ];

    /// These must print the same rows.
    pub const OTHER_ORDER: [Mode; 3] = [
        Mode { partitions: Some(1), ..Mode::PLAIN },
        Mode { partitions: Some(7), workers: 2, ..Mode::PLAIN },
        Mode { partitions: Some(32), fresh_instances: true, ..Mode::PLAIN },
    ];
}

impl Pipeline {
    /// The case in a folder.
    pub fn read(folder: &Path) -> Pipeline {
        let options = fs::read_to_string(folder.join("options")).unwrap_or_default();
        let mut options = options.lines();
        let file = options.next().map_or(folder.join("pipeline.toml"), |file| repository().join(file));
        let overrides = options.map(|option| option.parse().unwrap()).collect();
        Pipeline { text: fs::read_to_string(&file).unwrap(), folder: file.parent().unwrap().to_owned(), overrides }
    }

    fn plan(&self, mode: Mode) -> (Plan, Plugins) {
        let mut overrides = self.overrides.clone();
        overrides.extend(mode.partitions.map(|number| format!("pipeline.partitions={number}").parse().unwrap()));
        let (manifest, mut diagnostics) = Manifest::read("pipeline.toml", &self.text, &overrides, CONNECTORS);
        let plugins = Plugins::of(manifest.plugins());
        let plan = manifest.resolve(&plugins, &mut diagnostics);
        (plan.unwrap_or_else(|| panic!("{}", diagnostics.render(false))), plugins)
    }
}

/// What the pipeline prints until its sources are used up.
pub fn printed(pipeline: &Pipeline, mode: Mode) -> String {
    let stdout = Arc::default();
    run(pipeline, mode, &stdout, None).unwrap();
    text(&stdout)
}

/// What it prints when it is stopped at a point of each of the first batches, and goes on from its checkpoint each time;
/// and how often that was. Once all is done a run has one batch more, without rows.
pub fn printed_with_stops(
    pipeline: &Pipeline,
    mode: Mode,
    (point, after): (Point, bool),
    batches: usize,
) -> (String, usize) {
    let (stdout, storage, stopped) = (Arc::default(), Arc::new(MemoryStorage::new()), Arc::default());
    for stops in 0.. {
        let failpoints = Box::new(OnceEach { point, after, batches, stopped: Arc::clone(&stopped) });
        let checkpoint = Checkpoint::new(storage.clone(), format!("run {stops}"), Vec::new());
        match run(pipeline, mode, &stdout, Some(Checkpoint { failpoints, ..checkpoint })) {
            Ok(()) => return (text(&stdout), stops),
            Err(RunError::Failpoint { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("there are fewer batches than numbers")
}

/// Stops at a point, once for each batch.
struct OnceEach {
    point: Point,
    after: bool,
    batches: usize,
    stopped: Arc<Mutex<BTreeSet<Timestamp>>>,
}

impl Failpoints for OnceEach {
    fn stops(&mut self, point: Point, after: bool, batch: Timestamp) -> bool {
        let mut stopped = self.stopped.lock().unwrap();
        (point, after) == (self.point, self.after) && stopped.len() < self.batches && stopped.insert(batch)
    }
}

fn text(stdout: &Mutex<Vec<u8>>) -> String {
    String::from_utf8(stdout.lock().unwrap().clone()).unwrap()
}

fn run(
    pipeline: &Pipeline,
    mode: Mode,
    stdout: &Arc<Mutex<Vec<u8>>>,
    checkpoint: Option<Checkpoint>,
) -> Result<(), RunError> {
    let (plan, plugins) = pipeline.plan(mode);
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let mut world = World::new(clock.clone(), Arc::new(Threads), pipeline.folder.clone(), stdout.clone());
    world.until_done = true;
    let (sources, sinks) = (open_sources(&plan, &world).unwrap(), open_sinks(&plan, &world).unwrap());
    let World { spawn, wake, .. } = world;
    let parts = Parts { plan, plugins: plugins.0, sources, sinks, clock, wake, spawn, checkpoint };
    let Mode { workers, fresh_instances, seed, .. } = mode;
    let settings = Settings { workers, seed, fresh_instances, until: Until::Done };
    Run::try_new(parts, &settings)?.run().map(drop)
}
