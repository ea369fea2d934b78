//! When a snapshot is made, over several runs, and what is removed then.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::channel,
    },
    time::Duration,
};

use tidemill_checkpoint::{Fault, Keep, Operation};
use tidemill_connect::system::Threads;
use tidemill_engine::{
    RunError,
    checkpoint::{Point, SnapshotAfter},
};
use tidemill_model::{ports::Spawn, time::Timestamp};

use super::{
    at, check_like, room, world as new_world,
    world::{AtOnce, Ended, OnPoint, World, heard},
};

const NEVER: SnapshotAfter = SnapshotAfter { bytes_min: u64::MAX, commits_max: usize::MAX };

fn snapshots(world: &World) -> usize {
    world.storage.files().keys().filter(|name| name.starts_with("state/")).count()
}

/// A world in which so many batches were committed and no snapshot was made; the bytes of the commits, with the rows that lie
/// beside them if they are written `early`.
fn committed(batches: u64, early: bool) -> (World, u64) {
    let world = World { early, snapshot_after: NEVER, workers: 1, spawn: Arc::new(AtOnce), ..new_world() };
    assert_eq!(world.run_batches(batches).unwrap().batches, batches);
    assert_eq!(snapshots(&world), 0);
    let history = world.history();
    let commits: Vec<u64> = history.batches().iter().filter_map(|batch| Some(batch.commit?.0)).collect();
    assert_eq!(commits.len() as u64, batches);
    let files = world.storage.files();
    let is_one =
        |name: &str| commits.iter().any(|number| name.strip_prefix("log/").unwrap_or("").parse() == Ok(*number));
    let bytes = files.iter().filter(|(name, _)| name.starts_with("outbox/") || is_one(name));
    let bytes = bytes.map(|(_, content)| content.len() as u64).sum();
    assert_eq!(files.keys().any(|name| name.starts_with("outbox/")), early);
    (world, bytes)
}

/// A pipeline that is restarted often is not to go without snapshots: what earlier runs have committed counts, and so do rows that
/// lie beside a commit.
#[test]
fn commits_of_earlier_runs_count_by_their_bytes_and_their_number() {
    for early in [false, true] {
        for (part, expect) in [(1, 1), (2, 0)] {
            let (world, bytes) = committed(3, early);
            let world = World { snapshot_after: SnapshotAfter { bytes_min: bytes * part, ..NEVER }, ..world };
            world.run_batches(1).unwrap();
            assert_eq!(snapshots(&world), expect, "{early}, {part} times {bytes}");
        }
        for (commits_max, expect) in [(4, 1), (5, 0)] {
            let (world, _) = committed(3, early);
            let world = World { snapshot_after: SnapshotAfter { commits_max, ..NEVER }, ..world };
            world.run_batches(1).unwrap();
            assert_eq!(snapshots(&world), expect, "{early}, {commits_max}");
        }
    }
}

/// So do those of the run itself.
#[test]
fn a_snapshot_is_made_when_so_many_bytes_were_committed() {
    for early in [false, true] {
        let bytes = |batches| committed(batches, early).1;
        for (batches, bytes_min) in [(3, bytes(3)), (4, bytes(3) + 1), (4, bytes(4))] {
            let snapshot_after = SnapshotAfter { bytes_min, ..NEVER };
            for (run, expect) in [(batches - 1, 0), (batches, 1)] {
                let world = World { early, snapshot_after, workers: 1, spawn: Arc::new(AtOnce), ..new_world() };
                world.run_batches(run).unwrap();
                assert_eq!(snapshots(&world), expect, "{early}: {run} batches, {bytes_min} bytes");
            }
        }
    }
}

/// How long something is waited for that is to come. A machine that is busy with other things may need long.
const PATIENCE: Duration = Duration::from_secs(300);

/// The batches behind which a snapshot was begun, where these tries fail, and what was said of it.
fn tried(fails: impl Fn(u64) -> bool + Send + 'static) -> (Vec<i64>, Vec<String>) {
    let begun = Arc::new(Mutex::new(Vec::new()));
    let seen = begun.clone();
    let on_point: OnPoint = Arc::new(move |point, after, batch: Timestamp| {
        if (point, after) == (Point::Snapshot, false) {
            seen.lock().unwrap().push(batch.0 / 1_000_000);
        }
    });
    let snapshot_after = SnapshotAfter { commits_max: 1, ..NEVER };
    let world = World { snapshot_after, workers: 1, spawn: Arc::new(AtOnce), on_point: Some(on_point), ..room::many() };
    let mut tries = 0;
    world.storage.set_faults(move |call| {
        let is_one = call.operation == Operation::Draft;
        tries += u64::from(is_one);
        if is_one && fails(tries) { Fault::Before } else { Fault::None }
    });
    let said = heard(|| assert_eq!(world.run(None), Ended::Done));
    let said = said.into_iter().filter(|said| said.contains("snapshot")).collect();
    let begun = begun.lock().unwrap().clone();
    (begun, said)
}

#[test]
fn a_snapshot_that_fails_is_not_due_again_at_once_and_that_is_said_once() {
    let (begun, said) = tried(|_| true);
    assert_eq!(begun, [1, 3, 7, 15, 31]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("no snapshot could be made") && said[0].contains("injected"), "{said:?}");
    // The disk is full for two tries, has room for three, and is full again for one.
    let (begun, said) = tried(|number| [1, 2, 6].contains(&number));
    assert_eq!(begun[..8], [1, 3, 7, 8, 9, 10, 12, 13]);
    let words: Vec<&str> =
        said.iter().map(|said| if said.contains("no snapshot could be made") { "no" } else { "again" }).collect();
    assert_eq!(words, ["no", "again", "no", "again"], "{said:?}");
}

/// A world in which much is removed behind each snapshot, and whose removals go through `removes`.
fn cleaning(mut removes: impl FnMut(&str) -> Fault + Send + 'static) -> World {
    let (keep, snapshot_after) = (Keep { batches: 0, bytes: 0 }, SnapshotAfter { commits_max: 5, ..NEVER });
    let world = World { keep, snapshot_after, workers: 1, spawn: Arc::new(AtOnce), ..room::many() };
    world
        .storage
        .set_faults(move |call| if call.operation == Operation::Remove { removes(&call.name) } else { Fault::None });
    world
}

/// Does all at once but one piece of work for snapshots, which gets a thread.
struct AllAtOnceBut(AtomicU64);

impl Spawn for AllAtOnceBut {
    fn spawn(&self, name: String, work: Box<dyn FnOnce() + Send>) {
        if name == "commit" {
            return work();
        }
        if self.0.fetch_sub(1, Ordering::Relaxed) == 1 { Threads.spawn(name, work) } else { work() }
    }
}

#[test]
fn batches_go_on_while_files_are_removed() {
    let ((ring, rung), (said, result)) = (channel(), channel());
    let mut said = Some(said);
    let world = cleaning(move |name| {
        if let Some(said) = said.take_if(|_| name.starts_with("log/")) {
            said.send(rung.recv_timeout(PATIENCE)).unwrap();
        }
        Fault::None
    });
    // Snapshots are made behind the batches 5 and 10, and behind the second one there is something to remove.
    let ring = Mutex::new(ring);
    let on_point: OnPoint = Arc::new(move |point, after, batch| {
        if (point, after) == (Point::Commit, true) && batch > at(10) {
            // Nobody listens any more when it is known.
            let _ = ring.lock().unwrap().send(());
        }
    });
    let spawn = Arc::new(AllAtOnceBut(AtomicU64::new(4)));
    let world = World { on_point: Some(on_point), spawn, ..world };
    assert_eq!(world.run(None), Ended::Done);
    result.recv_timeout(PATIENCE * 2).unwrap().expect("no batch was committed while files were removed");
}

#[test]
fn what_cannot_be_removed_ends_the_run_and_is_removed_by_the_next() {
    for name in ["log/", "state/"] {
        let mut is_first = true;
        let world = cleaning(move |removed| {
            let fails = removed.starts_with(name) && std::mem::take(&mut is_first);
            if fails { Fault::Before } else { Fault::None }
        });
        let error = world.open().and_then(|mut run| run.run()).unwrap_err();
        assert!(
            matches!(error, RunError::Checkpoint(_)) && error.to_string().contains(&format!("cannot use {name}")),
            "{name}: {error}"
        );
        assert_eq!(world.run(None), Ended::Done);
        let expect = cleaning(|_| Fault::None);
        assert_eq!(expect.run(None), Ended::Done);
        check_like(&world, &expect, name);
        let files = |world: &World| world.storage.files().len();
        assert!(files(&world) <= files(&expect) + 12, "{name}: {} files, {}", files(&world), files(&expect));
    }
}

/// Another host takes over before, while and after this one removes files in the background, which it may do after its end too.
#[test]
fn a_host_that_was_overtaken_removes_nothing() {
    for overtaken_at in [Point::Snapshot, Point::Clean] {
        let world = cleaning(|_| Fault::None);
        let other = World { storage: world.storage.clone(), runs: world.runs.clone(), ..room::many() };
        let left = Arc::new(Mutex::new(None));
        let seen = left.clone();
        let on_point: OnPoint = Arc::new(move |point, after, batch| {
            if (point, after, batch) == (overtaken_at, false, at(10)) {
                other.open().unwrap();
                *seen.lock().unwrap() = Some(other.storage.files());
            }
        });
        let world = World { on_point: Some(on_point), ..world };
        let error = world.open().and_then(|mut run| run.run()).unwrap_err();
        assert!(error.to_string().contains("has taken this checkpoint over"), "{error}");
        let left = left.lock().unwrap().take().expect("a snapshot was made behind the batch 10");
        let gone: Vec<_> = left.into_keys().filter(|name| !world.storage.files().contains_key(name)).collect();
        assert_eq!(gone, Vec::<String>::new(), "{overtaken_at:?}");
    }
}
