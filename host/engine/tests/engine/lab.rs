//! Whole runs whose clock, sources and checkpoint are a test's own: for what runs must have in common batch by batch.

use std::{collections::BTreeMap, sync::Arc};

use tidemill_checkpoint::{History, Keep, MemoryStorage, Section, SectionKind, Storage};
use tidemill_connect::system::{ManualClock, Threads};
use tidemill_engine::{
    Parts, Run, RunError, Settings, Summary, Until,
    checkpoint::{Checkpoint, SnapshotAfter, TableRows},
};
use tidemill_model::{
    ports::{Irregularity, PortError, Sealed, Sink, Source, Taken, Wake},
    schema::Schema,
    testing::Value,
    time::Timestamp,
};
use tidemill_plan::graph::{NodeId, Operator};

use crate::{
    guests::guests,
    harness,
    mode::Mode,
    show,
    sink::{Collect, Delivered, Log},
    source::{Chopped, Given},
};

/// The interval of these runs in seconds: a tick that is late by more than an hour is left out.
pub const TICK: i64 = 7_200;

/// Batches of a stream's rows; `None` where there is none.
pub type Batches = Vec<Option<Vec<Vec<Value>>>>;

/// A pipeline and what goes in. Its checkpoint is in memory.
pub struct Lab {
    /// Without `[pipeline]`, which is made of the mode.
    pub text: String,
    pub mode: Mode,
    /// For each source its batches.
    pub sources: Vec<(&'static str, Batches)>,
    /// When this tick is served, the clock goes on so far that so many of the next ones are left out.
    pub leap: Option<(i64, i64)>,
}

/// What came of a run.
pub struct Seen {
    pub delivered: Vec<Delivered>,
    pub result: Result<Summary, RunError>,
    pub commits: BTreeMap<i64, Committed>,
}

/// What a commit holds, by the number of its tick. What differs is told by its name.
#[derive(Debug, Default, PartialEq)]
pub struct Committed {
    /// Rows of outputs by name and partition.
    pub rows: BTreeMap<(String, u32), Vec<String>>,
    /// What became of keys, by stream and partition: in the order in which they stand.
    pub changes: BTreeMap<(String, u32), Vec<String>>,
    pub counters: BTreeMap<String, u64>,
}

impl Lab {
    pub fn run(&self) -> Seen {
        let text = format!(
            "[pipeline]\nname = \"lab\"\ninterval = \"{TICK}s\"\npartitions = {}\n{}",
            self.mode.partitions, self.text
        );
        let plan = harness::plan(&text, self.mode.partitions);
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let sources = plan.nodes.iter().enumerate().filter(|(_, node)| matches!(node.operator, Operator::Source(_)));
        let sources = sources.map(|(index, node)| {
            let (_, batches) = self.sources.iter().find(|(name, _)| *name == node.name).unwrap();
            let given = Box::new(Given::new(&node.schema, batches.clone()));
            let chopped = Chopped::new(given, self.mode.chunk_rows, self.mode.ahead);
            let leaping = Leaping { inner: chopped, leap: self.leap, clock: clock.clone() };
            (NodeId(index), Box::new(leaping) as Box<dyn Source>)
        });
        let sources = sources.collect();
        let (log, storage) = (Log::default(), Arc::new(MemoryStorage::new()));
        let sinks: Vec<Box<dyn Sink>> =
            plan.outputs.iter().map(|output| -> Box<dyn Sink> { Box::new(Collect::new(&output.name, &log)) }).collect();
        let checkpoint = Checkpoint {
            keep: Keep { batches: usize::MAX, bytes: u64::MAX },
            snapshot_after: SnapshotAfter { bytes_min: u64::MAX, commits_max: usize::MAX },
            ..Checkpoint::new(storage.clone(), "host".to_owned(), Vec::new())
        };
        let parts = Parts {
            plan,
            plugins: guests().plugins(),
            sources,
            sinks,
            clock,
            wake: Wake::default(),
            spawn: Arc::new(Threads),
            checkpoint: Some(checkpoint),
        };
        let Mode { workers, seed, fresh, .. } = self.mode;
        let settings = Settings { workers, seed, fresh_instances: fresh, until: Until::Done };
        let result = Run::try_new(parts, &settings).and_then(|mut run| {
            self.mode.set(&mut run);
            run.run()
        });
        let delivered = log.lock().unwrap().clone();
        Seen { delivered, result, commits: commits(storage) }
    }
}

/// The number of a tick.
pub fn tick(time: Timestamp) -> i64 {
    time.0 / (TICK * 1_000_000)
}

/// Every commit of a checkpoint.
fn commits(storage: Arc<MemoryStorage>) -> BTreeMap<i64, Committed> {
    let storage: Arc<dyn Storage> = storage;
    let Some(history) = History::of(&storage).unwrap() else { return BTreeMap::new() };
    let commits = history.batches().into_iter().filter_map(|batch| {
        let (number, commit) = batch.commit?;
        let mut committed = Committed { counters: commit.counters.iter().cloned().collect(), ..Committed::default() };
        let mut sections = history.archive().read_sections(number).unwrap();
        sections.retain(|section| section.kind != SectionKind::Output);
        for section in
            history.archive().read_outputs(number, commit.outbox.as_ref()).unwrap().into_iter().chain(sections)
        {
            let place = (section.stream.clone(), section.partition);
            let told = match section.kind {
                SectionKind::State => {
                    let schema = commit.tables.iter().find(|schema| schema.stream == section.stream).unwrap();
                    let blocks = section.batches.iter().map(|block| TableRows::try_new(schema, block).unwrap());
                    committed.changes.insert(place, blocks.flat_map(|block| changes(&block)).collect())
                }
                SectionKind::Output => committed.rows.insert(place, rows(&section)),
            };
            assert!(told.is_none(), "one section of a kind for a stream and partition");
        }
        Some((tick(batch.time), committed))
    });
    commits.collect()
}

fn rows(section: &Section) -> Vec<String> {
    let batches = section.batches.iter();
    let values = batches.flat_map(|batch| show::values(&Schema::from_arrow(batch.schema_ref()).unwrap(), batch));
    values.map(|row| show::row(&row)).collect()
}

/// What became of keys: each with its state, or that it has none, and when it is to be called.
pub fn changes(block: &TableRows) -> Vec<String> {
    let (keys, states) =
        (show::values(&block.key_schema, &block.keys), show::values(&block.state_schema, &block.states));
    let change = |row: usize| {
        let state = if block.is_deleted(row) { "gone".to_owned() } else { show::row(&states[row]) };
        let wake = block.wake_at(row).map_or(String::new(), |at| format!(" wakes at {}", at.0));
        format!("{}: {state}{wake}", show::row(&keys[row]))
    };
    (0..block.len()).map(change).collect()
}

/// A source that lets time pass when a batch is sealed.
struct Leaping {
    inner: Chopped,
    leap: Option<(i64, i64)>,
    clock: Arc<ManualClock>,
}

impl Source for Leaping {
    fn schema(&self) -> &Schema {
        self.inner.schema()
    }

    fn take(&mut self, bytes_max: usize) -> Result<Taken, PortError> {
        self.inner.take(bytes_max)
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        if let Some((from, left_out)) = self.leap.filter(|(from, _)| *from == tick(at)) {
            // An hour and a second behind the last tick that is left out.
            self.clock.advance_to(Timestamp(((from + left_out) * TICK + 3_601) * 1_000_000));
        }
        self.inner.seal(at)
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        self.inner.irregularities()
    }

    fn stop(&mut self) {
        self.inner.stop();
    }
}
