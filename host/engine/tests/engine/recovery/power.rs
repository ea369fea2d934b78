//! A whole pipeline on a disk that forgets what was not synced, checkpoint and files of outputs: its power is cut, or the
//! program is killed, at every call that changes the disk. What came out is what comes out of a run that nobody stopped,
//! and stays when the power is cut once more.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    sync::{Arc, Mutex},
};

use tidemill_checkpoint::Keep;
use tidemill_engine::checkpoint::{Point, SnapshotAfter};
use tidemill_model::{
    testing::disk::{ForgetfulDisk, Forgets, lay, scratch},
    time::Timestamp,
};

use super::world::{AtOnce, Ended, OnDisk, Stop, World};

/// Two sources, one that is read again and one whose peer sends again what was not acknowledged, and two outputs in folders
/// that must be made.
const PIPELINE: &str = r#"
[streams.in]
queue = { schema = "word: text, count: integer", batches = [
    [{ word = "a", count = 1 }, { word = "b", count = 2 }],
    [{ word = "b", count = 3 }],
    [],
    [{ word = "a", count = 4 }, { word = "c", count = 5 }],
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
files = { folder = "out/deep/both", format = "text" }

[outputs.totals]
from = "totals"
files = { folder = "out/totals", format = "jsonl" }
"#;

fn world() -> World {
    world_that_writes(false)
}

/// `early`: rows of outputs are written while their batch is open.
fn world_that_writes(early: bool) -> World {
    let root = scratch();
    let disk = ForgetfulDisk::new(root.path());
    World {
        early,
        partitions: 2,
        workers: 1,
        spawn: Arc::new(AtOnce),
        keep: Keep { batches: 0, bytes: 0 },
        snapshot_after: SnapshotAfter { bytes_min: 1 << 30, commits_max: 2 },
        acknowledged: Some(Arc::new(Mutex::new(0))),
        on_disk: Some(Arc::new(OnDisk { root, disk })),
        ..World::new(PIPELINE, "live", &[(1, &["x"]), (2, &["b", "y"]), (3, &["x"]), (4, &["z"])])
    }
}

fn on_disk(world: &World) -> &OnDisk {
    world.on_disk.as_ref().unwrap()
}

/// The files of the outputs, by their paths; of their marks the newest batch. Of what was prepared and not delivered nothing is
/// left.
fn came_out(world: &World) -> BTreeMap<String, String> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![on_disk(world).root.path().join("out")]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_file() {
                let text = fs::read_to_string(&path).unwrap();
                let newest = text.rsplit_once("\"newest\":").filter(|_| path.ends_with(".tidemill-output"));
                files.insert(path.display().to_string(), newest.map_or(&*text, |(_, newest)| newest).to_owned());
            } else {
                folders.push(path);
            }
        }
    }
    let root = on_disk(world).root.path().display().to_string();
    files.into_iter().map(|(path, text)| (path.replace(&root, ""), text)).collect()
}

fn cut_power(world: &World, forgets: Forgets) {
    let OnDisk { root, disk } = on_disk(world);
    lay(root.path(), &disk.lose_power(forgets));
}

fn run(world: &World) -> Result<(), String> {
    world.open().and_then(|mut run| run.run()).map(drop).map_err(|error| format!("{error}: {error:?}"))
}

#[test]
fn what_came_out_stays_when_the_power_is_cut() {
    let world = world();
    run(&world).unwrap();
    let came = came_out(&world);
    assert!(came.len() >= 8, "{came:?}");
    assert_eq!(
        on_disk(&world).disk.mistakes(),
        Vec::<String>::new(),
        "names were given before their files were synced"
    );
    cut_power(&world, Forgets::Everything);
    assert_eq!(came_out(&world), came);
    run(&world).unwrap();
    assert_eq!(came_out(&world), came, "all sources were used up");
}

/// Whichever output's folder has vanished: what was in it is not made again, so it is said.
#[test]
fn a_folder_that_vanished_is_said_whichever_it_is() {
    let places = [("both", "out/deep/both"), ("totals", "out/totals")];
    for (early, (output, folder)) in [false, true].into_iter().flat_map(|early| places.map(|place| (early, place))) {
        let world = world_that_writes(early);
        run(&world).unwrap();
        // With a last batch that has rows.
        let last =
            came_out(&world).into_keys().filter(|path| path.contains(&format!("{folder}/batch-"))).max().unwrap();
        assert!(last.contains("batch-0000000004000"), "{last}");
        fs::remove_dir_all(on_disk(&world).root.path().join(folder)).unwrap();
        let error = run(&world).unwrap_err();
        assert!(error.contains(&format!("output `{output}`")) && error.contains("SinkGone"), "{error}");
    }
}

/// Stops at a call, in one way or another, runs on, and cuts the power once more.
fn check(early: bool, call: usize, after: bool, cut: Option<Forgets>, expect: &BTreeMap<String, String>) {
    let world = world_that_writes(early);
    let disk = &on_disk(&world).disk;
    disk.stop_at(call, after);
    let stopped = run(&world);
    let what = format!("{cut:?} at call {call}, after {after}: {:?}", disk.calls().get(call));
    assert!(stopped.is_err() || disk.is_down(), "{what}");
    match cut {
        Some(forgets) => cut_power(&world, forgets),
        None => disk.restart(),
    }
    run(&world).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(came_out(&world), *expect, "{what}");
    assert_eq!(disk.mistakes(), Vec::<String>::new(), "{what}");
    cut_power(&world, Forgets::Everything);
    // What the killed run had prepared may be back: nobody waits until it is gone for certain, and nobody reads it.
    let mut came = came_out(&world);
    came.retain(|path, _| !path.contains("/.staged-"));
    assert_eq!(came, *expect, "{what}, and when the power was cut once more");
    run(&world).unwrap_or_else(|error| panic!("{what}, and again: {error}"));
}

#[test]
fn the_power_may_be_cut_at_every_call() {
    cut_at_every_call(false);
}

#[test]
fn the_power_may_be_cut_at_every_call_where_rows_are_written_as_they_come() {
    cut_at_every_call(true);
}

fn cut_at_every_call(early: bool) {
    let expect = world_that_writes(early);
    run(&expect).unwrap();
    let (calls, expect) = (on_disk(&expect).disk.calls().len(), came_out(&expect));
    let held = world();
    run(&held).unwrap();
    assert_eq!(came_out(&held), expect, "files are the same");
    // Each call gets two of the ways: that everything is lost, every other time, and the others in turn.
    let others: Vec<Option<Forgets>> = Forgets::all(6).into_iter().skip(1).map(Some).chain([None]).collect();
    let mut cuts = 0;
    for call in 0..calls {
        let other = others[call % others.len()];
        for (after, cut) in [(call % 2 == 0, Some(Forgets::Everything)), (call % 2 == 1, other)] {
            check(early, call, after, cut, &expect);
            cuts += 1;
        }
    }
    let _ = writeln!(std::io::stderr(), "{calls} calls of a disk, {cuts} cuts, lost 0, duplicated 0");
    assert!(calls > 100, "{calls}");
}

/// Readers of outputs move away what they have read; a host that stops before the checkpoint says that it was delivered is no
/// reason to give it to them again.
#[test]
fn what_a_reader_has_moved_away_does_not_come_again() {
    let expect = world();
    run(&expect).unwrap();
    let is_of_batch = |path: &str| path.contains("/batch-");
    let mut expect = came_out(&expect);
    expect.retain(|path, _| is_of_batch(path));
    for second in 1..=4 {
        let world = world();
        let stop = Stop { point: Point::Deliver, after: true, batch: Timestamp(second * 1_000_000) };
        assert_eq!(world.run(Some(stop)), Ended::Stopped);
        let root = on_disk(&world).root.path();
        let mut came = BTreeMap::new();
        for (path, text) in came_out(&world).into_iter().filter(|(path, _)| is_of_batch(path)) {
            let batch = root.join(path.trim_start_matches('/'));
            let _ = fs::remove_dir_all(batch.parent().unwrap());
            came.insert(path, text);
        }
        assert!(!came.is_empty());
        run(&world).unwrap();
        for (path, text) in came_out(&world).into_iter().filter(|(path, _)| is_of_batch(path)) {
            assert!(came.insert(path.clone(), text).is_none(), "{path} has come again behind a stop at {second} s");
        }
        assert_eq!(came, expect);
    }
}
