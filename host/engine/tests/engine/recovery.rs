//! Runs that are stopped at every point and go on from their checkpoint: what came of them is what comes of a run that
//! nobody stopped.

mod acknowledged;
mod asked;
mod begins;
mod clock;
mod comings;
mod damage;
mod differences;
mod ends;
mod faults;
mod hasty;
mod idle;
mod kinds;
mod migrate;
mod newcomers;
mod power;
pub mod replays;
mod room;
mod second;
mod settings;
mod sinks;
mod slides;
mod snapshots;
mod tables;
mod told;
mod windows;
pub mod world;

use std::{collections::BTreeMap, io::Write, sync::Arc};

use tidemill_checkpoint::Keep;
use tidemill_connect::system::Threads;
use tidemill_engine::{
    RunError,
    checkpoint::{Point, SnapshotAfter},
};
use tidemill_model::{ports::Spawn, time::Timestamp};

use crate::spawn::commits;
use world::{Ended, Stop, World};

/// Two sources, one that can be read again and one that cannot; state that changes, ends and wakes; all kinds of outputs.
const PIPELINE: &str = r#"
[streams.in]
queue = { schema = "word: text, count: integer", batches = [
    [{ word = "a", count = 1 }, { word = "b", count = 2 }],
    [],
    [{ word = "b", count = 3 }, { word = "c", count = 4 }, { word = "a", count = 5 }],
    [{ word = "d", count = 6 }],
    [{ word = "a", count = 7 }, { word = "e", count = 8 }],
    [{ word = "f", count = 9 }],
] }

[streams.live]
queue = { schema = "word: text, count: integer", batches = [] }

[streams.both]
from = ["in", "live"]
union = true

[streams.sums]
from = "both"
by = "word"
reduce = "wordcount/sum"

[streams.totals]
from = "both"
by = "word"
update-state = "wordcount/running-total"

[streams.all]
from = "both"
by = "word"
update-state = "wordcount/running-total"
emit = "all"

[outputs.sums]
from = "sums"
print = true

[outputs.totals]
from = "totals"
print = true

[outputs.all]
from = "all"
print = true
"#;

/// The same with functions that fail: rows are set aside in some batches, others are skipped.
const FAILING: &str = r#"
[streams.in]
queue = { schema = "line: text, k: text, value: integer", batches = [
    [{ line = "a", k = "x", value = 1 }, { line = "panic", k = "y", value = 2 }],
    [{ line = "b", k = "x", value = 13 }, { line = "c", k = "y", value = 3 }],
    [{ line = "reject", k = "z", value = 4 }, { line = "d", k = "x", value = 5 }],
    [],
    [{ line = "panic", k = "y", value = 13 }, { line = "e", k = "w", value = 6 }],
    [{ line = "f", k = "x", value = 666 }, { line = "again", k = "y", value = 7 }],
] }

[streams.live]
queue = { schema = "word: text, count: integer", batches = [] }

[streams.taken]
from = "in"
map = "hostile/touchy"
fields = { line = "line" }
keep = ["k", "value"]
on-error = "dead-letter"

[streams.totals]
from = "taken"
by = "k"
fields = { value = "value" }
update-state = "wordcount/running-total"

[streams.sums]
from = "in"
by = "k"
reduce = "hostile/touchy-sum"
fields = { value = "value" }
on-error = { retry = 1, delay = "1ms", then = "skip-batch" }

[streams.all]
from = "live"
by = "word"
update-state = "wordcount/running-total"
emit = "all"

[outputs.totals]
from = "totals"
print = true

[outputs.sums]
from = "sums"
print = true

[outputs.all]
from = "all"
print = true
"#;

/// Batches that are large enough to be run by several threads.
const LARGE: &str = r#"
[streams.in]
generate = { kind = "words", rate = 20_000, count = 60_000 }

[streams.words]
from = "in"
map = "wordcount/split"

[streams.counts]
from = "words"
by = "word"
reduce = "wordcount/sum"

[streams.totals]
from = "words"
by = "word"
update-state = "wordcount/running-total"

[outputs.counts]
from = "counts"
print = true

[outputs.totals]
from = "totals"
print = true
"#;

/// Batches of the pipelines.
const BATCHES: i64 = 6;

fn world() -> World {
    world_of(PIPELINE)
}

fn world_of(pipeline: &str) -> World {
    World::new(pipeline, "live", &[(1, &["b", "x"]), (2, &["y"]), (3, &[]), (4, &["x", "a"]), (5, &["z"]), (6, &["x"])])
}

fn at(batch: i64) -> Timestamp {
    Timestamp(batch * 1_000_000)
}

/// Runs to the end, whatever it takes; gives how often it was stopped.
fn run_to_the_end(world: &World, stop: Option<Stop>) -> usize {
    match world.run(stop) {
        Ended::Done => 0,
        Ended::Stopped => {
            assert_eq!(world.run(None), Ended::Done);
            1
        }
    }
}

fn check_like(world: &World, expect: &World, what: &str) {
    let last = at(BATCHES);
    assert_eq!(world.delivered_until(last), expect.delivered_until(last), "{what}");
}

#[test]
fn a_checkpoint_changes_nothing() {
    let (without, with) = (world(), world());
    assert_eq!(without.run_without_checkpoint(), Ended::Done);
    assert_eq!(with.run(None), Ended::Done);
    check_like(&with, &without, "with a checkpoint");
    assert_eq!(with.deliveries(), without.deliveries(), "nothing is delivered twice");
}

#[test]
fn every_step_of_every_batch_can_be_the_last() {
    let stops = stop_everywhere(PIPELINE);
    let _ = writeln!(std::io::stderr(), "{stops} stops, lost 0, duplicated 0");
    assert!(stops >= 5 * 2 * BATCHES as usize, "{stops}");
}

#[test]
fn batches_that_are_skipped_and_rows_that_are_set_aside_survive_too() {
    let stops = stop_everywhere(FAILING);
    let _ = writeln!(std::io::stderr(), "{stops} stops with failing functions, lost 0, duplicated 0");
    assert!(stops >= 5 * 2 * BATCHES as usize, "{stops}");
    let world = world_of(FAILING);
    assert_eq!(world.run(None), Ended::Done);
    assert_eq!(world.batches_of("dead letters of taken"), [at(1), at(3)], "the others are empty, or skipped");
    assert_eq!(world.batches_of("sums"), [at(1), at(3), at(4)], "a 13 and a 666 are in the others");
}

/// Stops at every point of every batch in turn, runs on, and compares; gives how often it was stopped.
fn stop_everywhere(pipeline: &str) -> usize {
    let expect = world_of(pipeline);
    assert_eq!(expect.run(None), Ended::Done);
    let mut stops = 0;
    for (point, early) in Point::ALL.into_iter().flat_map(|point| [(point, false), (point, true)]) {
        for after in [false, true] {
            for batch in 1..=BATCHES {
                let world = World { early, ..world_of(pipeline) };
                stops += run_to_the_end(&world, Some(Stop { point, after, batch: at(batch) }));
                check_like(&world, &expect, &format!("{point:?}, after {after}, batch {batch}, early {early}"));
            }
        }
    }
    stops
}

/// The next batch has been run when a batch is committed, or not, or is run meanwhile. What was logged of it then may come in the
/// batch before, if that was not planned when the run stopped; but it comes, once.
#[test]
fn a_batch_that_is_ahead_of_its_commit_is_lost_with_it() {
    // What there is in the end: of each word how many were counted in all batches, and the last state.
    let result = |world: &World| {
        let delivered = world.delivered_until(at(BATCHES));
        let mut counts = BTreeMap::<String, i64>::new();
        for row in delivered.iter().filter(|((output, _), _)| output == "sums").flat_map(|(_, parts)| parts.concat()) {
            let (word, count) = row.rsplit_once(' ').unwrap();
            *counts.entry(word.to_owned()).or_default() += count.parse::<i64>().unwrap();
        }
        let mut state = delivered[&("all".to_owned(), at(BATCHES))].concat();
        state.sort();
        (counts, state)
    };
    let threads: Arc<dyn Spawn> = Arc::new(Threads);
    for (spawn, early) in [(commits(true), false), (commits(true), true), (threads.clone(), false)] {
        // What was taken, and not logged when another thread stopped the run, is gone: there it is about what can be read again.
        let world = || match Arc::ptr_eq(&spawn, &threads) {
            true => World::new(PIPELINE, "no stream", &[]),
            false => world(),
        };
        let expect = world();
        assert_eq!(expect.run(None), Ended::Done);
        for (point, after) in Point::ALL.into_iter().flat_map(|point| [(point, false), (point, true)]) {
            for batch in 1..=BATCHES {
                let world = World { early, spawn: spawn.clone(), ..world() };
                run_to_the_end(&world, Some(Stop { point, after, batch: at(batch) }));
                assert_eq!(result(&world), result(&expect), "{point:?}, after {after}, batch {batch}, early {early}");
            }
        }
    }
}

#[test]
fn who_runs_it_does_not_show_in_a_checkpoint() {
    for pipeline in [PIPELINE, FAILING, LARGE] {
        let files = |early, workers, seed, fresh_instances| {
            let no_snapshots = SnapshotAfter { bytes_min: u64::MAX, commits_max: usize::MAX };
            let snapshot_after = no_snapshots;
            let world = World { early, workers, seed, fresh_instances, snapshot_after, ..world_of(pipeline) };
            assert_eq!(world.run(None), Ended::Done);
            world.storage.files()
        };
        for early in [false, true] {
            let expect = files(early, 1, 7, false);
            assert!(expect.len() >= 7, "a plan and a commit a batch, and the claim");
            assert_eq!(expect.keys().any(|name| name.starts_with("outbox/")), early);
            for (workers, seed, fresh_instances) in [(2, 7, false), (5, 8, false), (3, u64::MAX, true)] {
                assert_eq!(files(early, workers, seed, fresh_instances), expect, "{workers} {seed} {fresh_instances}");
            }
        }
    }
}

#[test]
fn a_run_can_be_stopped_again_and_again() {
    let expect = world();
    assert_eq!(expect.run(None), Ended::Done);
    for point in [Point::Log, Point::Plan, Point::Commit, Point::Prepare, Point::Deliver] {
        for after in [false, true] {
            let world = world();
            let stops = (1..=BATCHES).map(|batch| world.run(Some(Stop { point, after, batch: at(batch) })));
            assert!(stops.map(|ended| usize::from(ended == Ended::Stopped)).sum::<usize>() >= BATCHES as usize - 1);
            assert_eq!(world.run(None), Ended::Done);
            check_like(&world, &expect, &format!("{point:?}, after {after}"));
        }
    }
}

#[test]
fn what_was_not_synced_may_be_lost_but_nothing_that_was_planned() {
    let expect = world();
    assert_eq!(expect.run(None), Ended::Done);
    for after in [false, true] {
        let world = world();
        assert_eq!(world.run(Some(Stop { point: Point::Plan, after, batch: at(4) })), Ended::Stopped);
        world.lose_power();
        assert_eq!(world.run(None), Ended::Done);
        check_like(&world, &expect, &format!("after {after}"));
    }
}

#[test]
fn partitions_may_change_between_runs() {
    let expect = world();
    assert_eq!(expect.run(None), Ended::Done);
    for (before, behind) in [(1, 4), (4, 1), (3, 7)] {
        let world = World { partitions: before, ..world() };
        assert_eq!(world.run(Some(Stop { point: Point::Deliver, after: true, batch: at(3) })), Ended::Stopped);
        let world = World { partitions: behind, ..world };
        assert_eq!(world.run(None), Ended::Done);
        assert_eq!(world.rows_until(at(BATCHES)), expect.rows_until(at(BATCHES)), "{before} to {behind}");
    }
}

#[test]
fn old_files_go_and_a_recovery_does_not_need_them() {
    let expect = world();
    assert_eq!(expect.run(None), Ended::Done);
    let keep = Keep { batches: 0, bytes: 0 };
    let world = World { keep, snapshot_after: SnapshotAfter { bytes_min: 0, commits_max: 1 }, ..world() };
    let mut files = Vec::new();
    for batch in 1..=BATCHES {
        world.run(Some(Stop { point: Point::Deliver, after: true, batch: at(batch) }));
        files.push(world.storage.files().len());
    }
    assert_eq!(world.run(None), Ended::Done);
    check_like(&world, &expect, "with few files");
    assert!(files.iter().all(|&count| count < 40), "{files:?}");
}

#[test]
fn of_two_hosts_the_later_one_wins() {
    let world = world();
    let mut first = world.open().unwrap();
    let second = world.open().unwrap();
    let error = first.run().unwrap_err();
    assert!(matches!(error, RunError::Checkpoint(_)), "{error}");
    assert!(error.to_string().contains("has taken this checkpoint over"), "{error}");
    drop(second);
}

#[test]
fn a_sink_that_is_ahead_is_said() {
    let world = world();
    assert_eq!(world.run(None), Ended::Done);
    let fresh = World { storage: Default::default(), ..world };
    for refused in [fresh.foresee().map(drop), fresh.open().map(drop)] {
        let error = refused.unwrap_err();
        assert!(matches!(error, RunError::SinkAhead { last: None, .. }), "{error}");
        assert!(fresh.storage.files().is_empty(), "nothing is written: {:?}", fresh.storage.files());
    }
}

#[test]
fn rows_that_an_output_has_not_got_yet_are_not_forgotten() {
    let world = world();
    assert_eq!(world.run(Some(Stop { point: Point::Prepare, after: false, batch: at(3) })), Ended::Stopped);
    let text = PIPELINE.replace("[outputs.sums]\nfrom = \"sums\"\nprint = true\n", "");
    let changed = World { text, ..world };
    let error = changed.open().and_then(|mut run| run.run()).unwrap_err();
    assert!(error.to_string().contains("output `sums` has not got its rows"), "{error}");
}

#[test]
fn streams_may_be_given_other_names() {
    let expect = world();
    assert_eq!(expect.run(None), Ended::Done);
    // With a snapshot between the runs, and without one; stopped where a batch is planned; and twice in the same batch, so
    // that its input is logged under both names.
    for (commits_max, point, then, batches) in [
        (1, Point::Deliver, Point::Deliver, [3, 5]),
        (100, Point::Deliver, Point::Deliver, [3, 5]),
        (2, Point::Commit, Point::Commit, [3, 5]),
        (2, Point::Plan, Point::Commit, [4, 5]),
        (2, Point::Plan, Point::Plan, [4, 5]),
    ] {
        let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max };
        let stop = |point, batch| Some(Stop { point, after: false, batch: at(batch) });
        let world = World { snapshot_after, ..world() };
        assert_eq!(world.run(stop(point, batches[0])), Ended::Stopped);
        let rename = |text: &str, old: &str, new: &str, says: bool| {
            let header =
                format!("[streams.{new}]{}", if says { format!("\npreviously = \"{old}\"") } else { String::new() });
            let from = [format!("from = \"{old}\""), format!("from = \"{new}\"")];
            text.replace(&format!("[streams.{old}]"), &header).replace(&from[0], &from[1])
        };
        let renamed = |says| {
            let both = PIPELINE.replace("[\"in\", \"live\"]", "[\"numbers\", \"words\"]");
            let names = [("totals", "sums-so-far"), ("in", "numbers"), ("live", "words")];
            names.iter().fold(both, |text, (old, new)| rename(&text, old, new, says))
        };
        let world = World { text: renamed(true), live: "words".to_owned(), ..world };
        assert_eq!(world.run(stop(then, batches[1])), Ended::Stopped);
        // Once a batch is committed, the checkpoint knows.
        let world = World { text: renamed(false), ..world };
        assert_eq!(world.run(None), Ended::Done);
        check_like(&world, &expect, &format!("{commits_max} {point:?} {then:?}"));
    }
}

#[test]
fn state_without_its_stream_is_not_dropped() {
    let world = world();
    assert_eq!(world.run(Some(Stop { point: Point::Deliver, after: true, batch: at(3) })), Ended::Stopped);
    let changed = World { text: PIPELINE.replace("totals", "sums-so-far"), ..world };
    let error = changed.open().and_then(|mut run| run.run()).unwrap_err();
    assert!(error.to_string().contains("the checkpoint has state of the stream `totals`"), "{error}");
}
