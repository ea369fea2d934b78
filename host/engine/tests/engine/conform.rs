//! What every operator promises, whatever it does: the same rows, in the same order where one is promised, however it is run,
//! stopped and gone on with. An operator is in it by being in the plan's table; one without a sample fails.

mod feed;
pub mod models;
mod sample;
mod samples;
mod shared;
mod writes;

use std::collections::{BTreeMap, BTreeSet};

use tidemill_engine::{
    Cause, RunError,
    checkpoint::{Point, SnapshotAfter, StoredStates},
};
use tidemill_model::{
    ports::{Source, Wake},
    testing::Value,
    time::Timestamp,
};
use tidemill_plan::{
    graph::{Node, NodeId, Plan, Then},
    operators,
};

use crate::{
    harness::{self, Outcome},
    mode::{Mode, PLAIN},
    recovery::{
        replays,
        world::{Ended, Stop, World},
    },
    show,
    source::{Chopped, Given},
    spawn::commits,
};
use feed::{BATCHES, Feed, SKIPPED, feed};
use samples::{SAMPLES, Sample};

/// What `out` has in each batch.
type Batches = Vec<Vec<Vec<Value>>>;

/// Rows in the order that is promised: that in which they came, or any.
fn comparable(sample: &Sample, rows: impl IntoIterator<Item = Vec<Value>>) -> Vec<Vec<Value>> {
    let mut rows: Vec<Vec<Value>> = rows.into_iter().map(|row| row.iter().map(Value::canonical).collect()).collect();
    if !sample.is_ordered {
        rows.sort();
    }
    rows
}

/// Runs a sample in this process, without a checkpoint.
fn run(sample: &Sample, feed: &Feed, mode: Mode) -> Batches {
    let outcome = outcome(harness::plan(&sample.pipeline(None), mode.partitions), feed, mode);
    outcome.result.unwrap();
    let mut batches = vec![Vec::new(); BATCHES];
    for batch in outcome.delivered.into_iter().filter(|batch| batch.output == "out") {
        batches[(batch.time.0 / 1_000_000) as usize - 1] = comparable(sample, batch.parts.concat());
    }
    batches
}

/// Runs a sample's plan.
fn outcome(plan: Plan, feed: &Feed, mode: Mode) -> Outcome {
    let source = |stream: usize| -> (NodeId, Box<dyn Source>) {
        let batches = feed.rows(stream).into_iter().map(Some).collect();
        let given = Box::new(Given::new(&plan.nodes[stream].schema, batches));
        (NodeId(stream), Box::new(Chopped::new(given, mode.chunk_rows, mode.ahead)))
    };
    let sources = vec![source(0), source(1)];
    harness::run_with(plan, sources, mode, Wake::default())
}

/// The same over a checkpoint, with the feed in the pipeline.
fn world(sample: &Sample, feed: &Feed) -> World {
    // Snapshots are made all the time, so that what is gone on from is one and the changes behind it.
    let snapshot_after = SnapshotAfter { bytes_min: 0, commits_max: 2 };
    World { snapshot_after, ..World::new(&sample.pipeline(Some(feed)), "no stream", &[]) }
}

fn at(batch: usize) -> Timestamp {
    Timestamp(batch as i64 * 1_000_000)
}

/// What the sink `out` has got in each batch, as text.
fn delivered(sample: &Sample, world: &World) -> BTreeMap<Timestamp, Vec<String>> {
    let all = world.delivered_until(at(BATCHES));
    let of_out = all.into_iter().filter(|((output, _), _)| output == "out");
    let rows = of_out.map(|((_, time), parts)| {
        let mut rows = parts.concat();
        if !sample.is_ordered {
            rows.sort();
        }
        (time, rows)
    });
    rows.collect()
}

/// The same as the model has it. A batch without rows is not delivered.
fn expected(sample: &Sample, feed: &Feed) -> BTreeMap<Timestamp, Vec<String>> {
    let batches = (sample.model)(feed).into_iter().zip(1..);
    let texts = batches.map(|(rows, batch)| {
        let mut texts: Vec<String> = rows.iter().map(|row| show::row(row)).collect();
        if !sample.is_ordered {
            texts.sort();
        }
        (at(batch), texts)
    });
    texts.filter(|(_, rows)| !rows.is_empty()).collect()
}

#[test]
fn every_operator_has_samples() {
    for operator in operators() {
        assert!(SAMPLES.iter().any(|sample| sample.operator == operator), "`{operator}` has no sample");
    }
    assert!(SAMPLES.iter().all(|sample| operators().any(|operator| operator == sample.operator)));
}

#[test]
fn rows_are_the_same_in_every_mode() {
    let mut count = 0;
    for (number, sample) in SAMPLES.iter().enumerate() {
        let feed = feed(number as u64, 6);
        let expect: Batches = (sample.model)(&feed).into_iter().map(|rows| comparable(sample, rows)).collect();
        for partitions in [1, 2, 4, 7] {
            for chunk_rows in [1, 3, usize::MAX] {
                for (workers, seed, fresh, ahead, early, late) in [
                    (1, 1, false, false, false, false),
                    (3, u64::MAX, true, true, true, false),
                    (2, 7, false, true, false, true),
                ] {
                    let mode = Mode { partitions, workers, seed, fresh, chunk_rows, ahead, early, late, ..PLAIN };
                    assert_eq!(run(sample, &feed, mode), expect, "{} {mode:?}", sample.name);
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, SAMPLES.len() * 36);
}

/// An operator that must hold something of a batch says so, and what becomes of a batch of which it would have to hold more than
/// it can; one that does not needs nothing.
#[test]
fn what_is_held_meets_its_bound_with_a_verdict() {
    let mut holding = BTreeSet::new();
    for (number, sample) in SAMPLES.iter().enumerate() {
        let feed = feed(number as u64, 6);
        let expect: Batches = (sample.model)(&feed).into_iter().map(|rows| comparable(sample, rows)).collect();
        let plan = |on_error: &str| {
            let pipeline = "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = 3";
            harness::plan(&format!("{pipeline}\non-error = \"{on_error}\"\n{}", sample.pipeline(None)), 3)
        };
        let mode = Mode { partitions: 3, chunk_rows: 4, operator_bytes: Some(0), ..PLAIN };
        let holders = |plan: &Plan| -> Vec<(String, Then)> {
            let nodes = plan.nodes.iter().filter_map(|node| Some((node.name.clone(), node.holds?)));
            nodes.collect()
        };
        if holders(&plan("stop")).is_empty() {
            assert_eq!(run(sample, &feed, mode), expect, "{}", sample.name);
            continue;
        }
        holding.insert(sample.operator);
        for on_error in ["stop", "retry", "skip-batch", "dead-letter"] {
            let plan = plan(on_error);
            let holders = holders(&plan);
            let outcome = outcome(plan, &feed, mode);
            if holders.iter().all(|(_, then)| *then == Then::SkipBatch) {
                assert_eq!(outcome.result.unwrap().skipped, BATCHES as u64, "{}", sample.name);
            } else {
                let error = outcome.result.unwrap_err();
                let RunError::Operator { stream, cause, .. } = &error else { panic!("{}: {error}", sample.name) };
                assert!(holders.iter().any(|(name, _)| name == stream), "{}: {error}", sample.name);
                assert!(matches!(**cause, Cause::TooMuch { bytes_max: 0 }), "{}: {error}", sample.name);
            }
            assert_eq!(outcome.delivered, [], "{} {on_error}", sample.name);
        }
    }
    assert_eq!(
        holding.into_iter().collect::<Vec<_>>(),
        [
            "count",
            "distinct",
            "filter",
            "group",
            "join",
            "limit",
            "map",
            "reduce",
            "sort",
            "table",
            "update-state",
            "window"
        ]
    );
}

/// What all functions may use together is the same number however a batch is cut, and whoever comes to it: one less is too much.
/// Whether the batch is skipped is not for that one to say.
#[test]
fn what_functions_use_together_meets_its_bound_with_a_verdict() {
    for (number, sample) in SAMPLES.iter().enumerate() {
        let feed = feed(number as u64, 6);
        let plan = |limit: &str, beside: &str| {
            let pipeline = "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = 3\non-error = \"skip-batch\"";
            let beside = format!("{}on-error = \"{beside}\"\n{}", samples::BESIDE, samples::OF_BESIDE);
            harness::plan(&format!("{pipeline}\nlimits = {{ {limit} }}\n{}{beside}", sample.pipeline(None)), 3)
        };
        // A sample may say something else of its function.
        let stops = |node: &Node| node.may_fail().is_some_and(|(_, on_error)| on_error.then != Then::SkipBatch);
        let is_any_to_stop = plan("batch-rows = 1", "skip-batch").nodes.iter().any(stops);
        let mode = Mode { partitions: 3, chunk_rows: 4, ..PLAIN };
        let modes = [mode, Mode { workers: 3, fresh: true, ahead: true, early: true, ..mode }];
        for key in ["batch-rows", "batch-bytes", "batch-fuel"] {
            let skipped = |limit: u64, beside: &str, mode| {
                let outcome = outcome(plan(&format!("{key} = {limit}"), beside), &feed, mode);
                outcome.result.map(|summary| summary.skipped).map_err(|error| match error {
                    RunError::Operator { cause, .. } if matches!(*cause, Cause::OverBudget { key: over, .. } if over == key) => {}
                    other => panic!("{}: {other}", sample.name),
                })
            };
            let enough = harness::least(|limit| skipped(limit, "skip-batch", mode) == Ok(0));
            for mode in modes {
                assert_eq!(skipped(enough, "skip-batch", mode), Ok(0), "{} {key} {mode:?}", sample.name);
                let all_skip = skipped(enough - 1, "skip-batch", mode);
                let is_right = match all_skip {
                    Ok(skipped) => skipped > 0 && !is_any_to_stop,
                    Err(()) => is_any_to_stop,
                };
                assert!(is_right, "{} {key} {mode:?}", sample.name);
                assert_eq!(skipped(enough - 1, "stop", mode), Err(()), "{} {key} {mode:?}", sample.name);
            }
        }
    }
}

/// A batch that ended a run because it was too much is run again by the next one: as often as it is too much, and then, with more
/// room, as if nothing had been.
#[test]
fn a_batch_that_was_too_much_is_run_again_where_there_is_room() {
    for (number, sample) in SAMPLES.iter().enumerate() {
        let feed = feed(number as u64, 4);
        let expect = expected(sample, &feed);
        let mut world = World { operator_bytes: Some(0), ..world(sample, &feed) };
        let holds = harness::plan(&world.text, 1).nodes.iter().any(|node| node.holds.is_some());
        for _ in 0..2 {
            let ended = world.open().and_then(|mut run| run.run());
            let is_too_much = |error: &RunError| matches!(error, RunError::Operator { cause, .. } if matches!(**cause, Cause::TooMuch { .. }));
            assert_eq!(ended.as_ref().is_err_and(is_too_much), holds, "{}: {:?}", sample.name, ended.err());
        }
        world.operator_bytes = None;
        assert_eq!(world.run(None), Ended::Done);
        assert_eq!(delivered(sample, &world), expect, "{}", sample.name);
    }
}

#[test]
fn a_feed_ten_times_as_long_changes_nothing_else() {
    for (number, sample) in SAMPLES.iter().enumerate() {
        let feed = feed(number as u64, 60);
        let expect: Batches = (sample.model)(&feed).into_iter().map(|rows| comparable(sample, rows)).collect();
        let mode = Mode { partitions: 3, chunk_rows: 7, workers: 2, ahead: true, ..PLAIN };
        assert_eq!(run(sample, &feed, mode), expect, "{}", sample.name);
    }
}

#[test]
fn a_run_may_be_stopped_at_any_point() {
    for (number, sample) in SAMPLES.iter().enumerate() {
        let feed = feed(number as u64, 4);
        let expect = expected(sample, &feed);
        for (point, after) in Point::ALL.into_iter().flat_map(|point| [(point, false), (point, true)]) {
            for batch in 1..=BATCHES {
                let early = batch % 2 == 0 || point == Point::Outbox;
                let world = World { early, spawn: commits(after), ..world(sample, &feed) };
                if world.run(Some(Stop { point, after, batch: at(batch) })) == Ended::Stopped {
                    assert_eq!(world.run(None), Ended::Done);
                }
                assert_eq!(delivered(sample, &world), expect, "{} {point:?} {after} {batch}", sample.name);
            }
        }
    }
}

#[test]
fn a_batch_run_again_is_what_was_committed() {
    for (number, sample) in SAMPLES.iter().enumerate() {
        let feed = feed(number as u64, 5);
        let keep = tidemill_checkpoint::Keep { batches: 100, bytes: 1 << 30 };
        for early in [false, true] {
            let world = replays::at_once(World { keep, early, ..world(sample, &feed) });
            assert_eq!(world.run(None), Ended::Done);
            let replayed = replays::check_all(&world, sample.name);
            assert!(replayed >= BATCHES, "{}: {replayed}", sample.name);
        }
    }
}

#[test]
fn partitions_and_workers_may_change_between_runs() {
    for (number, sample) in SAMPLES.iter().enumerate() {
        let feed = feed(number as u64, 5);
        let expect = expected(sample, &feed);
        for (partitions, then) in [(1, 4), (4, 1), (3, 7), (7, 2)] {
            let world = World { partitions, ..world(sample, &feed) };
            let stop = Stop { point: Point::Deliver, after: true, batch: at(2) };
            assert_eq!(world.run(Some(stop)), Ended::Stopped);
            let world = World { partitions: then, workers: 1, seed: 99, fresh_instances: true, ..world };
            assert_eq!(world.run(None), Ended::Done);
            assert_eq!(delivered(sample, &world), expect, "{} {partitions} to {then}", sample.name);
        }
    }
}

#[test]
fn a_skipped_batch_is_as_if_it_had_not_been() {
    for (number, sample) in SAMPLES.iter().enumerate() {
        let with = feed(number as u64, 5);
        let expect = expected(sample, &with.without(SKIPPED));
        // A stream beside, whose function fails for a row of that batch, skips it; the operator has its rows by then, or not.
        let poisoned = with.poisoned(SKIPPED);
        for (partitions, early) in [(1, false), (1, true), (4, true)] {
            let beside = format!("{}on-error = \"skip-batch\"\n{}", samples::BESIDE, samples::OF_BESIDE);
            let text = sample.pipeline(Some(&poisoned)) + &beside;
            let world = World { text, partitions, early, ..world(sample, &poisoned) };
            assert_eq!(world.run(None), Ended::Done);
            let mut got = delivered(sample, &world);
            let skipped = got.remove(&at(SKIPPED + 1));
            assert_eq!(skipped, None, "{}: the batch was not skipped", sample.name);
            let mut expect = expect.clone();
            expect.remove(&at(SKIPPED + 1));
            assert_eq!(got, expect, "{} {partitions}", sample.name);
        }
    }
}

/// What the checkpoint has of every table after a feed, as a run that goes on would load it: rows and bytes.
fn stored(sample: &Sample, feed: &Feed) -> BTreeMap<String, (usize, usize)> {
    let world = world(sample, feed);
    assert_eq!(world.run(None), Ended::Done);
    let storage: std::sync::Arc<dyn tidemill_checkpoint::Storage> = world.storage.clone();
    let survey = tidemill_checkpoint::Survey::of(&storage).unwrap().unwrap();
    let recovery = survey.recovery.as_ref().unwrap();
    let mut stored = StoredStates::load(survey.history.archive(), &survey.history.records, recovery).unwrap();
    stored.tables().into_iter().map(|(id, _, size)| (id.to_string(), (size.rows, size.bytes))).collect()
}

#[test]
fn what_is_kept_follows_the_keys_and_not_the_feed() {
    let mut tables = 0;
    // A window of rows keeps rows, and not keys; and so does a table.
    let keeps_keys = |sample: &Sample| sample.operator != "window" && !sample.text.contains("table = true");
    for (number, sample) in SAMPLES.iter().enumerate().filter(|(_, sample)| keeps_keys(sample)) {
        let [short, long] = [60, 600].map(|rows| stored(sample, &feed(number as u64, rows)));
        for (table, (rows, bytes)) in long {
            let (rows_before, bytes_before) = short[&table];
            assert_eq!(rows, rows_before, "{} {table}", sample.name);
            assert!(bytes <= 2 * bytes_before, "{} {table}: {bytes_before} bytes, then {bytes}", sample.name);
            tables += 1;
        }
    }
    assert!(tables > 0, "some operator keeps a table");
}
