//! Policies for functions that fail: what the cases cannot show.

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
    let expect =
        [expect(2, "the function panicked: a row says panic", "panic"), expect(4, "a row says reject", "reject")];
    assert_eq!(letters.partitions, [expect]);
}

#[test]
fn a_search_has_an_end() {
    let outcome = run(&["panic"; 6_000], "\"dead-letter\"");
    let Err(RunError::Operator { cause, stream, .. }) = outcome.result else { panic!("the search has no end") };
    assert!(matches!(*cause, Cause::TooMuchPoison(_)), "{cause}");
    assert_eq!(stream, "out");
    assert!(outcome.delivered.is_empty());
}
