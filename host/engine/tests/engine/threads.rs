//! Batches that are large enough to be shared among threads.

use tidemill_model::{
    ports::{Source, Wake},
    testing::Value,
};
use tidemill_plan::graph::NodeId;

use crate::{
    harness::{self, Outcome},
    mode::{Mode, PLAIN},
    show,
    source::{Chopped, Given},
};

const ROWS: i64 = 30_000;

/// Runs a pipeline over one source `in` of words and numbers, two batches of them.
fn run(text: &str, mode: Mode) -> Outcome {
    let text = format!("[streams.in]\nqueue = {{ schema = \"word: text, n: integer\", batches = [] }}\n{text}");
    let plan = harness::plan(&text, mode.partitions);
    let batch = |first: i64| {
        let row = |i: i64| vec![Value::text(&format!("word-{}", i * 7_919 % 5_003)), Value::Integer(i)];
        Some((first..first + ROWS).map(row).collect())
    };
    let given = Box::new(Given::new(&plan.nodes[0].schema, vec![batch(0), batch(ROWS)]));
    let source: Box<dyn Source> = Box::new(Chopped::new(given, mode.chunk_rows, mode.ahead));
    harness::run_with(plan, vec![(NodeId(0), source)], mode, Wake::default())
}

/// Runs it with one thread and with several; they must agree in every byte. Gives the rows of the last batch, sorted.
fn check(text: &str) -> Vec<String> {
    let mode = Mode { chunk_rows: 1_000, ..PLAIN };
    let expect = run(text, mode);
    expect.result.unwrap();
    for (workers, seed, ahead) in [(2, 5, false), (4, 6, true)] {
        let got = run(text, Mode { workers, seed, ahead, fresh: true, ..mode });
        got.result.unwrap();
        assert_eq!(got.delivered, expect.delivered, "{workers} workers give something else than one");
    }
    let last = expect.delivered.last().unwrap();
    let mut rows: Vec<String> = last.parts.iter().flatten().map(|row| show::row(row)).collect();
    rows.sort();
    rows
}

/// What the model of a test says of the second batch, or of both.
fn sums(from: i64, to: i64) -> Vec<String> {
    let mut sums = std::collections::BTreeMap::<i64, i64>::new();
    (from..to).for_each(|i| *sums.entry(i * 7_919 % 5_003).or_default() += i);
    let mut rows: Vec<String> = sums.iter().map(|(word, sum)| format!("word-{word} {sum}")).collect();
    rows.sort();
    rows
}

#[test]
fn sums_by_word() {
    let native = "[streams.out]\nfrom = \"in\"\nby = \"word\"\nreduce = \"sum\"";
    assert_eq!(check(native), sums(ROWS, 2 * ROWS));
    assert_eq!(check(&native.replace("\"sum\"", "\"wordcount/sum\"")), sums(ROWS, 2 * ROWS));
}

#[test]
fn totals_by_word() {
    let text = "[streams.out]\nfrom = \"in\"\nby = \"word\"\nupdate-state = \"wordcount/running-total\"";
    assert_eq!(check(text), sums(0, 2 * ROWS));
}

#[test]
fn sorted_and_cut() {
    let text = "[streams.sorted]\nfrom = \"in\"\nsort = [\"-n\"]\n[streams.out]\nfrom = \"sorted\"\nlimit = 2";
    let word = |i: i64| format!("word-{} {i}", i * 7_919 % 5_003);
    let mut expect = [word(2 * ROWS - 1), word(2 * ROWS - 2)];
    expect.sort();
    assert_eq!(check(text), expect);
}

#[test]
fn unions_and_counts() {
    let text = "[streams.one]\nfrom = \"in\"\ndistinct = true\n[streams.both]\nfrom = [\"in\", \"one\"]\nunion = true\n\
                [streams.out]\nfrom = \"both\"\ncount = true";
    assert_eq!(check(text), [(2 * ROWS).to_string()]);
}

#[test]
fn of_several_failures_the_first_partitions_is_told() {
    let text = "[streams.out]\nfrom = \"in\"\nmap = \"hostile/traps\"\nfields = { line = \"word\" }";
    for workers in [1, 4] {
        let error = run(text, Mode { workers, chunk_rows: 1_000, ..PLAIN }).result.unwrap_err().to_string();
        assert!(
            error.starts_with(
                "pipeline `test`, stream `out`, partition 0, batch 1000 ms (1970-01-01T00:00:01Z): `hostile/traps`: the function trapped"
            ),
            "{error}"
        );
    }
}
