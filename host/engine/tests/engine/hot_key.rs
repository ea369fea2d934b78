//! A key with more new rows than go into a call is called several times, and its state goes from one call to the next.

use tidemill_model::{
    ports::{Source, Wake},
    testing::Value,
};
use tidemill_plan::graph::NodeId;

use crate::{
    harness::{self, Outcome},
    mode::{Mode, PLAIN},
    source::{Chopped, Given},
};

/// More than two calls take.
const ROWS: i64 = 150_001;

/// The values of the hot key in the batches 1, 2, ...
fn run(function: &str, batches: &[Vec<i64>], more: &str, mode: Mode) -> Outcome {
    let text = format!(
        "[streams.in]\nqueue = {{ schema = \"k: text, value: integer\", batches = [] }}\n\
         [streams.out]\nfrom = \"in\"\nby = \"k\"\nupdate-state = \"hostile/{function}\"\n{more}\n\
         [outputs.out]\nfrom = \"out\"\nprint = true"
    );
    let plan = harness::plan(&text, mode.partitions);
    let row = |k: &str, value: i64| vec![Value::text(k), Value::Integer(value)];
    // Two other keys, so that rows do not lie in the order of their keys.
    let rows = |values: &Vec<i64>| {
        let hot = values.iter().map(|&value| row("hot", value));
        Some([row("cold", 1)].into_iter().chain(hot).chain([row("ice", 1), row("cold", 2)]).collect())
    };
    let given = Box::new(Given::new(&plan.nodes[0].schema, batches.iter().map(rows).collect()));
    let source: Box<dyn Source> = Box::new(Chopped::new(given, mode.chunk_rows, mode.ahead));
    harness::run_with(plan, vec![(NodeId(0), source)], mode, Wake::default())
}

/// What an output has of the hot key in each batch.
fn hot(outcome: &Outcome) -> Vec<Vec<i64>> {
    let of_out = outcome.delivered.iter().filter(|batch| batch.output == "out");
    let rows = of_out.map(|batch| {
        let hot = batch.parts.iter().flatten().filter(|row| row[0] == Value::text("hot"));
        hot.map(|row| if let Value::Integer(n) = row[1] { n } else { panic!("{row:?}") }).collect()
    });
    rows.collect()
}

#[test]
fn its_rows_are_taken_in_order() {
    let values: Vec<i64> = (0..ROWS).map(|n| n % 17).collect();
    let add = |state: i64, value: &i64| (31 * state + value + 7).rem_euclid(1_000_003);
    let first = values.iter().fold(0, add);
    let second = values.iter().fold(first, add);
    for (partitions, workers, chunk_rows, fresh) in [(1, 1, usize::MAX, false), (4, 2, 4_096, true)] {
        let mode = Mode { partitions, workers, chunk_rows, fresh, ..PLAIN };
        let outcome = run("in-order", &[values.clone(), values.clone()], "", mode);
        assert_eq!(hot(&outcome), [[first], [second]], "{mode:?}");
        outcome.result.unwrap();
    }
}

#[test]
fn those_that_fail_are_set_aside_alone() {
    let mut values = vec![1; ROWS as usize];
    for (at, value) in [(5, 5), (70_000, 13), (140_000, 13), (ROWS as usize - 1, 13)] {
        values[at] = value;
    }
    let mode = Mode { partitions: 1, ..PLAIN };
    let outcome = run("touchy-total", &[values], "on-error = \"dead-letter\"", mode);
    // The 5 is rejected, and counted all the same.
    assert_eq!(hot(&outcome), [[ROWS - 4 + 5]]);
    assert_eq!(outcome.result.as_ref().unwrap().rejected, 4);
    let letters = outcome.delivered.iter().filter(|batch| batch.output.starts_with("dead letters"));
    let rows: Vec<Value> = letters.flat_map(|batch| &batch.parts).flatten().map(|letter| letter[4].clone()).collect();
    // Numbers are of the operator's input: the rows of the key begin behind another one.
    assert_eq!(rows, [6, 70_001, 140_001, ROWS].map(Value::Integer));
}

#[test]
fn a_skipped_batch_leaves_the_state_that_was() {
    let mut bad = vec![1; ROWS as usize];
    *bad.last_mut().unwrap() = 13;
    let outcome = run("touchy-total", &[vec![3], bad, vec![4]], "on-error = \"skip-batch\"", PLAIN);
    assert_eq!(hot(&outcome), [[3], [7]]);
    assert_eq!(outcome.result.unwrap().skipped, 1);
}

#[test]
fn it_is_told_once_that_its_time_has_come() {
    // The first batch wakes it in the second, in which all rows keep the state; in the third its rows are rejected first, so
    // that it is told again.
    let (keep, reject) = (0, -1);
    let rejected = [vec![reject; 1 << 16], vec![keep; 3]].concat();
    let outcome = run("alarm", &[vec![1], vec![keep; ROWS as usize], vec![1], rejected], "", PLAIN);
    assert_eq!(hot(&outcome), [vec![], vec![101], vec![], vec![101]]);
    // One that wants to be woken in every batch says the same time again in every call.
    let outcome = run("always-woken", &[vec![1], vec![1; ROWS as usize], vec![]], "", PLAIN);
    assert_eq!(hot(&outcome).iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 1]);
}
