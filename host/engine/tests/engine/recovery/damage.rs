//! Whole runs over damaged checkpoints: every byte of every kind of file, cut off or changed. A run that goes on ends as
//! one over the undamaged files does; every other one refuses.
//!
//! A test of seconds takes some of the bytes, always the same; `TIDEMILL_DAMAGE_STEP=1` takes all, and `make test` does.

use std::{collections::BTreeMap, error::Error, io::Write, sync::Arc};

use tidemill_checkpoint::Keep;
use tidemill_engine::{
    RunError,
    checkpoint::{Point, SnapshotAfter},
};

use super::{
    at,
    world::{AtOnce, Ended, Stop, World},
};

/// One byte in so many is tried, unless it is said otherwise. A prime, so that all fields of all files have their turn.
const STEP: usize = 127;

/// State, a source that can be read again, one that is logged, and rows of both: few bytes each.
const PIPELINE: &str = r#"
[streams.in]
queue = { schema = "word: text, count: integer", batches = [
    [{ word = "a", count = 1 }],
    [{ word = "b", count = 2 }],
    [{ word = "a", count = 3 }],
    [{ word = "a", count = 4 }],
] }

[streams.live]
queue = { schema = "word: text, count: integer", batches = [] }

[streams.both]
from = ["in", "live"]
union = true

[streams.totals]
from = "both"
by = "word"
update-state = "wordcount/running-total"

[outputs.both]
from = "both"
print = true

[outputs.totals]
from = "totals"
print = true
"#;

/// Batches of the pipeline.
const LAST: i64 = 4;

#[derive(Debug, Default)]
struct Counts {
    files: usize,
    tries: usize,
    refused: usize,
    went_on: usize,
}

fn world(early: bool) -> World {
    let world = World::new(PIPELINE, "live", &[(1, &["x"]), (2, &["b"]), (3, &["x"]), (4, &["y"])]);
    let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max: 1 };
    let keep = Keep { batches: 1, bytes: 1 << 20 };
    World { early, partitions: 1, workers: 1, spawn: Arc::new(AtOnce), keep, snapshot_after, ..world }
}

/// A world that was stopped there: what a machine without power leaves.
fn stopped(early: bool, point: Point, after: bool, batch: i64) -> World {
    let world = world(early);
    assert_eq!(world.run(Some(Stop { point, after, batch: at(batch) })), Ended::Stopped);
    world.lose_power();
    world
}

#[allow(clippy::disallowed_methods, reason = "how much is tried, whoever starts it says")]
fn step() -> usize {
    std::env::var("TIDEMILL_DAMAGE_STEP").map_or(STEP, |step| step.parse().unwrap())
}

/// Runs on with `bytes` in a file's place.
fn check(stopped: &World, expect: &World, name: &str, bytes: Vec<u8>, counts: &mut Counts) {
    let world = stopped.copy();
    world.storage.overwrite(name, bytes);
    counts.tries += 1;
    match world.open().and_then(|mut run| run.run()) {
        Ok(_) => {
            counts.went_on += 1;
            assert_eq!(world.delivered_until(at(LAST)), expect.delivered_until(at(LAST)), "{name}");
        }
        Err(error @ (RunError::Checkpoint(_) | RunError::Restore(_) | RunError::SinkAhead { .. })) => {
            counts.refused += 1;
            assert!(!said(&error).is_empty());
            // A host at work there goes on: the checkpoint was not claimed.
            assert!(!name.starts_with("input/") || records(&world) == records(stopped), "{name}: {}", said(&error));
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

fn records(world: &World) -> Vec<String> {
    world.storage.files().into_keys().filter(|name| name.starts_with("log/")).collect()
}

fn said(error: &RunError) -> String {
    format!("{error}{}", error.source().map(|source| format!(": {source}")).unwrap_or_default())
}

/// Tries the bytes of every file of a checkpoint; gives the counts by folder.
fn damage(stopped: &World, expect: &World) -> BTreeMap<String, Counts> {
    let mut by_folder: BTreeMap<String, Counts> = BTreeMap::new();
    let mut turn = 0;
    for (name, bytes) in stopped.storage.files() {
        let counts = by_folder.entry(name.split('/').next().unwrap().to_owned()).or_default();
        counts.files += 1;
        for place in 0..bytes.len() {
            turn += 1;
            if turn % step() != 0 {
                continue;
            }
            check(stopped, expect, &name, bytes[..place].to_vec(), counts);
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << (place % 8);
            check(stopped, expect, &name, flipped, counts);
        }
        check(stopped, expect, &name, [bytes.as_slice(), &[0]].concat(), counts);
    }
    by_folder
}

/// Damages what is left after a stop.
fn check_all(point: Point, after: bool, batch: i64, folders: &[&str]) {
    let early = folders.contains(&"outbox");
    let expect = world(early);
    assert_eq!(expect.run(None), Ended::Done);
    let stopped = stopped(early, point, after, batch);
    let whole = stopped.copy();
    assert_eq!(whole.run(None), Ended::Done);
    assert_eq!(whole.delivered_until(at(LAST)), expect.delivered_until(at(LAST)));
    let counts = damage(&stopped, &expect);
    let _ = writeln!(
        std::io::stderr(),
        "stopped at {point:?} of batch {batch}, after {after}: {counts:?}, no other result"
    );
    assert_eq!(counts.keys().collect::<Vec<_>>(), folders);
    assert!(counts.values().all(|counts| counts.tries > counts.files), "{counts:?}");
    assert!(counts.values().any(|counts| counts.refused > 0) && counts.values().any(|counts| counts.went_on > 0));
}

#[test]
fn a_batch_that_was_planned() {
    check_all(Point::Plan, true, 3, &["input", "log", "state"]);
}

#[test]
fn a_batch_that_was_committed() {
    check_all(Point::Commit, true, 3, &["input", "log", "state"]);
}

#[test]
fn a_batch_that_was_delivered() {
    check_all(Point::Finish, true, 4, &["input", "log", "state"]);
}

#[test]
fn a_batch_whose_rows_lie_beside_its_commit() {
    check_all(Point::Commit, true, 3, &["input", "log", "outbox", "state"]);
}

#[test]
fn a_batch_whose_rows_lie_beside_its_commit_and_were_delivered() {
    check_all(Point::Finish, true, 4, &["input", "log", "outbox", "state"]);
}
