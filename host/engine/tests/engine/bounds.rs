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
    outcome.delivered.into_iter().flat_map(|batch| batch.parts).flatten().collect()
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

/// How long accumulators are is not known before some were seen: then as many are kept as fit into an answer, and no fewer.
#[test]
fn a_guest_reduces_more_texts_than_fit_into_an_answer() {
    const KEYS: i64 = 3_000;
    /// Of a row, and so of an accumulator.
    const TEXT_BYTES: usize = 100;
    const { assert!(KEYS as usize * TEXT_BYTES > FRUGAL_RESULT_BYTES * 4) };
    let text = "[streams.in]\nqueue = { schema = \"key: integer, value: integer\", batches = [] }\n\
                [streams.out]\nfrom = \"in\"\nby = \"key\"\nreduce = \"frugal-hostile/joined\"";
    for (partitions, chunk_rows) in [(1, usize::MAX), (1, 900), (2, 1_700)] {
        let given = (0..2 * KEYS).map(|n| vec![Value::Integer(n % KEYS), Value::Integer(n / KEYS)]).collect();
        let mut outcome = run(text, given, Mode { partitions, chunk_rows, ..PLAIN });
        let counters = std::mem::take(&mut outcome.result.as_mut().unwrap().counters);
        let came: BTreeMap<i64, String> = rows(outcome)
            .into_iter()
            .map(|row| match &row[..] {
                [Value::Integer(key), Value::Text(text)] => (*key, text.clone()),
                row => panic!("{row:?}"),
            })
            .collect();
        assert_eq!(came.len(), KEYS as usize);
        for (key, text) in came {
            assert_eq!(text.len(), 2 * TEXT_BYTES, "{key}");
            assert_eq!(text.matches('1').count(), TEXT_BYTES, "{key}");
        }
        // An answer may have a quarter of what a call may return, which is 150 texts: the next call's rows, and no fewer.
        let calls = counters.iter().find(|(name, _)| name.ends_with("/calls")).unwrap().1;
        assert!(calls <= 2 * KEYS as u64 / 50, "{calls} calls");
    }
}

/// What stands beside the rows of one long row would have more bytes together than a column can hold.
const BESIDE: usize = 2_100;

const LONG_BYTES: usize = 1 << 20;

#[test]
fn kept_fields_are_taken_for_so_many_rows_at_a_time() {
    const { assert!(BESIDE * LONG_BYTES > i32::MAX as usize) };
    let text = "[streams.in]\nqueue = { schema = \"line: text, long: text\", batches = [] }\n\
                [streams.words]\nfrom = \"in\"\nmap = \"wordcount/split\"\nkeep = \"long\"\n\
                [streams.out]\nfrom = \"words\"\nby = \"word\"\nreduce = \"count\"";
    let words = "a b ".repeat(BESIDE / 2);
    let given =
        vec![vec![Value::text(&words), Value::Text("x".repeat(LONG_BYTES))], vec![Value::text("b"), Value::text("y")]];
    let mut came = rows(run(text, given, Mode { partitions: 1, ..PLAIN }));
    came.sort_by_key(|row| integer(&row[1]));
    let half = BESIDE as i64 / 2;
    let expect = [("a", half), ("b", half + 1)].map(|(word, count)| vec![Value::text(word), Value::Integer(count)]);
    assert_eq!(came, expect);
}

#[test]
fn keys_are_put_beside_so_many_emitted_rows_at_a_time() {
    let text = "[streams.in]\nqueue = { schema = \"key: text, n: integer\", batches = [] }\n\
                [streams.repeated]\nfrom = \"in\"\nby = \"key\"\nupdate-state = \"hostile/repeats\"\n\
                [streams.out]\nfrom = \"repeated\"\nby = \"total\"\nreduce = \"count\"";
    let given = vec![
        vec![Value::Text("x".repeat(LONG_BYTES)), Value::Integer(BESIDE as i64)],
        vec![Value::text("y"), Value::Integer(3)],
    ];
    let came = rows(run(text, given, Mode { partitions: 1, ..PLAIN }));
    assert_eq!(came, [[Value::Integer(0), Value::Integer(BESIDE as i64 + 3)]]);
}

/// The plan has a limit, and so many calls of functions must fit into a thread's stack, one inside the other.
#[test]
fn as_many_functions_stand_in_a_row_as_the_plan_takes() {
    const MAPS: usize = 63;
    let mut text = "[streams.s0]\nqueue = { schema = \"line: text\", batches = [] }\n".to_owned();
    for map in 1..=MAPS {
        text += &format!("[streams.s{map}]\nfrom = \"s{}\"\nmap = \"hostile/identity\"\n", map - 1);
    }
    text += &format!("[outputs.out]\nfrom = \"s{MAPS}\"\nprint = true\n");
    let came = rows(run(&text, vec![vec![Value::text("through")]], Mode { partitions: 1, ..PLAIN }));
    assert_eq!(came, [[Value::text("through")]]);
}
