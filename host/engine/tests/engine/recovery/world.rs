//! What is there besides a run, and outlives it: storage, feeds, sinks.

mod heard;
mod peers;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tempfile::TempDir;
use tidemill_checkpoint::{
    Budget, CheckpointError, History, Keep, LocalFolder, MemoryStorage, Past, PluginDigest, Storage,
};
use tidemill_connect::system::{ManualClock, Threads};
use tidemill_engine::{
    Foreseen, OpenSources, Parts, Run, RunError, Settings, Summary, Until,
    checkpoint::{Checkpoint, Failpoints, Point, SnapshotAfter},
    foresee,
    replay::{ReplayError, ReplayParts, Replayed, logged, replay},
};
use tidemill_model::{
    connector,
    ports::{Clock, Sink, Spawn, Wake},
    testing::disk::ForgetfulDisk,
    time::Timestamp,
};
use tidemill_plan::graph::{Output, Plan};

use crate::{guests::guests, harness, sink::Written, spawn::CommitsAtOnce};
pub use heard::heard;
use peers::{Exactly, Live};

/// A point at which a run is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub point: Point,
    pub after: bool,
    pub batch: Timestamp,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Done,
    Stopped,
}

/// Rows of an output's batch by partition, as text.
pub type Rows = Vec<Vec<String>>;

/// Words that come at a time. What a run takes is gone.
pub type Feed = Arc<Mutex<VecDeque<(Timestamp, Vec<String>)>>>;

/// What sinks have got: by output and time, and how often something was delivered.
#[derive(Clone, Default)]
pub struct Delivered {
    batches: BTreeMap<(String, Timestamp), Rows>,
    count: usize,
}

/// See the module.
pub struct World {
    pub text: String,
    pub partitions: u32,
    pub workers: usize,
    pub seed: u64,
    pub fresh_instances: bool,
    pub storage: Arc<MemoryStorage>,
    pub keep: Keep,
    pub plugins: Vec<PluginDigest>,
    pub budget: Budget,
    pub snapshot_after: SnapshotAfter,
    pub live: String,
    pub feed: Feed,
    pub delivered: Arc<Mutex<Delivered>>,
    pub runs: Arc<Mutex<u64>>,
    /// The stream's peer keeps its words until it is told that they are durable, so nothing goes from the feed; how much
    /// it was told.
    pub acknowledged: Option<Arc<Mutex<usize>>>,
    /// Another stream of words, with what its peer was told if it keeps them.
    pub second: Option<SecondFeed>,
    /// Of all runs; without it each has one that begins at 0.
    pub clock: Option<Arc<dyn Clock>>,
    /// For workers and snapshots.
    pub spawn: Arc<dyn Spawn>,
    /// What a sink does not do, once.
    pub broken: Arc<Mutex<Option<Broken>>>,
    /// What the stream `live` does not do, once.
    pub broken_source: Arc<Mutex<Option<BrokenSource>>>,
    /// Sees every point before it is made, and behind it.
    pub on_point: Option<OnPoint>,
    /// Sees every question that a sink is asked, before the answer.
    pub on_ask: Option<OnAsk>,
    /// The outputs whose places were made, where sinks say whether theirs was.
    pub places: Option<Arc<Mutex<BTreeSet<String>>>>,
    /// Where the checkpoint lies, and the files of outputs that are files, if not in memory.
    pub on_disk: Option<Arc<OnDisk>>,
    /// Rows for sinks are written as soon as there are any, as those of large batches are.
    pub early: bool,
    /// So much of a batch an operator may hold, if it is less than by default.
    pub operator_bytes: Option<usize>,
}

/// A stream that is fed, its lines, and how many of them were acknowledged if it wants to know.
pub type SecondFeed = (String, Feed, Option<Arc<Mutex<usize>>>);

/// A point of an output's batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    pub output: &'static str,
    /// Else it is delivered.
    pub is_prepared: bool,
    pub batch: Timestamp,
}

impl Broken {
    /// Stands for the batch where an output does not begin.
    pub const BEGINS: Timestamp = Timestamp(i64::MIN);
}

/// A call of a source whose batch it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenSource {
    /// Else it is sealed.
    pub is_taken: bool,
    pub batch: Timestamp,
}

/// Told of a point, whether it was made, and of what batch.
pub type OnPoint = Arc<dyn Fn(Point, bool, Timestamp) + Send + Sync>;

/// Told what a sink is asked.
pub type OnAsk = Arc<dyn Fn(&str) + Send + Sync>;

/// A folder of a disk that forgets.
pub struct OnDisk {
    pub root: TempDir,
    pub disk: Arc<ForgetfulDisk>,
}

/// Waits that a run may make: with more of them it waits for what never comes. A thread of another one's may take real time
/// while this clock takes none.
const WAITS_MAX: u64 = 5_000_000;

/// A clock that jumps to whatever is waited for, and ends a test that waits for ever.
struct Patient {
    clock: ManualClock,
    waits: AtomicU64,
}

impl Patient {
    fn new() -> Patient {
        Patient { clock: ManualClock::new(Timestamp(0)), waits: AtomicU64::new(0) }
    }
}

impl Clock for Patient {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn wait(&self, deadline: Timestamp, wake: &Wake) {
        let waits = self.waits.fetch_add(1, Ordering::Relaxed);
        assert!(waits < WAITS_MAX, "it waits for ever: it is {} and it waits for {deadline}", self.now());
        self.clock.wait(deadline, wake);
    }
}

/// Does at once what threads are for: with one worker, and where what is there at a stop must always be the same.
pub struct AtOnce;

impl Spawn for AtOnce {
    fn spawn(&self, _name: String, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

impl World {
    /// A pipeline whose stream `live` gets these words at these seconds.
    pub fn new(text: &str, live: &str, words: &[(i64, &[&str])]) -> World {
        World {
            text: text.to_owned(),
            partitions: 4,
            workers: 2,
            seed: 7,
            fresh_instances: false,
            storage: Arc::default(),
            keep: Keep { batches: 2, bytes: 1 << 20 },
            plugins: Vec::new(),
            budget: Budget::UNBOUNDED,
            snapshot_after: SnapshotAfter { bytes_min: 1 << 30, commits_max: 2 },
            live: live.to_owned(),
            feed: feed_of(words),
            delivered: Arc::default(),
            runs: Arc::default(),
            acknowledged: None,
            second: None,
            clock: None,
            spawn: Arc::new(CommitsAtOnce),
            broken: Arc::default(),
            broken_source: Arc::default(),
            on_point: None,
            on_ask: None,
            places: None,
            on_disk: None,
            early: false,
            operator_bytes: None,
        }
    }

    /// A run that takes the checkpoint over.
    pub fn open(&self) -> Result<Run, RunError> {
        self.open_with(Some(self.checkpoint(None)?))
    }

    /// What a run would do.
    pub fn foresee(&self) -> Result<Foreseen, RunError> {
        let plan = harness::plan(&self.text, self.partitions);
        let sources = self.sources(&plan, &Wake::default());
        let storage: Arc<dyn Storage> = self.storage.clone();
        foresee(&plan, sources, self.sinks(&plan)?, true, Some(&storage))
    }

    /// Runs until the sources are used up, or to a point.
    pub fn run(&self, stop: Option<Stop>) -> Ended {
        let checkpoint = self.checkpoint(stop);
        ended(checkpoint.and_then(|checkpoint| self.open_with(Some(checkpoint))?.run().map(drop)))
    }

    pub fn run_without_checkpoint(&self) -> Ended {
        ended(self.open_with(None).and_then(|mut run| run.run().map(drop)))
    }

    /// A world of its own in which everything is as it is now.
    pub fn copy(&self) -> World {
        World {
            text: self.text.clone(),
            plugins: self.plugins.clone(),
            storage: Arc::new(self.storage.copy()),
            live: self.live.clone(),
            feed: Arc::new(Mutex::new(self.feed.lock().unwrap().clone())),
            delivered: Arc::new(Mutex::new(self.delivered.lock().unwrap().clone())),
            runs: Arc::new(Mutex::new(*self.runs.lock().unwrap())),
            acknowledged: self.acknowledged.as_ref().map(|told| Arc::new(Mutex::new(*told.lock().unwrap()))),
            second: self.second.as_ref().map(|(stream, feed, told)| {
                let told = told.as_ref().map(|told| Arc::new(Mutex::new(*told.lock().unwrap())));
                (stream.clone(), Arc::new(Mutex::new(feed.lock().unwrap().clone())), told)
            }),
            clock: self.clock.clone(),
            spawn: self.spawn.clone(),
            broken: Arc::default(),
            broken_source: Arc::default(),
            on_point: self.on_point.clone(),
            on_ask: self.on_ask.clone(),
            places: self.places.clone(),
            on_disk: self.on_disk.clone(),
            ..*self
        }
    }

    /// A sink has this batch, whatever came of it: it had been given it when the run stopped.
    pub fn has(&self, output: &str, batch: Timestamp) {
        self.delivered.lock().unwrap().batches.insert((output.to_owned(), batch), Rows::new());
    }

    /// What was not synced is lost.
    pub fn lose_power(&self) {
        self.storage.restart(|_, _| 0);
    }

    /// The files of the log. What a run that was stopped has begun beside it may go on.
    pub fn log(&self) -> BTreeMap<String, Vec<u8>> {
        self.storage.files().into_iter().filter(|(name, _)| name.starts_with("log/")).collect()
    }

    /// What the checkpoint holds.
    pub fn history(&self) -> History {
        let storage: Arc<dyn Storage> = self.storage.clone();
        History::of(&storage).unwrap().expect("a run has begun")
    }

    /// Runs a past batch again.
    pub fn replay(&self, history: &History, past: &Past) -> Result<Replayed, ReplayError> {
        let plan = harness::plan(&self.text, self.partitions);
        let mut sources = harness::sources(&plan, &Wake::default(), |_, source| source);
        let logged = logged(&plan, history, past);
        sources.retain(|(node, _)| !logged.contains(&plan.nodes[node.0].name));
        let parts = ReplayParts {
            rows_max: vec![None; plan.outputs.len()],
            plan,
            plugins: guests().plugins(),
            sources,
            clock: Arc::new(ManualClock::new(Timestamp(0))),
            spawn: Arc::new(CommitsAtOnce),
            history,
            past,
        };
        replay(parts, 2, 99)
    }

    fn checkpoint(&self, stop: Option<Stop>) -> Result<Checkpoint, RunError> {
        let mut runs = self.runs.lock().unwrap();
        *runs += 1;
        let storage: Arc<dyn Storage> = match &self.on_disk {
            None => self.storage.clone(),
            Some(on) => {
                let opened = LocalFolder::open_on(on.disk.disk(), on.root.path().join("checkpoint"), *runs);
                Arc::new(opened.map_err(CheckpointError::from)?)
            }
        };
        let checkpoint = Checkpoint::new(storage, format!("run {runs}"), self.plugins.clone());
        let (keep, budget, snapshot_after) = (self.keep, self.budget, self.snapshot_after);
        let failpoints = Box::new(Seen { stop: StopAt(stop), on_point: self.on_point.clone() });
        Ok(Checkpoint { keep, budget, snapshot_after, failpoints, ..checkpoint })
    }

    /// The sources of a plan, fed where they are to be.
    fn sources(&self, plan: &Plan, wake: &Wake) -> OpenSources {
        harness::sources(plan, wake, |stream, source| {
            let (feed, acknowledged) = match &self.second {
                _ if stream == self.live => (self.feed.clone(), self.acknowledged.clone()),
                Some((second, feed, acknowledged)) if stream == second => (feed.clone(), acknowledged.clone()),
                _ => return source,
            };
            let schema = source.schema().clone();
            let broken = self.broken_source.clone();
            Box::new(Live { broken, schema, feed, sealed: None, acknowledged, place: 0, pinned: 0, is_open: false })
        })
    }

    /// Sinks for the outputs of a plan. Those of the disk have names of their own for what each run prepares.
    fn sinks(&self, plan: &Plan) -> Result<Vec<Box<dyn Sink>>, RunError> {
        let clock = Arc::new(ManualClock::new(Timestamp(*self.runs.lock().unwrap() as i64)));
        let open = |output: &Output| -> Result<Box<dyn Sink>, RunError> {
            let (Some(_), Some(on)) = (output.sink.folder(), &self.on_disk) else {
                let (delivered, broken) = (self.delivered.clone(), self.broken.clone());
                return Ok(Box::new(Exactly {
                    output: output.name.clone(),
                    written: Written::default(),
                    prepared: None,
                    delivered,
                    broken,
                    on_ask: self.on_ask.clone(),
                    places: self.places.clone(),
                }));
            };
            let root = on.root.path().to_owned();
            let mut world =
                connector::World::new(clock.clone(), Arc::new(Threads), root, Arc::new(Mutex::new(Vec::<u8>::new())));
            world.disk = on.disk.disk();
            world.run = *self.runs.lock().unwrap();
            let opened = output.sink.open(&output.name, &world);
            opened.map_err(|error| RunError::Sink { output: output.name.clone(), batch: Timestamp(0), error })
        };
        plan.outputs.iter().map(open).collect()
    }

    /// Runs as many batches as are asked for, unless the sources are used up before.
    pub fn run_batches(&self, batches: u64) -> Result<Summary, RunError> {
        self.open_until(Some(self.checkpoint(None)?), Until::Batches(batches)).and_then(|mut run| run.run())
    }

    fn open_with(&self, checkpoint: Option<Checkpoint>) -> Result<Run, RunError> {
        self.open_until(checkpoint, Until::Done)
    }

    fn open_until(&self, checkpoint: Option<Checkpoint>, until: Until) -> Result<Run, RunError> {
        let plan = harness::plan(&self.text, self.partitions);
        let wake = Wake::default();
        let sources = self.sources(&plan, &wake);
        let sinks = self.sinks(&plan)?;
        let clock = self.clock.clone().unwrap_or_else(|| Arc::new(Patient::new()));
        let plugins = guests().plugins();
        let spawn = self.spawn.clone();
        let parts = Parts { plan, plugins, sources, sinks, clock, wake, spawn, checkpoint };
        let (seed, fresh_instances) = (self.seed, self.fresh_instances);
        let settings = Settings { workers: self.workers, seed, fresh_instances, until };
        let mut run = Run::try_new(parts, &settings)?;
        if self.early {
            run.hold_outputs(0);
        }
        if let Some(bytes_max) = self.operator_bytes {
            run.hold_in_operators(bytes_max);
        }
        Ok(run)
    }

    /// What sinks have of the batches up to a time. An output without rows has nothing.
    pub fn delivered_until(&self, last: Timestamp) -> BTreeMap<(String, Timestamp), Rows> {
        let delivered = self.delivered.lock().unwrap();
        let batches = delivered
            .batches
            .iter()
            .filter(|((_, time), rows)| *time <= last && rows.iter().any(|rows| !rows.is_empty()));
        batches.map(|(place, rows)| (place.clone(), rows.clone())).collect()
    }

    /// The same, whatever the partitions.
    pub fn rows_until(&self, last: Timestamp) -> BTreeMap<(String, Timestamp), Vec<String>> {
        let sorted = |rows: Rows| {
            let mut rows = rows.concat();
            rows.sort();
            rows
        };
        self.delivered_until(last).into_iter().map(|(place, rows)| (place, sorted(rows))).collect()
    }

    /// The batches that an output has got.
    pub fn batches_of(&self, output: &str) -> Vec<Timestamp> {
        let delivered = self.delivered.lock().unwrap();
        delivered.batches.keys().filter(|(name, _)| name == output).map(|(_, time)| *time).collect()
    }

    /// How often a sink was given a batch.
    pub fn deliveries(&self) -> usize {
        self.delivered.lock().unwrap().count
    }
}

/// A sink of an output that keeps what it gets, and refuses a batch that it gets again as another one.
pub fn exactly(output: &str, delivered: &Arc<Mutex<Delivered>>) -> Box<dyn Sink> {
    let (output, delivered, broken) = (output.to_owned(), delivered.clone(), Arc::default());
    let (on_ask, places) = (None, None);
    Box::new(Exactly { output, written: Written::default(), prepared: None, delivered, broken, on_ask, places })
}

impl Delivered {
    /// Every batch that an output has, with its rows by part.
    pub fn batches(&self) -> impl Iterator<Item = (&(String, Timestamp), &Rows)> {
        self.batches.iter()
    }

    /// All rows that sinks have.
    pub fn rows(&self) -> impl Iterator<Item = &String> {
        self.batches.values().flatten().flatten()
    }
}

/// Words that come at these seconds.
pub fn feed_of(words: &[(i64, &[&str])]) -> Feed {
    let words = words
        .iter()
        .map(|(second, words)| (Timestamp(second * 1_000_000), words.iter().map(|&word| word.to_owned()).collect()));
    Arc::new(Mutex::new(words.collect()))
}

fn ended(result: Result<(), RunError>) -> Ended {
    match result {
        Ok(()) => Ended::Done,
        Err(RunError::Failpoint { .. }) => Ended::Stopped,
        Err(error) => panic!("{error}"),
    }
}

/// Stops at a point, once.
pub struct StopAt(pub Option<Stop>);

impl Failpoints for StopAt {
    fn stops(&mut self, point: Point, after: bool, batch: Timestamp) -> bool {
        self.0.take_if(|stop| *stop == Stop { point, after, batch }).is_some()
    }
}

/// The same, told of every point.
struct Seen {
    stop: StopAt,
    on_point: Option<OnPoint>,
}

impl Failpoints for Seen {
    fn stops(&mut self, point: Point, after: bool, batch: Timestamp) -> bool {
        self.on_point.iter().for_each(|on_point| on_point(point, after, batch));
        self.stop.stops(point, after, batch)
    }
}
