//! What all functions use of a batch together is counted, and has an end.

use tidemill_engine::{Cause, RunError};
use tidemill_model::{
    ports::{Source, Wake},
    testing::Value,
};
use tidemill_plan::graph::NodeId;

use crate::{
    harness::{self, Outcome},
    mode::{Mode, PLAIN},
    sink::Delivered,
    source::{Chopped, Given},
};

/// Runs batches of so many rows, with keys 0, 1, 2, ..., through some streams, the last of which is `out`.
fn run(streams: &str, limit: &str, on_error: &str, batches: &[i64], mode: Mode) -> Outcome {
    let text = format!(
        "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = {}\nlimits = {{ {limit} }}\non-error = {on_error}\n\
         [streams.in]\nqueue = {{ schema = \"k: integer, n: integer, line: text\", batches = [] }}\n{streams}",
        mode.partitions
    );
    let plan = harness::plan(&text, mode.partitions);
    let row = |k: i64| vec![Value::Integer(k), Value::Integer(7), Value::text("yes")];
    let given = batches.iter().map(|&rows| Some((0..rows).map(row).collect())).collect();
    let given = Box::new(Given::new(&plan.nodes[0].schema, given));
    let source: Box<dyn Source> = Box::new(Chopped::new(given, mode.chunk_rows, mode.ahead));
    harness::run_with(plan, vec![(NodeId(0), source)], mode, Wake::default())
}

/// The least of a limit with which a batch of so many rows is run.
fn least(streams: &str, key: &str, on_error: &str, rows: i64, mode: Mode) -> u64 {
    let is_enough = |limit: u64| {
        let outcome = run(streams, &format!("{key} = {limit}"), on_error, &[rows], mode);
        match outcome.result {
            Ok(summary) => summary.skipped == 0,
            Err(error) => panic!("{error}"),
        }
    };
    harness::least(is_enough)
}

const TWICE: &str = "[streams.ten]\nfrom = \"in\"\nmap = \"hostile/tenfold\"\n\
                     [streams.out]\nfrom = \"ten\"\nmap = \"hostile/tenfold\"\n";

const SKIP: &str = "\"skip-batch\"";

/// Each function's rows, to the last one, and those of the batch alone, whatever the policy is and wherever rows were.
#[test]
fn a_batch_has_so_many_rows_in_all_functions_and_no_more() {
    for partitions in [1, 3] {
        for chunk_rows in [2, usize::MAX] {
            for (workers, fresh, ahead) in [(1, false, false), (3, true, true)] {
                let mode = Mode { partitions, chunk_rows, workers, fresh, ahead, ..PLAIN };
                // Ten of each of three, and ten of each of these.
                let limit = "batch-rows = 330";
                for (policy, skipped) in [
                    (SKIP, 1),
                    ("{ retry = 2, delay = \"1ms\", then = \"skip-batch\" }", 1),
                    ("\"stop\"", 0),
                    ("\"dead-letter\"", 0),
                ] {
                    let outcome = run(TWICE, limit, policy, &[3, 3, 4, 3], mode);
                    let rows = |batches: &[Delivered]| {
                        batches.iter().map(|batch| batch.parts.concat().len()).collect::<Vec<_>>()
                    };
                    let out: Vec<_> = outcome.delivered.into_iter().filter(|batch| batch.output == "out").collect();
                    if skipped == 1 {
                        assert_eq!(
                            (outcome.result.unwrap().skipped, rows(&out)),
                            (1, vec![300; 3]),
                            "{policy} {mode:?}"
                        );
                        continue;
                    }
                    assert_eq!(rows(&out), [300; 2], "{policy} {mode:?}");
                    let RunError::Operator { cause, .. } = outcome.result.unwrap_err() else { panic!("{policy}") };
                    let said = cause.to_string();
                    assert!(matches!(*cause, Cause::OverBudget { limit: 330, .. }), "{said}");
                    assert!(said.starts_with("`hostile/tenfold`: the functions of the batch have used "), "{said}");
                    assert!(
                        said.contains("rows together, and may use 330")
                            && said.contains("limits = { batch-rows = ... }"),
                        "{said}"
                    );
                }
            }
        }
    }
}

/// Every kind of function is counted: with so many rows of ten it is enough, and with one less it is not.
#[test]
fn every_kind_of_function_is_counted() {
    let of = |what: &str| format!("[streams.out]\nfrom = \"in\"\n{what}\n");
    let by_k = |what: &str| of(&format!("by = \"k\"\n{what}\nfields = {{ value = \"n\" }}"));
    let output = "[streams.out]\nfrom = \"in\"\nsort = \"k\"\n[outputs.out]\nfrom = \"out\"\noutput = \"hostile/lines\"\nprint = true\n";
    for (streams, rows) in [
        (of("map = \"hostile/tenfold\""), 100),
        (of("filter = \"hostile/is-yes\""), 10),
        (output.to_owned(), 10),
        // Accumulators of both halves.
        (by_k("reduce = \"hostile/sum\""), 20),
        (by_k("update-state = \"hostile/total\""), 10),
        // Seven rows for each state.
        (by_k("update-state = \"hostile/repeats\""), 80),
        // The host itself makes no more of rows than there are.
        (by_k("reduce = \"sum\""), 0),
    ] {
        let mode = Mode { partitions: 1, ..PLAIN };
        assert_eq!(least(&streams, "batch-rows", SKIP, 10, mode), rows.max(1), "{streams}");
        // By policy, call by call, as well.
        let by_policy = "{ retry = 1, delay = \"1ms\", then = \"skip-batch\" }";
        assert_eq!(least(&streams, "batch-rows", by_policy, 10, mode), rows.max(1), "{streams}");
    }
}

/// Unions of a stream with itself double it each, and call no function.
#[test]
fn unions_of_unions_are_counted() {
    let unions = "[streams.two]\nfrom = [\"in\", \"in\"]\nunion = true\n\
                  [streams.four]\nfrom = [\"two\", \"two\"]\nunion = true\n\
                  [streams.out]\nfrom = [\"four\", \"four\"]\nunion = true\n";
    // Two integers, and a text of three letters.
    for (key, a_row) in [("batch-rows", 1), ("batch-bytes", 8 + 8 + 4 + 3)] {
        for chunk_rows in [3, usize::MAX] {
            let mode = Mode { partitions: 2, chunk_rows, ..PLAIN };
            let run = |limit: u64| run(unions, &format!("{key} = {limit}"), SKIP, &[10], mode).result;
            let needed = 10 * (2 + 4 + 8) * a_row;
            assert!(run(needed).is_ok(), "{key}");
            // Nobody has said that batches may be skipped: there is no function.
            let Err(RunError::Operator { cause, .. }) = run(needed - 1) else { panic!("{key}: no operator failed") };
            assert!(matches!(*cause, Cause::OverBudget { key: over, .. } if over == key), "{cause}");
        }
    }
}

/// What is put beside rows is bytes that no function has returned.
#[test]
fn kept_fields_and_keys_are_counted_with_each_row() {
    let mode = Mode { partitions: 1, ..PLAIN };
    let map = |keep: &str| format!("[streams.out]\nfrom = \"in\"\nmap = \"hostile/tenfold\"\n{keep}\n");
    let bytes = |streams: &str| least(streams, "batch-bytes", SKIP, 10, mode);
    let without = bytes(&map(""));
    assert_eq!(bytes(&map("keep = [\"k\", \"n\"]")), without + 100 * 16);
    let emitting = |by: &str| {
        format!(
            "[streams.out]\nfrom = \"in\"\nby = {by}\nupdate-state = \"hostile/repeats\"\nfields = {{ value = \"n\" }}\n"
        )
    };
    let (short, long) = (bytes(&emitting("[\"k\"]")), bytes(&emitting("[\"k\", \"line\"]")));
    // Of each of seventy emitted rows the text of the key, and its offset; and one before them.
    assert_eq!(long, short + 70 * (3 + 4) + 4);
}

/// A reason may be far longer than its row.
#[test]
fn dead_letters_are_counted_with_their_reasons_and_rows() {
    let outcome = |on_error: &str, length: usize, limit: u64| {
        let line = format!("\"reject {}\"", "a".repeat(length));
        let text = format!(
            "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = 1\nlimits = {{ batch-bytes = {limit} }}\non-error = {on_error}\n\
             [streams.in]\nqueue = {{ schema = \"line: text\", batches = [[{}]] }}\n\
             [streams.out]\nfrom = \"in\"\nmap = \"hostile/says-rows\"\n",
            vec![line; 10].join(", ")
        );
        harness::run(&text, Mode { partitions: 1, ..PLAIN }).result
    };
    let least =
        |length: usize| (0..1_000).find(|&limit| outcome("\"dead-letter\"", length, limit + 1).is_ok()).unwrap() + 1;
    let (short, long) = (least(1), least(5));
    assert_eq!(long, short + 10 * (4 + 4), "four more of the reason and of the row");
    let RunError::Operator { cause, .. } = outcome("\"dead-letter\"", 5, long - 1).unwrap_err() else {
        panic!("no operator failed")
    };
    assert!(matches!(*cause, Cause::OverBudget { key: "batch-bytes", .. }), "{cause}");
    assert!(outcome("\"stop\"", 5, 100).is_ok(), "without letters nothing is kept of what is rejected");
}

/// The same work takes the same fuel, on whatever instance; a call in vain takes what it took.
#[test]
fn fuel_is_counted_with_calls_in_vain() {
    let plain = Mode { partitions: 2, chunk_rows: 3, ..PLAIN };
    let fuel = |mode: Mode| least(TWICE, "batch-fuel", SKIP, 10, mode);
    assert_eq!(fuel(plain), fuel(Mode { workers: 3, ahead: true, ..plain }));
    // Rows that make a function fail are searched for with many calls.
    let touchy = "[streams.out]\nfrom = \"in\"\nmap = \"hostile/touchy\"\n";
    let outcome = |limit: u64| {
        let text = format!(
            "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = 1\nlimits = {{ batch-fuel = {limit} }}\non-error = \"dead-letter\"\n\
             [streams.in]\nqueue = {{ schema = \"line: text\", batches = [[{}\"panic\"]] }}\n{touchy}",
            "\"a\", ".repeat(15)
        );
        harness::run(&text, Mode { partitions: 1, ..PLAIN }).result
    };
    let enough = |limit: u64| outcome(limit).is_ok();
    let without = least(touchy, "batch-fuel", SKIP, 16, Mode { partitions: 1, ..PLAIN });
    assert!(!enough(2 * without), "five calls fail, of which the first two have all rows");
    assert!(enough(100 * without));
    let RunError::Operator { cause, .. } = outcome(without).unwrap_err() else { panic!("no operator failed") };
    assert!(matches!(*cause, Cause::OverBudget { key: "batch-fuel", .. }), "{cause}");
}
