//! Past batches run again: what comes out is what was committed.

use std::{collections::BTreeMap, sync::Arc};

use tidemill_checkpoint::{Keep, PastError};
use tidemill_engine::{
    checkpoint::{Point, SnapshotAfter, TableRows},
    replay::{BatchRows, ReplayError, difference},
};

use super::{
    BATCHES, at, migrate, world,
    world::{AtOnce, Ended, Stop, World},
};
use crate::show;

/// A world in which nothing is cleaned any more when a run has ended: what is replayed is there, or is not.
pub fn at_once(world: World) -> World {
    World { workers: 1, spawn: Arc::new(AtOnce), ..world }
}

fn new_world() -> World {
    at_once(world())
}

/// What became of each key of a stream, by the key's bytes; where it keeps panes by their number, and whether it is a row.
type Changes = BTreeMap<(Option<i64>, bool, Vec<u8>), (bool, Option<i64>, String)>;

fn changes(blocks: &[TableRows]) -> Changes {
    let rows = blocks.iter().flat_map(|block| (0..block.len()).map(move |row| (block, row)));
    let change = |(block, row): (&TableRows, usize)| {
        let state = show::row(&show::values(&block.state_schema, &block.states.slice(row, 1))[0]);
        let wake_at = block.wake_at(row).map(|time| time.0);
        let of = (block.pane(row), block.has_row(row), block.key_bytes(row).to_vec());
        (of, (block.is_deleted(row), wake_at, state))
    };
    rows.map(change).collect()
}

fn states(rows: &BatchRows) -> BTreeMap<String, Changes> {
    rows.states.iter().map(|(stream, blocks)| (stream.to_string(), changes(blocks))).collect()
}

/// Every row of every output, in order.
fn outputs(rows: &BatchRows) -> BTreeMap<String, Vec<String>> {
    let text = |rows: &tidemill_engine::replay::OutputRows| {
        let batches = rows.partitions.values().flatten();
        batches.flat_map(|(schema, batch)| show::values(schema, batch)).map(|row| show::row(&row)).collect()
    };
    rows.outputs.iter().map(|(output, rows)| (output.clone(), text(rows))).collect()
}

/// What is in the checkpoint. Of a run that was stopped a snapshot may still come.
fn files(world: &World) -> BTreeMap<String, Vec<u8>> {
    world.storage.files().into_iter().filter(|(name, _)| !name.starts_with("state/")).collect()
}

/// Replays every batch that can be; gives how many.
pub fn check_all(world: &World, what: &str) -> usize {
    let history = world.history();
    let mut replayed_count = 0;
    for found in history.batches().iter().filter(|found| history.has_past(found)) {
        let before = files(world);
        let past = history.past(found.time).unwrap();
        let replayed = world.replay(&history, &past).unwrap();
        assert_eq!(replayed.then.is_some(), found.commit.is_some(), "{what}, batch {}", found.time);
        if let Some(then) = replayed.then {
            assert_eq!(replayed.now.outputs, then.outputs, "{what}, batch {}", found.time);
            assert_eq!(states(&replayed.now), states(&then), "{what}, batch {}", found.time);
        }
        assert!(files(world) == before, "{what}: something was written");
        replayed_count += 1;
    }
    replayed_count
}

#[test]
fn every_batch_that_is_kept_comes_out_as_it_was_committed() {
    for commits_max in [1, 2, 1000] {
        let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max };
        let keep = Keep { batches: 3, bytes: 1 << 30 };
        let world = World { keep, snapshot_after, ..new_world() };
        assert_eq!(world.run(None), Ended::Done);
        let deliveries = world.deliveries();
        let count = check_all(&world, &format!("snapshots after {commits_max}"));
        assert!(count >= 3, "{count} with snapshots after {commits_max}");
        assert_eq!(world.deliveries(), deliveries, "nothing is given to a sink");
    }
}

#[test]
fn a_batch_that_was_run_again_after_a_crash_is_replayed_too() {
    for point in [Point::Log, Point::Plan, Point::Commit, Point::Deliver] {
        let world = new_world();
        for batch in 1..=BATCHES {
            world.run(Some(Stop { point, after: true, batch: at(batch) }));
            check_all(&world, &format!("stopped after {point:?} of {batch}"));
        }
        assert_eq!(world.run(None), Ended::Done);
        assert!(check_all(&world, &format!("{point:?}")) >= 2);
    }
}

#[test]
fn with_other_partitions_only_the_order_is_another() {
    let world = World { partitions: 3, ..new_world() };
    assert_eq!(world.run(None), Ended::Done);
    let world = World { partitions: 5, ..world };
    let history = world.history();
    let replayed = world.replay(&history, &history.past(at(BATCHES)).unwrap()).unwrap();
    let committed = replayed.then.unwrap();
    let (then, now) = (outputs(&committed), outputs(&replayed.now));
    assert_eq!(then.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
    for (output, rows) in then {
        let found = difference(&rows, &now[&output]);
        assert!(found.only_then.is_empty() && found.only_now.is_empty(), "{output}: {found:?}");
    }
    assert_eq!(states(&replayed.now), states(&committed));
}

#[test]
fn states_of_an_older_version_are_migrated_here_too() {
    for commits_max in [1, 1_000] {
        let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max };
        let world = World { keep: Keep { batches: 100, bytes: 1 << 30 }, snapshot_after, ..at_once(migrate::world()) };
        assert_eq!(world.run(Some(Stop { point: Point::Deliver, after: true, batch: at(3) })), Ended::Stopped);
        let world = migrate::with_version(world, 2);
        assert_eq!(world.run(None), Ended::Done);
        let history = world.history();
        let mut replayed_count = 0;
        for found in history.batches().iter().filter(|found| history.has_past(found)) {
            let replayed = world.replay(&history, &history.past(found.time).unwrap()).unwrap();
            let then = replayed.then.unwrap();
            assert_eq!(outputs(&replayed.now), outputs(&then), "batch {}", found.time);
            // The fourth one is the first of the new version: it holds all states, although it was skipped.
            if found.time >= at(4) {
                assert_eq!(states(&replayed.now), states(&then), "batch {}", found.time);
            }
            replayed_count += 1;
        }
        assert!(replayed_count >= 4, "{replayed_count}");
    }
}

#[test]
fn streams_may_have_other_names_now() {
    let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max: 2 };
    let world = World { keep: Keep { batches: 100, bytes: 1 << 30 }, snapshot_after, ..new_world() };
    assert_eq!(world.run(Some(Stop { point: Point::Deliver, after: true, batch: at(3) })), Ended::Stopped);
    let names = [("totals", "sums-so-far"), ("in", "numbers"), ("live", "words")];
    let text = names.iter().fold(world.text.clone(), |text, (old, new)| {
        let header = format!("[streams.{new}]\npreviously = \"{old}\"");
        let (stream, output) = text.split_at(text.find("[outputs").unwrap());
        let stream = stream.replace(&format!("[streams.{old}]"), &header);
        let stream = stream.replace(&format!("[\"{old}\""), &format!("[\"{new}\""));
        let stream = stream.replace(&format!(", \"{old}\"]"), &format!(", \"{new}\"]"));
        stream + &output.replace(&format!("from = \"{old}\""), &format!("from = \"{new}\""))
    });
    let world = World { text, live: "words".to_owned(), ..world };
    assert_eq!(world.run(None), Ended::Done);
    assert_eq!(check_all(&world, "renamed"), BATCHES as usize);
}

#[test]
fn what_changed_since_is_seen() {
    let world = new_world();
    assert_eq!(world.run(None), Ended::Done);
    let text = world.text.replace(
        "[streams.sums]\nfrom = \"both\"\nby = \"word\"\nreduce = \"wordcount/sum\"",
        "[streams.sums]\nfrom = \"both\"\nby = \"word\"\nreduce = \"count\"",
    );
    let world = World { text, ..world };
    let history = world.history();
    let replayed = world.replay(&history, &history.past(at(BATCHES)).unwrap()).unwrap();
    let (then, now) = (outputs(&replayed.then.unwrap()), outputs(&replayed.now));
    assert_ne!(now["sums"], then["sums"]);
    assert_eq!(now["all"], then["all"]);
}

#[test]
fn a_batch_that_a_run_has_not_come_to_commit_can_be_tried() {
    let world = World { keep: Keep { batches: 100, bytes: 1 << 30 }, ..new_world() };
    assert_eq!(world.run(Some(Stop { point: Point::Plan, after: true, batch: at(4) })), Ended::Stopped);
    let history = world.history();
    let replayed = world.replay(&history, &history.past(at(4)).unwrap()).unwrap();
    assert!(replayed.then.is_none());
    assert_eq!(world.run(None), Ended::Done);
    let history = world.history();
    let again = world.replay(&history, &history.past(at(4)).unwrap()).unwrap();
    assert_eq!(again.now.outputs, replayed.now.outputs);
    assert_eq!(again.then.unwrap().outputs, replayed.now.outputs);
}

#[test]
fn what_cannot_be_replayed_is_said() {
    let world = new_world();
    assert_eq!(world.run(Some(Stop { point: Point::Plan, after: true, batch: at(BATCHES) })), Ended::Stopped);
    let history = world.history();
    assert!(matches!(history.past(at(99)).unwrap_err(), PastError::Unknown { .. }));
    let past = history.past(at(BATCHES - 1)).unwrap();
    let text = world.text.replace("[streams.live]", "[streams.alive]").replace("\"live\"", "\"alive\"");
    let renamed = World { text, live: "alive".to_owned(), ..world };
    let error = renamed.replay(&history, &past).unwrap_err();
    assert!(matches!(error, ReplayError::NewSource { ref stream } if stream == "alive"), "{error}");
}
