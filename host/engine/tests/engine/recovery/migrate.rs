//! Functions that are replaced between two runs by ones whose states have a higher version.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use tidemill_checkpoint::{Budget, Fault, Keep, Operation, Storage, Survey};
use tidemill_engine::{
    RunError,
    checkpoint::{Point, RestoreError, SnapshotAfter, StoredStates, TableId},
};

use super::{
    at, check_like,
    replays::at_once,
    world::{Ended, Stop, World},
};
use crate::show;

/// Totals, and keys that are called again later; the fourth batch is skipped.
const PIPELINE: &str = r#"
[streams.in]
queue = { schema = "word: text, count: integer", batches = [
    [{ word = "a", count = 1 }, { word = "b", count = 2 }],
    [{ word = "c", count = 6 }],
    [{ word = "b", count = 3 }, { word = "d", count = 4 }, { word = "a", count = 5 }],
    [{ word = "e", count = 13 }, { word = "a", count = 1 }],
    [{ word = "a", count = 7 }, { word = "f", count = 8 }],
    [{ word = "g", count = 9 }],
    [],
    [{ word = "b", count = 1 }],
] }

[streams.live]
queue = { schema = "word: text, count: integer", batches = [] }

[streams.both]
from = ["in", "live"]
union = true

[streams.totals]
from = "both"
by = "word"
update-state = "hostile/total-emitted"

[streams.alarms]
from = "in"
by = "word"
update-state = "hostile/alarm"

[streams.unlucky]
from = "in"
by = "word"
reduce = "hostile/touchy-sum"
on-error = "skip-batch"

[outputs.totals]
from = "totals"
print = true

[outputs.alarms]
from = "alarms"
print = true

[outputs.unlucky]
from = "unlucky"
print = true
"#;

const BATCHES: i64 = 8;

/// The function of the totals in each version, and with it that of the alarms.
const VERSIONS: [(&str, &str); 3] = [
    ("hostile/total-emitted", "hostile/alarm"),
    ("hostile/sum-migrated", "hostile/alarm-migrated"),
    ("hostile/sum-migrated-again", "hostile/alarm-migrated"),
];

pub fn world() -> World {
    World::new(PIPELINE, "live", &[(1, &["b", "x"]), (2, &["y"]), (5, &["x", "a"]), (6, &["z"])])
}

/// The world with the functions of a version in its pipeline.
pub fn with_version(world: World, version: usize) -> World {
    let (total, alarm) = VERSIONS[version - 1];
    let text = PIPELINE.replace("hostile/total-emitted", total).replace("hostile/alarm", alarm);
    World { text, ..world }
}

fn with_totals(world: World, function: &str) -> World {
    World { text: PIPELINE.replace("hostile/total-emitted", function), ..world }
}

fn stop(point: Point, after: bool, batch: i64) -> Option<Stop> {
    Some(Stop { point, after, batch: at(batch) })
}

/// What a run of the first version comes to that nobody stops.
fn expected() -> World {
    let expect = world();
    assert_eq!(expect.run(None), Ended::Done);
    assert!(!expect.batches_of("totals").contains(&at(4)), "the fourth batch is skipped");
    assert!(expect.batches_of("alarms").len() > 2);
    expect
}

fn check_done(world: &World, expect: &World, what: &str) {
    assert_eq!(world.run(None), Ended::Done, "{what}");
    let last = at(BATCHES);
    assert_eq!(world.delivered_until(last), expect.delivered_until(last), "{what}");
}

/// The states of the totals as the checkpoint has them: key, sum, and the versions that it was of.
fn stored(world: &World) -> Vec<String> {
    let storage: Arc<dyn Storage> = world.storage.clone();
    let survey = Survey::of(&storage).unwrap().unwrap();
    let mut states =
        StoredStates::load(survey.history.archive(), &survey.history.records, survey.recovery.as_ref().unwrap())
            .unwrap();
    let mut rows = Vec::new();
    states
        .each_block(&TableId { stream: "totals".to_owned(), table: String::new() }, |block| {
            let keys = show::values(&block.key_schema, &block.keys);
            let states = show::values(&block.state_schema, &block.states);
            rows.extend(
                keys.iter().zip(&states).map(|(key, state)| format!("{} {}", show::row(key), show::row(state))),
            );
            Ok::<(), RestoreError>(())
        })
        .unwrap();
    rows
}

/// How many records there are.
fn records(world: &World) -> usize {
    world.storage.files().keys().filter(|name| name.starts_with("log/")).count()
}

#[test]
fn a_migration_survives_a_stop_at_every_step() {
    let (expect, mut stops) = (expected(), 0);
    let old = [stop(Point::Commit, false, 3), stop(Point::Commit, true, 3), stop(Point::Deliver, true, 3)];
    for (commits_max, old) in [(1, old[2]), (2, old[0]), (1_000, old[1])] {
        for point in Point::ALL {
            for (after, batch) in [(false, 3), (true, 3), (false, 4), (true, 4), (false, 5), (true, 5)] {
                let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max };
                let world = World { snapshot_after, ..world() };
                assert_eq!(world.run(old), Ended::Stopped);
                let world = with_version(world, 2);
                stops += usize::from(world.run(stop(point, after, batch)) == Ended::Stopped);
                check_done(&world, &expect, &format!("{old:?}, then {point:?}, after {after}, batch {batch}"));
            }
        }
    }
    let _ = writeln!(std::io::stderr(), "{stops} stops of runs that migrate, lost 0, duplicated 0");
    assert!(stops > 60, "{stops}");
}

#[test]
fn every_version_can_follow_and_none_comes_back() {
    let expect = expected();
    for (commits_max, then, was) in
        [(1, &[2, 3][..], ["1 2", "2"]), (1_000, &[2, 3], ["1 2", "2"]), (1_000, &[3], ["1", "new"])]
    {
        let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max };
        let mut world = World { snapshot_after, ..world() };
        for (&version, batch) in [1].iter().chain(then).zip([2, 5]) {
            world = with_version(world, version);
            assert_eq!(world.run(stop(Point::Commit, true, batch)), Ended::Stopped);
        }
        let world = with_version(world, 3);
        check_done(&world, &expect, &format!("{then:?}"));
        let stored = stored(&world);
        let was_of = |key: &str| stored.iter().find(|row| row.starts_with(key)).unwrap().splitn(3, ' ').last().unwrap();
        assert_eq!([was_of("a"), was_of("f")].map(|was| was.replace("new 2", "2")), was, "{stored:?}");
        let text = world.text.replace(VERSIONS[2].0, VERSIONS[0].0);
        let older = World { text, ..world };
        let error = older.open().and_then(|mut run| run.run()).unwrap_err().to_string();
        let expect = "the state of stream `totals` is of version 3 (`sum: integer, was: text`), and the plugin's \
                      function has version 1 (`total: integer`), which is older: put the plugin back that has version 3";
        assert!(error.starts_with(expect), "{error}");
    }
}

#[test]
fn partitions_may_change_with_the_version() {
    let expect = expected();
    for (before, behind) in [(1, 4), (4, 1), (3, 7)] {
        let world = World { partitions: before, ..world() };
        assert_eq!(world.run(stop(Point::Deliver, true, 3)), Ended::Stopped);
        let world = with_version(World { partitions: behind, ..world }, 2);
        assert_eq!(world.run(stop(Point::Commit, true, 5)), Ended::Stopped);
        let world = World { partitions: before, ..world };
        assert_eq!(world.run(None), Ended::Done);
        assert_eq!(world.rows_until(at(BATCHES)), expect.rows_until(at(BATCHES)), "{before} to {behind}");
    }
}

#[test]
fn a_stream_may_get_another_name_with_the_version() {
    let expect = expected();
    for commits_max in [1, 1_000] {
        let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max };
        let world = World { snapshot_after, ..world() };
        assert_eq!(world.run(stop(Point::Deliver, true, 3)), Ended::Stopped);
        let world = with_version(world, 2);
        let text = world.text.replace("[streams.totals]", "[streams.sums]\npreviously = \"totals\"");
        let world = World { text: text.replace("from = \"totals\"", "from = \"sums\""), ..world };
        assert_eq!(world.run(stop(Point::Commit, true, 5)), Ended::Stopped);
        check_done(&world, &expect, "with another name");
    }
}

#[test]
fn a_snapshot_that_is_made_before_the_first_new_commit_has_the_old_states() {
    // Without words of a peer: while a run waits for room time passes, and they would come in other batches.
    let world = || World::new(PIPELINE, "live", &[]);
    let expect = world();
    assert_eq!(expect.run(None), Ended::Done);
    let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max: 1_000 };
    let world = World { snapshot_after, keep: Keep { batches: 0, bytes: 0 }, ..world() };
    assert_eq!(world.run(stop(Point::Deliver, true, 3)), Ended::Stopped);
    let world = with_version(World { budget: Budget { bytes_max: None, free_bytes_min: 1 << 20 }, ..world }, 2);
    world.storage.set_capacity(Some(1 << 19));
    let (storage, looks) = (world.storage.clone(), Arc::new(Mutex::new(0)));
    let seen = looks.clone();
    world.storage.set_faults(move |call| {
        let mut looks = seen.lock().unwrap();
        // There is room again once there is a snapshot.
        *looks += usize::from(call.operation == Operation::Free);
        if *looks > 0 && storage.files().keys().any(|name| name.starts_with("state/")) {
            storage.set_capacity(None);
        }
        Fault::None
    });
    let mut run = world.open().unwrap();
    run.run().unwrap();
    assert!(*looks.lock().unwrap() > 1, "it did not wait");
    let totals = |world: &World| {
        // Time passes as often as a run looks for room, and nobody knows how often that is.
        let rows = world.rows_until(at(i64::MAX / 1_000_000)).into_iter().filter(|((output, _), _)| output == "totals");
        rows.flat_map(|(_, rows)| rows).collect::<Vec<_>>()
    };
    assert_eq!(totals(&world), totals(&expect));
    assert_eq!(stored(&world), ["a 13 1", "b 6 1", "c 6 1", "d 4 1", "f 8 new", "g 9 new"]);
}

#[test]
fn fields_that_went_and_came_back_are_blank_whenever_snapshots_were_made() {
    for commits_max in [1, 2, 1_000] {
        let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max };
        let mut world = World { snapshot_after, ..world() };
        // States of one version: `sum` and `was`, then `total` alone, then `sum` and `was` again.
        for (function, batch) in
            [("hostile/sum-migrated", 2), ("hostile/alarm-migrated", 3), ("hostile/sum-migrated", 5)]
        {
            world = with_totals(world, function);
            assert_eq!(world.run(stop(Point::Deliver, true, batch)), Ended::Stopped);
        }
        let stored = stored(&world);
        // Only the second batch has `c`; `f` is new in the fifth.
        assert!(stored.contains(&"c 0 \"\"".to_owned()), "{stored:?}");
        assert!(stored.contains(&"f 8 new".to_owned()), "{stored:?}");
    }
}

/// States are of many batches: what all functions may use of one says nothing of them.
#[test]
fn a_migration_is_of_no_batch_and_has_no_limit_of_one() {
    let batches: String = "abcdefgh".chars().map(|key| format!("[{{ word = \"{key}\", count = 1 }}], ")).collect();
    let text = format!(
        "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = 4\nlimits = {{ batch-rows = 3 }}\n\
         [streams.in]\nqueue = {{ schema = \"word: text, count: integer\", batches = [{batches}] }}\n\
         [streams.totals]\nfrom = \"in\"\nby = \"word\"\nupdate-state = \"hostile/total-emitted\"\n\
         [outputs.totals]\nfrom = \"totals\"\nprint = true\n"
    );
    let [expect, world] = [(); 2].map(|()| World::new(&text, "live", &[]));
    assert_eq!(expect.run(None), Ended::Done);
    assert_eq!(world.run(stop(Point::Deliver, true, BATCHES - 1)), Ended::Stopped);
    let world = World { text: text.replace(VERSIONS[0].0, VERSIONS[1].0), ..world };
    check_done(&world, &expect, "more states than a batch may have rows");
    assert_eq!(stored(&world).len(), 8);
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let expect = expected();
    let world = at_once(world());
    assert_eq!(world.run(stop(Point::Deliver, true, 3)), Ended::Stopped);
    let mut world = world;
    for (function, says) in [
        (
            "hostile/migrate-fails",
            "`hostile/migrate-fails`: the function failed: no way from version 1 of total: integer",
        ),
        ("hostile/migrate-few", "the function returned"),
        ("hostile/migrate-more-columns", "the function returned 2 columns where `total: integer` has 1"),
        ("hostile/migrate-bad-text", "column `was` is no valid UTF-8"),
        ("hostile/migrate-panics", "the function panicked: what was that"),
    ] {
        world = with_totals(world, function);
        let state = if function.ends_with("bad-text") { "sum: integer, was: text" } else { "total: integer" };
        let before = records(&world);
        let error = world.open().and_then(|mut run| run.run()).unwrap_err();
        assert!(
            matches!(&error, RunError::Restore(error) if matches!(**error, RestoreError::Migration { .. })),
            "{error}"
        );
        let error = error.to_string();
        let expect = format!(
            "the state of stream `totals` is of version 1 (`total: integer`), the plugin's function has version 2 \
             (`{state}`), and the migration failed: "
        );
        assert!(error.starts_with(&expect) && error.contains(says), "{error}");
        assert_eq!(records(&world), before + 1, "a claim alone was added");
    }
    let world = with_version(world, 1);
    check_done(&world, &expect, "with the old version");
    check_like(&world, &expect, "with the old version");
}
