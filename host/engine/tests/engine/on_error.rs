//! Policies for functions that fail: what the cases cannot show.

use std::io::Write;

use tidemill_engine::{Cause, RunError};
use tidemill_model::testing::Value;

use crate::{
    harness::{self, Outcome},
    mode::PLAIN,
};

/// Runs `lines` in one batch and one partition through a map that stumbles over some.
fn run(lines: &[&str], policy: &str) -> Outcome {
    let text = format!(
        "[streams.in]\nqueue = {{ schema = \"line: text\", batches = [{lines:?}] }}\n[streams.out]\nfrom = \"in\"\nmap = \
         \"hostile/touchy\"\non-error = {policy}\n"
    );
    harness::run(&text, crate::mode::Mode { partitions: 1, ..PLAIN })
}

#[test]
fn a_dead_letter_says_where_it_was() {
    let outcome = run(&["a", "b", "panic", "c", "reject"], "\"dead-letter\"");
    outcome.result.unwrap();
    let letters = &outcome.delivered[1];
    assert_eq!(letters.output, "dead letters of out");
    let expect = |row, reason: &str, line: &str| {
        vec![
            Value::Integer(1_000_000),
            Value::text("out"),
            Value::text("hostile/touchy"),
            Value::Integer(0),
            Value::Integer(row),
            Value::text(reason),
            Value::Record(vec![Value::text(line)]),
        ]
    };
    let Value::Text(reason) = &letters.parts[0][0][5] else { panic!("no text: {letters:?}") };
    assert!(reason.starts_with("the function panicked: a row says panic (at src/"), "{reason}");
    let expect = [expect(2, reason, "panic"), expect(4, "a row says reject", "reject")];
    assert_eq!(letters.parts, [expect]);
}

#[test]
fn the_rows_of_letters_are_counted_through_chunks_and_anew_in_each_batch() {
    let of_lines = |lines: [&str; 5]| lines.map(|line| format!("{{ line = \"{line}\", value = 1 }}")).join(", ");
    let of_values =
        |values: [i64; 5]| values.map(|value| format!("{{ line = \"k{}\", value = {value} }}", value % 2)).join(", ");
    let touchy = of_lines(["a", "panic", "b", "c", "reject"]);
    for (operator, rows) in [
        ("[streams.out]\nfrom = \"in\"\nmap = \"hostile/touchy\"", touchy.clone()),
        ("[streams.out]\nfrom = \"in\"\nfilter = \"hostile/is-yes\"", of_lines(["yes", "nothing", "no", "yes", "bad"])),
        ("[streams.out]\nfrom = \"in\"\nby = \"line\"\nreduce = \"hostile/touchy-sum\"", of_values([1, 13, 2, 3, 13])),
        (
            "[streams.out]\nfrom = \"in\"\nby = \"line\"\nupdate-state = \"hostile/touchy-total\"",
            of_values([1, 13, 2, 3, 5]),
        ),
        ("[outputs.out]\nfrom = \"in\"\noutput = \"hostile/touchy-lines\"\nprint = true", touchy),
    ] {
        let text = format!(
            "[streams.in]\nqueue = {{ schema = \"line: text, value: integer\", batches = [[{rows}], [{rows}], [], [{rows}]] \
             }}\n{operator}\non-error = \"dead-letter\"\n"
        );
        for chunk_rows in [1, 2, 3, 5] {
            let mode = crate::mode::Mode { partitions: 1, chunk_rows, ..PLAIN };
            let outcome = harness::run(&text, mode);
            assert_eq!(outcome.result.unwrap().rejected, 6, "{operator}");
            let letters = outcome.delivered.iter().filter(|batch| batch.output.starts_with("dead letters of out"));
            let rows = |batch: &crate::sink::Delivered| {
                let mut rows: Vec<Value> = batch.parts.iter().flatten().map(|letter| letter[4].clone()).collect();
                rows.sort();
                (batch.time.0 / 1_000_000, rows)
            };
            let expect = [1, 2, 4].map(|batch| (batch, vec![Value::Integer(1), Value::Integer(4)]));
            assert_eq!(letters.map(rows).collect::<Vec<_>>(), expect, "{operator}, chunks of {chunk_rows}");
        }
    }
}

#[test]
fn a_search_has_an_end() {
    let outcome = run(&["panic"; 6_000], "\"dead-letter\"");
    let Err(RunError::Operator { cause, stream, .. }) = outcome.result else { panic!("the search has no end") };
    assert!(matches!(*cause, Cause::TooMuchPoison(_)), "{cause}");
    assert_eq!(stream, "out");
    assert!(outcome.delivered.is_empty());
}

/// Maps, reduces and updates of `hostile` whose every call fails.
const HOPELESS: [&[&str]; 3] = [
    &[
        "loop-forever",
        "memory-bomb",
        "deep-recursion",
        "panics",
        "traps",
        "fails",
        "huge-result",
        "too-many-rows",
        "too-many-rejections",
        "many-counters",
        "unnamed-counter",
        "outside-memory",
        "missing-columns",
        "more-columns",
        "lying-rows",
        "offsets-begin",
        "offsets-descend",
        "offsets-end",
        "offsets-huge",
        "values-long",
        "bad-utf8",
        "cut-character",
        "validity-unasked",
        "origins-beyond",
        "origins-short",
        "origins-odd",
        "same-but-fewer",
        "rejects-beyond",
    ],
    &["more-groups", "rows-early", "reduce-loops"],
    &["action-three", "few-actions", "few-states", "short-wake", "emits-untyped", "rejects-no-row"],
];

/// Two batches of two rows through a function of `hostile`, beside a stream that wants nothing but to be left alone.
fn run_hopeless(kind: usize, function: &str, policy: &str) -> Outcome {
    let (fields, operator) = match kind {
        0 => ("line: text", format!("map = \"hostile/{function}\"")),
        1 => ("line: text, value: integer", format!("by = \"line\"\nreduce = \"hostile/{function}\"")),
        _ => ("line: text, value: integer", format!("by = \"line\"\nupdate-state = \"hostile/{function}\"")),
    };
    let value = if kind == 0 { "" } else { ", value = 1" };
    let batch = format!("[{{ line = \"a\"{value} }}, {{ line = \"b\"{value} }}]");
    harness::run(
        &format!(
            "[streams.in]\nqueue = {{ schema = \"{fields}\", batches = [{batch}, {batch}] }}\n[streams.bad]\nfrom = \
             \"in\"\n{operator}\non-error = {policy}\n[streams.counts]\nfrom = \"in\"\nby = \"line\"\nreduce = \
             \"count\"\n[outputs.bad]\nfrom = \"bad\"\nprint = true\n[outputs.counts]\nfrom = \"counts\"\nprint = true\n"
        ),
        PLAIN,
    )
}

#[test]
fn every_hostile_function_is_met_by_every_policy() {
    let mut tried = 0;
    for (kind, functions) in HOPELESS.iter().enumerate() {
        for function in *functions {
            tried += 1;
            for policy in ["\"stop\"", "{ retry = 1, delay = \"1ms\" }"] {
                let outcome = run_hopeless(kind, function, policy);
                assert!(matches!(outcome.result, Err(RunError::Operator { .. })), "{function}: {:?}", outcome.result);
                assert!(outcome.delivered.is_empty(), "{function}");
            }
            let outcome = run_hopeless(kind, function, "\"skip-batch\"");
            assert_eq!(outcome.result.unwrap().skipped, 2, "{function}");
            assert!(outcome.delivered.is_empty(), "{function}");
            let outcome = run_hopeless(kind, function, "\"dead-letter\"");
            let (letters, counts): (Vec<_>, Vec<_>) = outcome
                .delivered
                .iter()
                .filter(|batch| batch.output != "bad")
                .partition(|batch| batch.output != "counts");
            assert_eq!(outcome.result.unwrap().rejected, 4, "{function}");
            assert_eq!((letters.len(), counts.len()), (2, 2), "{function}");
            let rows = |batch: &&crate::sink::Delivered| batch.parts.iter().flatten().count();
            assert!(letters.iter().chain(&counts).all(|batch| rows(batch) == 2), "{function}");
        }
    }
    let _ = writeln!(std::io::stderr(), "{tried} hostile functions under 4 policies each");
}

#[test]
fn an_answer_counts_where_only_its_memory_cannot_be_freed() {
    let outcome = run_hopeless(0, "traps-after", "\"dead-letter\"");
    let seen = outcome.delivered.iter().filter(|batch| batch.output == "bad").flat_map(|batch| &batch.parts);
    assert!(seen.flatten().all(|row| *row == [Value::text("seen")]));
    assert_eq!(outcome.result.unwrap().rejected, 0);
}

#[test]
fn a_key_that_fails_whatever_its_rows_are_does_not_end_the_run() {
    let rows: Vec<String> = (0..600).map(|n| format!("{{ line = \"a\", value = {n} }}")).collect();
    let text = format!(
        "[streams.in]\nqueue = {{ schema = \"line: text, value: integer\", batches = [[{}]] }}\n[streams.out]\nfrom = \
         \"in\"\nby = \"line\"\nupdate-state = \"hostile/action-three\"\non-error = \"dead-letter\"\n",
        rows.join(", ")
    );
    let outcome = harness::run(&text, PLAIN);
    assert_eq!(outcome.result.unwrap().rejected, 600);
    let letters = outcome.delivered.iter().find(|batch| batch.output == "dead letters of out").unwrap();
    let mut values: Vec<i64> = Vec::new();
    for letter in letters.parts.iter().flatten() {
        let Some(Value::Record(fields)) = letter.last() else { panic!("a letter without its row") };
        let Value::Integer(value) = fields[0] else { panic!("{fields:?}") };
        values.push(value);
    }
    values.sort_unstable();
    assert_eq!(values, (0..600).collect::<Vec<i64>>(), "each row once");
}

#[test]
fn so_many_calls_may_fail_in_search_of_the_rows_of_a_key_and_no_more() {
    // Rows that fail, then good ones of the same key. Each row that fails is found by halving what is left, and a call with
    // the others fails until the last one is found. With 40 rows that fail the last search begins after 199 failed calls,
    // with 39 of more it would begin after 200.
    for (bad, good, total) in [(40, 5, Some(5)), (39, 8, None)] {
        let value = |row| if row < bad { 13 } else { 1 };
        let rows =
            |key: &str| (0..bad + good).map(|row| format!("{{ line = \"{key}\", value = {} }}", value(row))).collect();
        // Every key has a search of its own, in every batch.
        let batch: Vec<String> = [rows("a"), rows("b")].map(|rows: Vec<String>| rows.join(", ")).into();
        let batch = batch.join(", ");
        let text = format!(
            "[streams.in]\nqueue = {{ schema = \"line: text, value: integer\", batches = [[{batch}], [{batch}], [{batch}]] }}\n\
             [streams.out]\nfrom = \"in\"\nby = \"line\"\nupdate-state = \"hostile/touchy-total\"\nemit = \"all\"\non-error = \
             \"dead-letter\"\n"
        );
        let outcome = harness::run(&text, crate::mode::Mode { partitions: 1, ..PLAIN });
        let aside = if total.is_some() { bad } else { bad + good };
        assert_eq!(outcome.result.unwrap().rejected, 3 * 2 * aside as u64, "{bad} and {good}");
        let totals = outcome.delivered.iter().filter(|batch| batch.output == "out").map(|batch| batch.parts.concat());
        let expect = [1, 2, 3].map(|batch| {
            let row = |key| total.map(|total| vec![Value::text(key), Value::Integer(batch * total)]);
            ["a", "b"].into_iter().filter_map(row).collect::<Vec<_>>()
        });
        assert_eq!(totals.collect::<Vec<_>>(), expect, "{bad} and {good}");
    }
}

#[test]
fn a_skipped_batch_does_not_hide_that_another_function_ends_the_run() {
    // Behind the reduce the two lines are in two of many partitions.
    let text = "[streams.in]\nqueue = { schema = \"line: text\", batches = [[\"panic\", \"fail\"]] }\n[streams.lines]\nfrom = \
                \"in\"\nby = \"line\"\nreduce = \"count\"\n[streams.a]\nfrom = \"lines\"\nfilter = \"hostile/is-panic\"\n\
                [streams.b]\nfrom = \"lines\"\nfilter = \"hostile/is-fail\"\n[streams.skips]\nfrom = \"a\"\nmap = \
                \"hostile/touchy\"\non-error = \"skip-batch\"\n[streams.stops]\nfrom = \"b\"\nmap = \"hostile/touchy\"\n\
                [outputs.skips]\nfrom = \"skips\"\nprint = true\n[outputs.stops]\nfrom = \"stops\"\nprint = true\n";
    let outcome = harness::run(text, crate::mode::Mode { partitions: 32, ..PLAIN });
    let Err(RunError::Operator { stream, .. }) = &outcome.result else {
        panic!("{:?} {:?}", outcome.result, outcome.delivered)
    };
    assert_eq!(stream, "stops");
}
