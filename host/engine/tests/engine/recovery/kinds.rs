//! The same with the sources and sinks that people use: every point, at the first, a middle, a snapshotting and a cleaning
//! batch, for each kind of source that can be read again, with all kinds of sinks at once. What a socket gives is logged;
//! that is what the other tests here stop.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use tempfile::TempDir;
use tidemill_checkpoint::{Keep, MemoryStorage};
use tidemill_connect::system::{ManualClock, Threads};
use tidemill_engine::{
    Parts, Run, RunError, Settings, Until,
    checkpoint::{Checkpoint, Point, SnapshotAfter},
    open_sinks,
};
use tidemill_model::{
    connector::World,
    ports::{Irregularity, Owner, PortError, Repeatable, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};
use tidemill_plan::graph::NodeId;

use super::world::{Stop, StopAt};
use crate::{guests::guests, harness, spawn::CommitsAtOnce};

/// Batches that are compared. With a snapshot after every second commit, and nothing kept that is not needed, the third
/// makes one and the fourth cleans up.
const BATCHES: i64 = 6;

/// The batches at which runs are stopped: the first, a middle one, and those around snapshots.
const STOPPED: [i64; 4] = [1, 3, 4, 5];

/// The kind of source whose folder gets a file before each batch.
const FOLDER: &str = "a folder";

const REST: &str = r#"
[streams.words]
from = "lines"
map = "wordcount/split"

[streams.totals]
from = "words"
by = "word"
update-state = "wordcount/running-total"

[outputs.lines]
from = "lines"
files = { folder = "out/lines", format = "text" }

[outputs.totals]
from = "totals"
files = { folder = "out/totals", format = "jsonl" }

[outputs.shown]
from = "totals"
print = { rows = 100 }
"#;

/// A folder, a checkpoint, and what was printed.
struct Place {
    kind: &'static str,
    text: String,
    folder: TempDir,
    storage: Arc<MemoryStorage>,
    printed: Arc<Mutex<Vec<u8>>>,
}

impl Place {
    fn new(kind: &'static str, source: &str) -> Place {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::write(folder.path().join("lines.txt"), "a b\nc a\nb\n").unwrap();
        let text = format!("[streams.lines]\n{source}\n{REST}");
        Place { kind, text, folder, storage: Arc::default(), printed: Arc::default() }
    }

    fn run(&self, stop: Option<Stop>) -> Result<(), RunError> {
        let plan = harness::plan(&self.text, 2);
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let path = self.folder.path().to_owned();
        let world = World::new(clock.clone(), Arc::new(Threads), path, self.printed.clone());
        let wake = world.wake.clone();
        let inner = plan.nodes[0].source().unwrap().open("lines", &world).unwrap();
        let arrives = (self.kind == FOLDER).then(|| self.folder.path().join("in"));
        let source: Box<dyn Source> = Box::new(Arriving { inner, folder: arrives });
        let sinks = open_sinks(&plan, &world).unwrap();
        let checkpoint =
            Checkpoint::new(self.storage.clone(), format!("{stop:?} {}", self.storage.files().len()), Vec::new());
        let checkpoint = Checkpoint {
            keep: Keep { batches: 0, bytes: 0 },
            snapshot_after: SnapshotAfter { bytes_min: 1 << 30, commits_max: 2 },
            failpoints: Box::new(StopAt(stop)),
            ..checkpoint
        };
        let sources = vec![(NodeId(0), source)];
        let parts = Parts {
            plan,
            plugins: guests().plugins(),
            sources,
            sinks,
            clock,
            wake,
            spawn: Arc::new(CommitsAtOnce),
            checkpoint: Some(checkpoint),
        };
        let settings = Settings { workers: 1, seed: 1, fresh_instances: false, until: Until::Batches(BATCHES as u64) };
        Run::try_new(parts, &settings)?.run().map(drop)
    }

    /// What came out until the last batch that is compared: of files every batch's bytes, of what was printed each batch,
    /// which may have come more than once, but whole and the same.
    fn came_out(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for output in ["lines", "totals"] {
            let folder = self.folder.path().join("out").join(output);
            for batch in sorted(&folder) {
                let millis: i64 = batch.strip_prefix("batch-").expect("nothing else is left").parse().unwrap();
                if millis <= BATCHES * 1_000 {
                    let parts = sorted(&folder.join(&batch));
                    let read = |part: &String| fs::read_to_string(folder.join(&batch).join(part)).unwrap();
                    all.insert(format!("{output} {batch}"), parts.iter().map(read).collect());
                }
            }
        }
        let printed = String::from_utf8(self.printed.lock().unwrap().clone()).unwrap();
        for block in printed.split("-------------------------------------------\nTime: ").skip(1) {
            let (time, rows) = block.split_once("\n-------------------------------------------\n").unwrap();
            if time > "1970-01-01 00:00:06" {
                continue;
            }
            let before = all.insert(format!("printed {time}"), rows.to_owned());
            assert!(before.is_none_or(|before| before == rows), "{}: {time} was printed in two ways", self.kind);
        }
        all
    }
}

/// Names in a folder, but the mark of an output.
fn sorted(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name != ".tidemill-output").collect();
    names.sort();
    names
}

#[test]
fn a_folder() {
    check(FOLDER, "files = { path = \"in\", existing = true }");
}

#[test]
fn a_file() {
    check("a file", "files = \"lines.txt\"");
}

#[test]
fn made_up_lines() {
    check("made-up lines", "generate = { kind = \"words\", rate = 3, count = 15 }");
}

#[test]
fn a_queue() {
    let batches = "[[\"a b\"], [], [\"b\", \"c d\"], [\"d\"], [\"a\"], [\"e a\"]]";
    check("a queue", &format!("queue = {{ schema = \"line: text\", batches = {batches} }}"));
}

/// Stops at every point and runs on.
fn check(kind: &'static str, source: &str) {
    let expect = Place::new(kind, source);
    expect.run(None).unwrap();
    let expect = expect.came_out();
    assert!(expect.len() >= 3 && expect.keys().any(|key| key.starts_with("lines batch-")), "{kind}: {expect:?}");
    let mut stops = 0;
    for point in Point::ALL.into_iter().filter(|point| *point != Point::Log) {
        for after in [false, true] {
            for batch in STOPPED {
                let place = Place::new(kind, source);
                let stop = Stop { point, after, batch: Timestamp(batch * 1_000_000) };
                match place.run(Some(stop)) {
                    Ok(()) => {}
                    Err(RunError::Failpoint { .. }) => {
                        stops += 1;
                        place.run(None).unwrap();
                    }
                    Err(error) => panic!("{kind}, {stop:?}: {error}"),
                }
                assert_eq!(place.came_out(), expect, "{kind}, {stop:?}");
            }
        }
    }
    let _ = writeln!(std::io::stderr(), "{kind} to files and print: {stops} stops, lost 0, duplicated 0");
    assert!(stops >= STOPPED.len() * 2 * 4, "{stops}");
}

/// A source whose folder gets a file before each batch.
struct Arriving {
    inner: Box<dyn Source>,
    folder: Option<PathBuf>,
}

impl Source for Arriving {
    fn schema(&self) -> &Schema {
        self.inner.schema()
    }

    fn begin(&mut self, owner: &Owner<'_>) -> Result<(), PortError> {
        self.inner.begin(owner)
    }

    fn take(&mut self, bytes_max: usize) -> Result<Taken, PortError> {
        self.inner.take(bytes_max)
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        let second = at.0 / 1_000_000;
        if let Some(folder) = self.folder.as_ref().filter(|_| second <= BATCHES) {
            let path = folder.join(format!("{second}.txt"));
            if !path.exists() {
                // Written long before the ticks, which are of 1970.
                fs::write(&path, format!("a n{second}\nb\n")).unwrap();
                fs::File::options().append(true).open(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
            }
        }
        self.inner.seal(at)
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        self.inner.irregularities()
    }

    fn stop(&mut self) {
        self.inner.stop();
    }

    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        self.inner.repeatable()
    }
}
