//! Several failures in one batch, by partition: one that must end the run wins, whichever partition it is in.

use tidemill_engine::RunError;
use tidemill_model::{
    ports::{Chunk, Wake},
    testing::Value,
};
use tidemill_plan::graph::NodeId;

use crate::{
    harness,
    mode::{Mode, PLAIN},
    source::{Placed, chunk_of},
};

const PARTITIONS: u32 = 3;

/// A stream whose failure skips the batch, and one whose failure ends the run. Rows of a stage behind the source too.
const STREAMS: [&str; 2] = [
    "[streams.a]\nfrom = \"in\"\nfilter = \"hostile/is-panic\"\n[streams.b]\nfrom = \"in\"\nfilter = \"hostile/is-fail\"\n",
    "[streams.keys]\nfrom = \"in\"\nby = \"place\"\nreduce = \"max\"\nfields = { value = \"line\" }\nas = \"line\"\n\
     [streams.a]\nfrom = \"keys\"\nfilter = \"hostile/is-panic\"\n[streams.b]\nfrom = \"keys\"\nfilter = \"hostile/is-fail\"\n",
];

const REST: &str = "[streams.skips]\nfrom = \"a\"\nmap = \"hostile/touchy\"\non-error = \"skip-batch\"\n\
                    [streams.stops]\nfrom = \"b\"\nmap = \"hostile/touchy\"\n\
                    [outputs.skips]\nfrom = \"skips\"\nprint = true\n[outputs.stops]\nfrom = \"stops\"\nprint = true\n";

/// What is in a partition: `panic` skips the batch, `fail` ends the run.
const LINES: [&str; 3] = ["fine", "panic", "fail"];

/// Runs a batch that has these lines, each in its partition and with its place, beside so many that are fine.
fn run(streams: &str, lines: [&str; 3], places: [i64; 3], fine: usize, mode: Mode) -> harness::Outcome {
    let text =
        format!("[streams.in]\nqueue = {{ schema = \"line: text, place: integer\", batches = [] }}\n{streams}{REST}");
    let plan = harness::plan(&text, PARTITIONS);
    let schema = plan.nodes[0].schema.clone();
    let chunks = (0u32..).zip(lines.into_iter().zip(places)).map(|(partition, (line, place))| {
        let mut rows = vec![vec![Value::text("fine"), Value::Integer(-1)]; fine];
        rows.push(vec![Value::text(line), Value::Integer(place)]);
        Chunk { partition: Some(partition), ..chunk_of(&schema, &rows) }
    });
    let source = Placed::new(&schema, chunks.collect(), mode.ahead);
    harness::run_with(plan, vec![(NodeId(0), Box::new(source))], mode, Wake::default())
}

/// Tries all ways in which three partitions can go: a row with `places[n]` is run in partition n.
fn check(streams: &str, places: [i64; 3], fine: usize, mode: Mode) {
    for lines in LINES.into_iter().flat_map(|a| LINES.into_iter().flat_map(move |b| LINES.map(|c| [a, b, c]))) {
        let outcome = run(streams, lines, places, fine, mode);
        let first = |line| lines.iter().position(|found| *found == line);
        match (first("fail"), first("panic"), outcome.result) {
            (Some(place), _, Err(RunError::Operator { stream, partition, .. })) => {
                assert_eq!((stream.as_str(), partition as usize), ("stops", place), "{lines:?} {mode:?}");
                assert!(outcome.delivered.is_empty());
            }
            (None, skips, Ok(summary)) => {
                assert_eq!(summary.skipped, u64::from(skips.is_some()), "{lines:?} {mode:?}");
                assert_eq!(outcome.delivered.len(), if skips.is_some() { 0 } else { 2 }, "{lines:?} {mode:?}");
            }
            (.., result) => panic!("{lines:?} {mode:?}: {result:?}"),
        }
    }
}

#[test]
fn a_failure_that_ends_the_run_is_not_hidden_by_one_that_skips_the_batch() {
    // So many rows that workers share them, or few.
    for (workers, fine, ahead) in [(1, 0, false), (1, 0, true), (3, 2_000, false), (3, 2_000, true)] {
        check(STREAMS[0], [0; 3], fine, Mode { partitions: PARTITIONS, workers, ahead, ..PLAIN });
    }
}

#[test]
fn nor_in_a_later_stage() {
    let mode = Mode { partitions: PARTITIONS, ..PLAIN };
    // For each partition a place whose key is there.
    let partition_of = |place| {
        let failed = run(STREAMS[1], ["fail", "fine", "fine"], [place, -1, -1], 0, mode).result;
        let Err(RunError::Operator { partition, .. }) = failed else { panic!("{failed:?}") };
        partition
    };
    let places = [0, 1, 2].map(|partition| (0..100).find(|&place| partition_of(place) == partition).unwrap());
    check(STREAMS[1], places, 0, mode);
}
