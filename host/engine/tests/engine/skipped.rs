//! A batch that is skipped is as if there had been no tick: whatever has run of it before it failed, wherever it failed.
//!
//! A pipeline with everything that keeps something from batch to batch, or leaves something of a batch, is run with a batch
//! in which a function fails. Beside it the same is run with a clock that leaves that tick out. Every later batch must be
//! the same to the row, and so must what its commit holds; the skipped batch itself leaves nothing.

use tidemill_model::testing::Value;

use crate::{
    lab::{Committed, Lab, Seen, tick},
    mode::{Mode, PLAIN},
};

/// What must not remember the batch. All of it reads the stream `in`.
const WITNESSES: &str = include_str!("skipped/witnesses.toml");

/// Where functions fail over a row of the skipped batch: what it shows, and the streams and outputs that fail.
const FAILURES: [(&str, &str); 20] = [
    ("a map before any state", "[streams.fails]\nfrom = \"in\"\nmap = \"hostile/touchy\"\non-error = \"skip-batch\""),
    (
        "a filter",
        "[streams.fails]\nfrom = \"in\"\nfilter = \"hostile/is-yes\"\nfields = { line = \"answer\" }\non-error = \"skip-batch\"",
    ),
    (
        "a reduce where rows are added",
        "[streams.fails]\nfrom = \"in\"\nby = \"k\"\nreduce = \"hostile/touchy-sum\"\non-error = \"skip-batch\"",
    ),
    (
        "a reduce where accumulators are merged",
        "[streams.beastly]\nfrom = \"in\"\nmap = \"hostile/anything\"\nfields = { value = \"beast\" }\nas = \"value\"\nkeep = \
         [\"k\"]\n[streams.fails]\nfrom = \"beastly\"\nby = \"k\"\nreduce = \"hostile/touchy-sum\"\non-error = \"skip-batch\"",
    ),
    (
        "a sum of the host's own",
        "[streams.fails]\nfrom = \"in\"\nreduce = \"sum\"\nfields = { value = \"huge\" }\non-error = \"skip-batch\"",
    ),
    (
        "an update-state",
        "[streams.fails]\nfrom = \"in\"\nby = \"k\"\nupdate-state = \"hostile/touchy-total\"\nfields = { value = \"mild\" }\nemit = \
         \"all\"\non-error = \"skip-batch\"",
    ),
    (
        "a map behind an update-state",
        "[streams.fails]\nfrom = \"totals\"\nmap = \"hostile/touchy\"\nfields = { line = \"k\" }\non-error = \"skip-batch\"",
    ),
    (
        "an update-state behind an update-state",
        "[streams.fails]\nfrom = \"totals\"\nby = \"k\"\nupdate-state = \"hostile/touchy-total\"\nfields = { value = \
         \"total\" }\nemit = \"all\"\non-error = \"skip-batch\"",
    ),
    (
        "a reduce behind an update-state",
        "[streams.fails]\nfrom = \"totals\"\nby = \"k\"\nreduce = \"hostile/touchy-sum\"\nfields = { value = \"total\" }\n\
         on-error = \"skip-batch\"",
    ),
    (
        "the function of an output",
        "[outputs.fails]\nfrom = \"in\"\noutput = \"hostile/touchy-lines\"\nprint = true\non-error = \"skip-batch\"",
    ),
    (
        "the function of an output behind an update-state",
        "[outputs.fails]\nfrom = \"totals\"\noutput = \"hostile/touchy-lines\"\nfields = { line = \"k\" }\nprint = true\n\
         on-error = \"skip-batch\"",
    ),
    (
        "the last stage of all",
        "[streams.once]\nfrom = \"changed\"\nby = \"k\"\nreduce = \"max\"\nfields = { value = \"total\" }\nas = \"total\"\n\
         [streams.ordered]\nfrom = \"once\"\nsort = \"-k\"\n[streams.some]\nfrom = \"ordered\"\nlimit = 100\n\
         [streams.fails]\nfrom = \"some\"\nmap = \"hostile/touchy\"\nfields = { line = \"k\" }\non-error = \"skip-batch\"",
    ),
    (
        "another source's stream",
        "[streams.fails]\nfrom = \"beside\"\nmap = \"hostile/touchy\"\non-error = \"skip-batch\"",
    ),
    (
        "a union's stream",
        "[streams.lines]\nfrom = \"in\"\nmap = \"hostile/identity\"\n[streams.more]\nfrom = \"beside\"\nmap = \
         \"hostile/identity\"\n[streams.mixed]\nfrom = [\"lines\", \"more\", \"lines\"]\nunion = true\n[streams.fails]\nfrom = \
         \"mixed\"\nmap = \"hostile/touchy\"\non-error = \"skip-batch\"",
    ),
    (
        "a map behind a map that may be tried again",
        "[streams.fails]\nfrom = \"counted-behind\"\nmap = \"hostile/touchy\"\non-error = \"skip-batch\"",
    ),
    (
        "a map behind an update-state that may be tried again",
        "[streams.fails]\nfrom = \"counted-again\"\nmap = \"hostile/touchy\"\nfields = { line = \"k\" }\non-error = \
         \"skip-batch\"",
    ),
    (
        "a map behind a reduce that may be tried again",
        "[streams.fails]\nfrom = \"sums-again\"\nmap = \"hostile/touchy\"\nfields = { line = \"k\" }\non-error = \
         \"skip-batch\"",
    ),
    (
        "a map behind one that sets rows aside",
        "[streams.known]\nfrom = \"in\"\nmap = \"hostile/touchy-counted\"\nfields = { line = \"k\" }\n\
         as = \"k\"\nkeep = [\"value\"]\non-error = \"dead-letter\"\n[streams.fails]\nfrom = \"known\"\nby = \"k\"\n\
         reduce = \"hostile/touchy-sum\"\non-error = \"skip-batch\"",
    ),
    (
        "an update-state that is tried again",
        "[streams.fails]\nfrom = \"in\"\nby = \"k\"\nupdate-state = \"hostile/touchy-total\"\nfields = { value = \"mild\" }\nemit = \
         \"all\"\non-error = { retry = 2, delay = \"1ms\", then = \"skip-batch\" }",
    ),
    (
        "a map behind an update-state, tried again",
        "[streams.fails]\nfrom = \"totals\"\nmap = \"hostile/touchy\"\nfields = { line = \"k\" }\non-error = { retry = 2, \
         delay = \"1ms\", then = \"skip-batch\" }",
    ),
];

/// A row of `in`: key, line and value, and what functions stumble over in the skipped batch alone: `answer` is `yes`, but
/// `panic` in that row, `beast` has 666 for 13, `mild` is never 7, and `huge`
/// is the largest number there is, twice. `alarm` is the value, but 0 in the whole batch: nobody asks to be woken.
fn row((k, line, value): (&str, &str, i64)) -> Vec<Value> {
    let answer = if k == "panic" { "panic" } else { "yes" };
    let beast = if value == 13 { 666 } else { value };
    let mild = if value == 7 { 70 } else { value };
    let huge = if value == 13 { i64::MAX } else { 1 };
    let [value, beast, mild, huge] = [value, beast, mild, huge].map(Value::Integer);
    vec![Value::text(k), Value::text(line), Value::text(answer), value.clone(), beast, mild, huge, value]
}

fn rows(rows: &[(&str, &str, i64)]) -> Option<Vec<Vec<Value>>> {
    Some(rows.iter().copied().map(row).collect())
}

/// What goes in before the batch, in it, and behind it. In seconds an alarm of 7,200 is for the next tick, one of 14,400
/// for the one after it; a state of 7 wakes its key too.
fn batches(skipped: usize) -> Vec<Option<Vec<Vec<Value>>>> {
    let before = rows(&[
        ("a", "yes", 7_200),
        ("b", "no", 14_400),
        ("c", "bad", 7),
        ("d", "yes", 3),
        ("g", "reject", 28_800),
        ("h", "no", 7),
    ]);
    let mut panics = rows(&[
        ("a", "yes", 1),
        ("b", "reject", 0),
        ("c", "bad", -1),
        ("new", "no", 7_200),
        ("gone", "yes", 0),
        ("d", "no", 5),
        ("panic", "panic", 13),
        ("g", "yes", 3),
        ("e", "bad", 21_600),
        ("thirteen", "yes", 13),
    ]);
    panics.iter_mut().flatten().filter_map(|row| row.last_mut()).for_each(|alarm| *alarm = Value::Integer(0));
    let behind = [
        rows(&[("a", "yes", 3), ("new", "no", 4), ("i", "reject", 2), ("d", "bad", 5)]),
        rows(&[]),
        None,
        rows(&[
            ("a", "no", 0),
            ("b", "yes", 1),
            ("c", "yes", 1),
            ("d", "no", 0),
            ("e", "yes", 1),
            ("g", "no", 4),
            ("h", "bad", -1),
            ("new", "yes", 2),
            ("gone", "yes", 3),
        ]),
        rows(&[]),
    ];
    [before].into_iter().chain(vec![panics; skipped]).chain(behind).collect()
}

/// Lines of another source, one of which makes a function fail.
fn beside(skipped: usize) -> Vec<Option<Vec<Vec<Value>>>> {
    let lines = |lines: &[&str]| Some(lines.iter().map(|line| vec![Value::text(line)]).collect());
    let behind = [lines(&["c"]), None, lines(&["d"]), lines(&["e", "f"]), lines(&[])];
    [lines(&["a"])].into_iter().chain(vec![lines(&["b", "panic"]); skipped]).chain(behind).collect()
}

/// What is the same whatever is counted in rows and batches of the skipped one.
fn summary(seen: &Seen) -> (u64, u64, Vec<(String, u64)>) {
    let summary = seen.result.as_ref().unwrap_or_else(|error| panic!("{error}"));
    (summary.rejected, summary.irregular, summary.counters.clone())
}

#[track_caller]
fn check(
    what: &str,
    text: &str,
    mode: Mode,
    skipped: usize,
    sources: impl Fn(usize) -> Vec<(&'static str, crate::lab::Batches)>,
) {
    let lab = |skipped, leap| Lab { text: text.to_owned(), mode, sources: sources(skipped), leap };
    let with = lab(skipped, None).run();
    let without = lab(0, Some((1, skipped as i64))).run();
    assert_eq!(
        with.result.as_ref().map(|summary| summary.skipped).ok(),
        Some(skipped as u64),
        "{what}: {:?}",
        with.result
    );
    assert_eq!(without.result.as_ref().map(|summary| summary.skipped).ok(), Some(0), "{what}: {:?}", without.result);
    let is_skipped = |number: &i64| (2..2 + skipped as i64).contains(number);
    let counters = &with.commits[&1].counters;
    for (number, commit) in with.commits.iter().filter(|(number, _)| is_skipped(number)) {
        let nothing = Committed { counters: counters.clone(), ..Committed::default() };
        assert_eq!(*commit, nothing, "{what}, {mode:?}: the skipped batch {number} left something");
    }
    let numbers = |seen: &Seen| seen.commits.keys().copied().filter(|number| !is_skipped(number)).collect::<Vec<_>>();
    assert_eq!(numbers(&with), numbers(&without), "{what}");
    for (number, expect) in &without.commits {
        let got = &with.commits[number];
        for (place, rows) in &expect.rows {
            assert_eq!(got.rows.get(place), Some(rows), "{what}, {mode:?}: rows of {place:?} in batch {number}");
        }
        for (place, changes) in &expect.changes {
            assert_eq!(got.changes.get(place), Some(changes), "{what}, {mode:?}: keys of {place:?} in batch {number}");
        }
        assert_eq!(got.counters, expect.counters, "{what}, {mode:?}: counters of batch {number}");
        assert_eq!(got, expect, "{what}, {mode:?}: batch {number}");
    }
    let delivered =
        |seen: &Seen| seen.delivered.iter().map(|batch| (tick(batch.time), batch.output.clone())).collect::<Vec<_>>();
    assert_eq!(delivered(&with), delivered(&without), "{what}, {mode:?}");
    assert_eq!(with.delivered, without.delivered, "{what}, {mode:?}");
    assert_eq!(summary(&with), summary(&without), "{what}, {mode:?}");
}

fn check_all(mode: Mode, skipped: usize) {
    for (what, fails) in FAILURES {
        let output =
            if fails.contains("[streams.fails]") { "[outputs.fails]\nfrom = \"fails\"\nprint = true" } else { "" };
        let (streams, outputs) = WITNESSES.split_once("# Outputs\n").unwrap();
        let text = if fails.starts_with("[streams") {
            format!("{streams}\n{fails}\n{outputs}\n{output}")
        } else {
            format!("{streams}\n{outputs}\n{fails}")
        };
        check(what, &text, mode, skipped, |skipped| vec![("in", batches(skipped)), ("beside", beside(skipped))]);
    }
}

#[test]
fn it_is_as_if_there_had_been_no_tick() {
    check_all(PLAIN, 1);
}

#[test]
fn of_several_batches_too() {
    check_all(Mode { partitions: 1, ..PLAIN }, 3);
}

#[test]
fn also_where_chunks_are_small_and_come_before_the_tick() {
    check_all(Mode { partitions: 3, workers: 2, chunk_rows: 2, ahead: true, early: true, ..PLAIN }, 1);
}

#[test]
fn also_with_new_instances() {
    check_all(Mode { partitions: 2, fresh: true, chunk_rows: 1, ..PLAIN }, 2);
}

/// More keys than go into one call: the first calls have written what they changed when the last one fails.
#[test]
fn also_within_the_function_that_fails() {
    const KEYS: i64 = 20_000;
    let of_batch = |value: &dyn Fn(i64) -> i64| {
        Some((0..KEYS).map(|n| row((&format!("k{n}"), "yes", value(n)))).collect::<Vec<_>>())
    };
    let few = rows(&[("k1", "yes", 1), ("k3", "yes", 1), ("last", "yes", 1)]);
    let sources = |skipped| {
        let before = of_batch(&|n| n % 4);
        // Every other key is new, many are to be woken, and one that is called late fails.
        let mut fails = of_batch(&|n| {
            if n == KEYS - 2 {
                13
            } else if n % 5 == 0 {
                7
            } else {
                2
            }
        });
        fails.iter_mut().flatten().step_by(2).for_each(|row| row[0] = Value::Text(format!("{:?} new", row[0])));
        let batches = [before].into_iter().chain(vec![fails; skipped]).chain([few.clone(), rows(&[]), rows(&[])]);
        vec![("in", batches.collect())]
    };
    let text = "[streams.in]\nqueue = { schema = \"k: text, line: text, answer: text, value: integer, beast: \
                integer, mild: integer, huge: integer, alarm: integer\", batches = [] }\n\
                [streams.out]\nfrom = \"in\"\nby = \"k\"\nupdate-state = \"hostile/touchy-total\"\nemit = \"all\"\non-error = \
                \"skip-batch\"";
    check("several calls", text, Mode { partitions: 1, ..PLAIN }, 1, sources);
}
