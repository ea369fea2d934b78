//! The second and third of a kind: outputs, logged sources, sources with pins, segments of the input log.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use tidemill_checkpoint::{Budget, Keep};
use tidemill_engine::{
    RunError,
    checkpoint::{Point, SnapshotAfter},
};

use super::{
    BATCHES, at, check_like,
    world::{AtOnce, Broken, Ended, OnPoint, Stop, World, feed_of},
};

/// Two sources that are read again and two that are logged, one of which has a peer that sends again what was not
/// acknowledged.
const FOUR: &str = r#"
[streams.in]
queue = { schema = "word: text, count: integer", batches = [
    [{ word = "a", count = 1 }], [{ word = "b", count = 2 }], [], [{ word = "a", count = 3 }], [{ word = "c", count = 4 }],
] }

[streams.more]
queue = { schema = "word: text, count: integer", batches = [
    [], [{ word = "m", count = 1 }, { word = "a", count = 2 }], [{ word = "m", count = 3 }], [], [], [{ word = "n", count = 4 }],
] }

[streams.live]
queue = { schema = "word: text, count: integer", batches = [] }

[streams.told]
queue = { schema = "word: text, count: integer", batches = [] }

[streams.all]
from = ["in", "live", "told", "more"]
union = true

[streams.totals]
from = "all"
by = "word"
update-state = "wordcount/running-total"

[outputs.live]
from = "live"
print = true

[outputs.told]
from = "told"
print = true

[outputs.more]
from = "more"
print = true

[outputs.totals]
from = "totals"
print = true
"#;

/// `long`: words are followed by so many letters.
fn four(long: usize) -> World {
    let word = |word: &str| format!("{word}{}", "-".repeat(long));
    let [x, y, z] = ["x", "y", "z"].map(word);
    let live: &[(i64, &[&str])] = &[(1, &[&x, "a"]), (2, &[&y]), (4, &[&x]), (5, &[&z]), (6, &[&x])];
    let told: &[(i64, &[&str])] = &[(1, &[&y]), (3, &[&z, "b"]), (4, &[&y]), (6, &[&z, &x])];
    World {
        second: Some(("told".to_owned(), feed_of(told), Some(Arc::new(Mutex::new(0))))),
        workers: 1,
        spawn: Arc::new(AtOnce),
        ..World::new(FOUR, "live", live)
    }
}

/// Stops once or twice at every point of every batch, and runs on.
fn stop_everywhere(world: impl Fn() -> World) -> usize {
    let expect = world();
    assert_eq!(expect.run(None), Ended::Done);
    let mut stops = 0;
    for point in Point::ALL {
        for after in [false, true] {
            for batch in 1..=BATCHES {
                let world = world();
                for again in [batch, batch + 1] {
                    stops += usize::from(world.run(Some(Stop { point, after, batch: at(again) })) == Ended::Stopped);
                }
                assert_eq!(world.run(None), Ended::Done);
                check_like(&world, &expect, &format!("{point:?}, after {after}, batch {batch}"));
            }
        }
    }
    stops
}

#[test]
fn four_sources_of_three_kinds_go_on_each_where_it_was() {
    let stops = stop_everywhere(|| four(0));
    let _ = writeln!(std::io::stderr(), "{stops} stops with four sources, lost 0, duplicated 0");
    assert!(stops >= 5 * 2 * 2 * (BATCHES as usize - 1), "{stops}");
}

#[test]
fn input_that_lies_in_several_segments_is_found_again() {
    // An eighth of it is a segment's length.
    let budget = Budget { bytes_max: Some(150_000), free_bytes_min: 0 };
    let keep = Keep { batches: 0, bytes: 0 };
    let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max: 2 };
    let world = || World { budget, keep, snapshot_after, ..four(6_000) };
    let expect = world();
    assert_eq!(expect.run(None), Ended::Done);
    let newest = expect.storage.files().into_keys().rfind(|name| name.starts_with("input/")).unwrap();
    assert!(newest["input/".len()..].parse::<u64>().unwrap() >= 3, "one run alone begins several: {newest}");
    let mut stops = 0;
    for point in [Point::Plan, Point::Commit] {
        for batch in [2, 4, 5] {
            let world = world();
            stops +=
                usize::from(world.run(Some(Stop { point, after: batch % 2 == 0, batch: at(batch) })) == Ended::Stopped);
            assert_eq!(world.run(None), Ended::Done);
            check_like(&world, &expect, &format!("{point:?} of batch {batch}"));
        }
    }
    assert_eq!(stops, 6);
}

/// Whichever of the outputs it is that has a batch which the checkpoint does not know, the run must not make it again.
#[test]
fn any_sink_that_is_ahead_of_a_damaged_newest_record_is_said() {
    let outputs = ["sums", "totals", "all"];
    for ahead in outputs.iter().map(Some).chain([None]) {
        let world = super::world();
        assert_eq!(world.run(Some(Stop { point: Point::Deliver, after: false, batch: at(3) })), Ended::Stopped);
        ahead.iter().for_each(|output| world.has(output, at(3)));
        let (newest, mut bytes) =
            world.storage.files().into_iter().rfind(|(name, _)| name.starts_with("log/")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        world.storage.overwrite(&newest, bytes);
        let before = world.log();
        match (world.open().and_then(|mut run| run.run()), ahead) {
            (Err(RunError::SinkAhead { output, newest, last }), Some(&ahead)) => {
                assert_eq!((output.as_str(), newest, last), (ahead, at(3), Some(at(2))));
                assert!(world.log() == before, "a run that is refused takes nothing over");
            }
            (Ok(_), None) => {}
            (other, ahead) => panic!("{ahead:?}: {other:?}"),
        }
    }
}

/// Another host takes over while this one sleeps between its commit and its sinks: the batch is delivered by that one.
#[test]
fn a_host_that_slept_behind_its_commit_gives_nothing_to_its_sinks() {
    let world = super::world();
    let other = World { storage: world.storage.clone(), runs: world.runs.clone(), ..super::world() };
    let on_point: OnPoint = Arc::new(move |point, after, batch| {
        if (point, after, batch) == (Point::Commit, true, at(3)) {
            other.open().unwrap();
        }
    });
    let world = World { on_point: Some(on_point), ..world };
    let error = world.open().and_then(|mut run| run.run()).unwrap_err();
    assert!(error.to_string().contains("has taken this checkpoint over"), "{error}");
    for output in ["sums", "totals", "all"] {
        assert_eq!(world.batches_of(output).last(), Some(&at(2)), "{output}");
    }
}

/// Another host takes over while this one is at its sinks, and takes away what it has prepared: a sink that fails then is not
/// what is wrong.
#[test]
fn a_host_that_slept_at_its_sinks_says_that_it_was_overtaken() {
    for (point, is_prepared) in [(Point::Prepare, true), (Point::Deliver, false)] {
        let world = super::world();
        let other = World { storage: world.storage.clone(), runs: world.runs.clone(), ..super::world() };
        let on_point: OnPoint = Arc::new(move |now, after, batch| {
            if (now, after, batch) == (point, false, at(3)) {
                other.open().unwrap();
            }
        });
        let broken = Broken { output: "totals", is_prepared, batch: at(3) };
        *world.broken.lock().unwrap() = Some(broken);
        let world = World { on_point: Some(on_point), ..world };
        let error = world.open().and_then(|mut run| run.run()).unwrap_err();
        assert!(error.to_string().contains("has taken this checkpoint over"), "{error}");
    }
}
