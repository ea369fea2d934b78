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

/// What `out` has in each batch of so many rows with keys 0, 1, 2, ..., where an operator may hold so many bytes.
fn held(operator: &str, on_error: &str, batches: &[i64], bytes_max: usize, chunk_rows: usize) -> Outcome {
    let text = format!(
        "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = 1\non-error = \"{on_error}\"\n\
         [streams.in]\nqueue = {{ schema = \"k: integer, n: integer, t: text\", batches = [] }}\n\
         [streams.out]\nfrom = \"in\"\n{operator}"
    );
    let plan = harness::plan(&text, 1);
    let row = |k: i64| vec![Value::Integer(k), Value::Integer(7), Value::text("0123456789")];
    let given = batches.iter().map(|&rows| Some((0..rows).map(row).collect())).collect();
    let given = Box::new(Given::new(&plan.nodes[0].schema, given));
    let source: Box<dyn Source> = Box::new(Chopped::new(given, chunk_rows, false));
    let mode = Mode { partitions: 1, operator_bytes: Some(bytes_max), ..PLAIN };
    harness::run_with(plan, vec![(NodeId(0), source)], mode, Wake::default())
}

/// Who holds rows of a batch, and how many bytes of each: an operator that may hold those of ten has no place for the eleventh.
/// Such a batch is let go where a policy says so, and ends the run where it does not, whatever chunks its rows came in.
#[test]
fn an_operator_holds_as_much_of_a_batch_as_it_can_and_no_more() {
    const ROWS: i64 = 10;
    let by_k = |what: &str| format!("by = \"k\"\n{what}\nfields = {{ value = \"n\" }}");
    let by_text = "by = \"k\"\nreduce = \"max\"\nfields = { value = \"t\" }".to_owned();
    let cell = size_of::<Option<i64>>();
    // A number has 8 bytes, also as a key; a row's group 4.
    for (operator, row_bytes, more) in [
        // The text has an offset before it.
        ("sort = \"k\"".to_owned(), 8 + 8 + 4 + 10 + 4, 4),
        ("distinct = true".to_owned(), 8 + 8 + 10, 0),
        (by_k("update-state = \"hostile/digits\""), 8 + 4, 0),
        (by_k("reduce = \"hostile/sum\""), 8 + 8 + 4, 0),
        (by_k("reduce = \"sum\""), 8 + size_of::<Option<i128>>(), 0),
        (by_k("reduce = \"min\""), 8 + cell, 0),
        (by_text, 8 + size_of::<Option<Vec<u8>>>() + 10, 0),
    ] {
        let bytes_max = ROWS as usize * row_bytes + more;
        for chunk_rows in [1, 4, usize::MAX] {
            let all = held(&operator, "stop", &[ROWS, 2], bytes_max, chunk_rows);
            let rows = all.delivered.iter().map(|batch| batch.parts.concat().len()).collect::<Vec<_>>();
            assert_eq!((all.result.unwrap().skipped, rows), (0, vec![ROWS as usize, 2]), "{operator}");
            for (on_error, stops) in [("skip-batch", false), ("stop", true), ("dead-letter", true)] {
                let outcome = held(&operator, on_error, &[3, ROWS + 1, ROWS], bytes_max, chunk_rows);
                let rows = outcome.delivered.iter().map(|batch| batch.parts.concat().len()).collect::<Vec<_>>();
                if stops {
                    let error = outcome.result.unwrap_err().to_string();
                    assert!(error.contains("stream `out`, partition 0, batch"), "{error}");
                    assert!(error.contains(&format!("hold at once, which is {bytes_max} bytes")), "{error}");
                    assert_eq!(rows, [3], "{operator}");
                } else {
                    assert_eq!((outcome.result.unwrap().skipped, rows), (1, vec![3, ROWS as usize]), "{operator}");
                }
            }
        }
    }
}

/// What a batch has changed until then is as it was.
#[test]
fn a_batch_that_is_more_than_can_be_held_leaves_states_as_they_were() {
    let operator = "by = \"k\"\nupdate-state = \"hostile/digits\"\nfields = { value = \"n\" }";
    let outcome = held(operator, "skip-batch", &[1, 11, 1], 120, 1);
    assert_eq!(outcome.result.unwrap().skipped, 1);
    let states: Vec<_> = outcome.delivered.iter().map(|batch| batch.parts.concat()).collect();
    assert_eq!(states, [7, 77].map(|state| vec![vec![Value::Integer(0), Value::Integer(state)]]));
}

/// The plan has a limit, and so many calls of functions must fit into a thread's stack, one inside the other.
#[test]
fn as_many_functions_stand_in_a_row_as_the_plan_takes() {
    const MAPS: usize = 64;
    let mut text = "[streams.s0]\nqueue = { schema = \"line: text\", batches = [] }\n".to_owned();
    for map in 1..=MAPS {
        text += &format!("[streams.s{map}]\nfrom = \"s{}\"\nmap = \"hostile/identity\"\n", map - 1);
    }
    text += &format!("[outputs.out]\nfrom = \"s{MAPS}\"\nprint = true\n");
    let came = rows(run(&text, vec![vec![Value::text("through")]], Mode { partitions: 1, ..PLAIN }));
    assert_eq!(came, [[Value::text("through")]]);
}

/// A side input that an instance has no memory for is a verdict, and of the batch: no row is to blame.
#[test]
fn a_side_input_beyond_a_guests_memory_is_a_verdict_and_not_a_crash() {
    const ROWS: i64 = 1_000_000;
    let text = |on_error: &str| {
        format!(
            "[streams.in]\nqueue = {{ schema = \"n: integer\", batches = [] }}\n[streams.out]\nfrom = \"in\"\n\
             filter = \"hostile/keeps-all\"\nshared = {{ limits = \"in\" }}\non-error = \"{on_error}\""
        )
    };
    let given = || (0..ROWS).map(|n| vec![Value::Integer(n)]).collect();
    let mode = Mode { partitions: 2, workers: 2, ..PLAIN };
    for on_error in ["stop", "retry", "dead-letter"] {
        let error = run(&text(on_error), given(), mode).result.unwrap_err().to_string();
        let says = ["stream `out`", "side input `limits` of `hostile/keeps-all`", "memory"];
        assert!(says.iter().all(|says| error.contains(says)), "{on_error}: {error}");
    }
    let skipped = run(&text("skip-batch"), given(), mode);
    assert_eq!((skipped.result.unwrap().skipped, skipped.delivered), (1, Vec::new()));
}
