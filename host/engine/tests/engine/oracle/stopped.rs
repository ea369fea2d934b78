//! The same pipelines over a checkpoint: stopped somewhere, gone on with in other partitions, by other workers; and replayed.

use std::fmt::Write;

use proptest::prelude::*;
use tidemill_engine::checkpoint::{Point, SnapshotAfter};
use tidemill_model::{
    testing::{Value, cases},
    time::Timestamp,
};
use tidemill_plan::graph::Plan;

use super::{
    is_ordered,
    model::{Batch, Row},
    pipelines::{self, SOURCE},
};
use crate::{
    harness,
    recovery::{
        replays,
        world::{Ended, Stop, World},
    },
    spawn::commits,
};

/// Where a run is stopped, and what is other when it goes on.
#[derive(Clone, Copy, Debug)]
struct Change {
    point: Point,
    after: bool,
    batch: usize,
    partitions: (u32, u32),
    early: bool,
    seed: u64,
    fresh: bool,
}

fn changes() -> impl Strategy<Value = Change> {
    let point = (0..Point::ALL.len(), any::<bool>(), 1..5_usize);
    let change = (point, (1..6_u32, 1..6_u32), any::<(bool, u64, bool)>());
    change.prop_map(|((point, after, batch), partitions, (early, seed, fresh))| Change {
        point: Point::ALL[point],
        after,
        batch,
        partitions,
        early,
        seed,
        fresh,
    })
}

/// A source's batches as a pipeline has them. What a text of them cannot have is 2.5.
fn text(batches: &[Batch]) -> String {
    let row = |row: &Row| {
        let names = ["k", "n", "m", "x", "f"].into_iter().zip(row);
        let mut text =
            names.filter_map(|(name, value)| Some(format!("{name} = {}, ", literal(value)?))).collect::<String>();
        let Value::Record(record) = &row[5] else { unreachable!("the last field is a record") };
        let fields = ["a", "b"].into_iter().zip(record);
        let fields: Vec<String> =
            fields.filter_map(|(name, value)| Some(format!("{name} = {}", literal(value)?))).collect();
        let _ = write!(text, "r = {{ {} }}", fields.join(", "));
        format!("{{ {text} }}")
    };
    let batch = |batch: &Batch| match batch {
        Some(rows) => format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(", ")),
        None => "\"none\"".to_owned(),
    };
    batches.iter().map(batch).collect::<Vec<_>>().join(", ")
}

/// A value of a row; none where it is missing.
fn literal(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(format!("{text:?}")),
        Value::Integer(integer) => Some(integer.to_string()),
        Value::Boolean(boolean) => Some(boolean.to_string()),
        Value::Float(float) if float.0.is_finite() => Some(format!("{:?}", float.0)),
        Value::Float(_) => Some("2.5".to_owned()),
        _ => None,
    }
}

/// All that was delivered, each batch in its order where there is one.
fn delivered(plan: &Plan, world: &World) -> Vec<(String, Timestamp, Vec<String>)> {
    // A run that goes on behind its sources' last batch has a tick more.
    let all = world.delivered_until(Timestamp(4_000_000));
    let of_output = all.into_iter().map(|((output, time), parts)| {
        let from = plan.outputs.iter().find(|known| known.name == output).unwrap().from;
        let mut rows = parts.concat();
        if !is_ordered(plan, from) {
            rows.sort();
        }
        (output, time, rows)
    });
    // A batch without rows is not always delivered anew.
    of_output.filter(|(.., rows)| !rows.is_empty()).collect()
}

fn check(pipeline: &str, batches: &[Vec<Batch>; 2], change: Change) -> Result<(), TestCaseError> {
    let mut pipeline = pipeline.to_owned();
    for batches in batches {
        let empty = format!("schema = \"{SOURCE}\", batches = [] }}");
        pipeline = pipeline.replacen(&empty, &empty.replace("[]", &format!("[{}]", text(batches))), 1);
    }
    let plan = harness::plan(&pipeline, change.partitions.0);
    let snapshot_after = SnapshotAfter { bytes_min: 0, commits_max: 2 };
    let world = || World { snapshot_after, partitions: change.partitions.0, ..World::new(&pipeline, "no stream", &[]) };
    let keep = tidemill_checkpoint::Keep { batches: 100, bytes: 1 << 30 };
    let straight = replays::at_once(World { keep, ..world() });
    prop_assert_eq!(straight.run(None), Ended::Done);
    let expect = delivered(&plan, &straight);
    replays::check_all(&straight, "a drawn pipeline");
    let world = World { early: change.early, spawn: commits(change.after), ..world() };
    let stop = Stop { point: change.point, after: change.after, batch: Timestamp(change.batch as i64 * 1_000_000) };
    if world.run(Some(stop)) == Ended::Stopped {
        let world = World {
            partitions: change.partitions.1,
            seed: change.seed,
            fresh_instances: change.fresh,
            workers: 1,
            ..world
        };
        prop_assert_eq!(world.run(None), Ended::Done);
        prop_assert_eq!(delivered(&plan, &world), expect);
    } else {
        prop_assert_eq!(delivered(&plan, &world), expect);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn a_run_that_is_stopped_gives_what_a_straight_one_gives(
        pipeline in pipelines::pipelines(),
        left in pipelines::batches(),
        right in pipelines::batches(),
        change in changes(),
    ) {
        check(&pipeline, &[left, right], change)?;
    }
}
