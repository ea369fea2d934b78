//! What there may be much of: groups, keys, rows of one row, steps of a stage.

use std::collections::BTreeMap;

use tidemill_model::{
    ports::{Source, Wake},
    testing::Value,
};
use tidemill_plan::graph::NodeId;

use crate::{
    guests::FRUGAL_RESULT_BYTES,
    harness::{self, Outcome},
    mode::{Mode, PLAIN},
    source::{Chopped, Given},
};

/// Runs a pipeline over one batch of the stream `in`, its first.
fn run(text: &str, rows: Vec<Vec<Value>>, mode: Mode) -> Outcome {
    let plan = harness::plan(text, mode.partitions);
    let given = Box::new(Given::new(&plan.nodes[0].schema, vec![Some(rows)]));
    let source: Box<dyn Source> = Box::new(Chopped::new(given, mode.chunk_rows, mode.ahead));
    harness::run_with(plan, vec![(NodeId(0), source)], mode, Wake::default())
}

/// The rows of the one output.
fn rows(outcome: Outcome) -> Vec<Vec<Value>> {
    outcome.result.unwrap();
    outcome.delivered.into_iter().flat_map(|batch| batch.partitions).flatten().collect()
}

fn integer(value: &Value) -> i64 {
    let Value::Integer(value) = value else { panic!("{value:?} is no integer") };
    *value
}

#[test]
fn a_guest_reduces_more_groups_than_fit_into_an_answer() {
    const KEYS: i64 = 20_000;
    const { assert!(KEYS as usize * 8 > FRUGAL_RESULT_BYTES * 2) };
    let text = "[streams.in]\nqueue = { schema = \"key: integer, n: integer\", batches = [] }\n\
                [streams.out]\nfrom = \"in\"\nby = \"key\"\nreduce = \"frugal/sum\"";
    for (partitions, chunk_rows) in [(1, usize::MAX), (1, 3_000), (2, 7_000)] {
        let given = (0..2 * KEYS).map(|n| vec![Value::Integer(n % KEYS), Value::Integer(n)]).collect();
        let came = rows(run(text, given, Mode { partitions, chunk_rows, ..PLAIN }));
        let sums: BTreeMap<i64, i64> = came.iter().map(|row| (integer(&row[0]), integer(&row[1]))).collect();
        assert_eq!((came.len(), sums.len()), (KEYS as usize, KEYS as usize), "no key comes twice");
        assert!(sums.iter().all(|(key, sum)| *sum == 2 * key + KEYS));
    }
}
