//! What guests are told with each call, how much they are given, and what is kept of them.

use std::sync::{Arc, Mutex};

use tidemill_guest::{LogLine, LogSink};
use tidemill_model::{
    ports::{Source, Wake},
    testing::Value,
};
use tidemill_plan::graph::{NodeId, Plan};

use crate::{
    guests::guests,
    harness::{self, Outcome},
    mode::{Mode, PLAIN},
    show,
    sink::Delivered,
    source::{Chopped, Given},
};

/// Runs `hostile/FUNCTION` over batches of lines.
fn run(function: &str, batches: &[Vec<String>], mode: Mode) -> Outcome {
    let text = format!(
        "[streams.in]\nqueue = {{ schema = \"line: text\", batches = [] }}\n\
         [streams.out]\nfrom = \"in\"\nmap = \"hostile/{function}\""
    );
    let plan = harness::plan(&text, mode.partitions);
    let sources = given(&plan, batches, mode);
    harness::run_with(plan, sources, mode, Wake::default())
}

/// Batches of lines for the first stream.
fn given(plan: &Plan, batches: &[Vec<String>], mode: Mode) -> Vec<(NodeId, Box<dyn Source>)> {
    let rows = |batch: &Vec<String>| Some(batch.iter().map(|line| vec![Value::text(line)]).collect());
    let given = Box::new(Given::new(&plan.nodes[0].schema, batches.iter().map(rows).collect()));
    vec![(NodeId(0), Box::new(Chopped::new(given, mode.chunk_rows, mode.ahead)))]
}

fn lines(count: usize) -> Vec<String> {
    vec![String::new(); count]
}

fn counter(outcome: Outcome, name: &str) -> u64 {
    let counters = outcome.result.unwrap().counters;
    counters.into_iter().find(|(found, _)| found == name).map_or(0, |(_, count)| count)
}

#[test]
fn calls_are_told_where_they_stand() {
    for ahead in [false, true] {
        let mode = Mode { partitions: 2, chunk_rows: 1, ahead, ..PLAIN };
        let outcome = run("context", &[lines(3), lines(1)], mode);
        let rows = |batch: &Delivered| batch.parts.iter().flatten().map(|row| show::row(row)).collect();
        let shown: Vec<Vec<String>> = outcome.delivered.iter().map(rows).collect();
        let at = |seconds: u32, partition: u32, chunk: u32| {
            format!("at {seconds}000000 every 1000000: {partition} of 2, chunk {chunk}, last false")
        };
        let expect = [
            // Chunks go round the partitions, from the first one on in each batch.
            vec![at(1, 0, 0), at(1, 1, 0), at(1, 0, 1)],
            vec![at(2, 0, 0)],
        ];
        assert_eq!(shown, expect);
    }
}

/// So are filters, whose rows say where a call could stand; also where a policy is at work, and in batches behind others.
#[test]
fn filters_are_told_where_they_stand() {
    for policy in ["stop", "dead-letter"] {
        let text = format!(
            "[streams.in]\nqueue = {{ schema = \"line: text\", batches = [] }}\n\
             [streams.out]\nfrom = \"in\"\nfilter = \"hostile/is-context\"\non-error = \"{policy}\"\n\
             [outputs.out]\nfrom = \"out\"\nprint = true"
        );
        let at = |batch: u32, chunk: u32| format!("at {batch}000000 every 1000000: 0 of 1, chunk {chunk}, last false");
        let batch = |number: u32, chunks: u32| (0..4 * chunks).map(|row| at(number, row % 4)).collect();
        let mode = Mode { partitions: 1, chunk_rows: 4, ..PLAIN };
        let plan = harness::plan(&text, 1);
        let sources = given(&plan, &[batch(1, 3), batch(2, 2)], mode);
        let outcome = harness::run_with(plan, sources, mode, Wake::default());
        outcome.result.unwrap();
        let out = outcome.delivered.iter().filter(|batch| batch.output == "out");
        let rows = out.map(|batch| batch.parts.iter().flatten().map(|row| show::row(row)).collect::<Vec<_>>());
        let expect = [vec![at(1, 0), at(1, 1), at(1, 2)], vec![at(2, 0), at(2, 1)]];
        assert_eq!(rows.collect::<Vec<_>>(), expect, "{policy}");
    }
}

#[test]
fn what_is_counted_is_counted_once_a_batch() {
    for fresh in [false, true] {
        let mode = Mode { partitions: 3, chunk_rows: 2, fresh, ..PLAIN };
        let batches = [lines(5), lines(0), lines(7), lines(1)];
        assert_eq!(counter(run("counts", &batches, mode), "out/hostile/rows"), 13);
        assert_eq!(counter(run("counts", &batches, mode), "out/hostile/calls"), 3 + 4 + 1);
    }
}

#[test]
fn streams_and_outputs_count_for_themselves() {
    let text = "[streams.in]\nqueue = { schema = \"line: text\", batches = [] }\n\
                [streams.one]\nfrom = \"in\"\nmap = \"hostile/counts\"\n\
                [streams.two]\nfrom = \"one\"\nmap = \"hostile/counts\"\n\
                [outputs.two]\nfrom = \"one\"\noutput = \"hostile/output-counts\"\nprint = true\n\
                [outputs.out]\nfrom = \"two\"\nprint = true";
    let mode = Mode { partitions: 1, ..PLAIN };
    let plan = harness::plan(text, 1);
    let sources = given(&plan, &[lines(3), lines(2)], mode);
    let outcome = harness::run_with(plan, sources, mode, Wake::default());
    let expect = ["one/hostile/calls", "one/hostile/rows", "outputs.two/hostile/calls", "outputs.two/hostile/rows"];
    let expect = [expect, ["two/hostile/calls", "two/hostile/rows", "", ""]].concat();
    let counters = outcome.result.unwrap().counters;
    assert_eq!(counters.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), expect[..6]);
    assert_eq!(counters.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [2, 5, 2, 5, 2, 5]);
}

/// Keeps what guests log.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl LogSink for Lines {
    fn line(&self, line: LogLine<'_>) {
        let message = line.message.split_once("xx").map_or(line.message, |(head, _)| head);
        self.0.lock().unwrap().push(format!("{} {message}", line.place));
    }
}

#[test]
fn a_flood_of_log_lines_is_bounded_by_batch_and_stream() {
    let text = "[streams.in]\nqueue = { schema = \"line: text\", batches = [] }\n\
                [streams.one]\nfrom = \"in\"\nmap = \"hostile/log-flood\"\n\
                [streams.two]\nfrom = \"one\"\nmap = \"hostile/log-flood\"\n\
                [outputs.out]\nfrom = \"two\"\nprint = true";
    for fresh in [false, true] {
        let mode = Mode { partitions: 3, chunk_rows: 1, fresh, ..PLAIN };
        let lines_of_log = Arc::new(Lines::default());
        let plugins = guests().plugins().into_iter();
        let plugins = plugins.map(|(name, plugin)| (name, plugin.with_log(lines_of_log.clone()))).collect();
        let plan = harness::plan(text, mode.partitions);
        let sources = given(&plan, &[lines(4), lines(0), lines(1)], mode);
        harness::run_with_plugins(plan, sources, plugins, mode, Wake::default()).result.unwrap();
        let logged = std::mem::take(&mut *lines_of_log.0.lock().unwrap());
        for place in ["one", "two"] {
            let of_place = |line: &str| logged.iter().filter(|logged| **logged == format!("{place} {line}")).count();
            // 1,000 lines for each of 4 rows, then for one.
            assert_eq!(of_place("flood "), 2 * 100);
            assert_eq!(of_place("dropped 3900 more log lines of a batch that had 100"), 1);
            assert_eq!(of_place("dropped 900 more log lines of a batch that had 100"), 1);
        }
        assert_eq!(logged.len(), 2 * (2 * 100 + 2));
    }
}

/// Functions that log a thousand lines in each call, by every operator that calls one.
const FLOODS: [&str; 5] = [
    "[streams.out]\nfrom = \"in\"\nmap = \"hostile/log-flood\"",
    "[streams.out]\nfrom = \"in\"\nfilter = \"hostile/is-flood\"",
    "[streams.out]\nfrom = \"in\"\nby = \"line\"\nreduce = \"hostile/sum-flood\"",
    "[streams.out]\nfrom = \"in\"\nby = \"line\"\nupdate-state = \"hostile/total-flood\"",
    "[outputs.out]\nfrom = \"in\"\noutput = \"hostile/lines-flood\"\nprint = true",
];

#[test]
fn every_operator_may_log_so_many_lines_in_each_batch() {
    for (operator, fresh) in FLOODS.into_iter().flat_map(|operator| [(operator, false), (operator, true)]) {
        let text =
            format!("[streams.in]\nqueue = {{ schema = \"line: text, value: integer\", batches = [] }}\n{operator}");
        let mode = Mode { partitions: 2, chunk_rows: 1, fresh, ..PLAIN };
        let lines_of_log = Arc::new(Lines::default());
        let plugins = guests().plugins().into_iter();
        let plugins = plugins.map(|(name, plugin)| (name, plugin.with_log(lines_of_log.clone()))).collect();
        let plan = harness::plan(&text, mode.partitions);
        let batch = vec![vec![Value::text("a"), Value::Integer(1)]; 3];
        let given = Box::new(Given::new(&plan.nodes[0].schema, vec![Some(batch); 3]));
        let sources: Vec<(NodeId, Box<dyn Source>)> =
            vec![(NodeId(0), Box::new(Chopped::new(given, mode.chunk_rows, mode.ahead)))];
        harness::run_with_plugins(plan, sources, plugins, mode, Wake::default()).result.unwrap();
        let logged = std::mem::take(&mut *lines_of_log.0.lock().unwrap());
        let count = |what: &str| logged.iter().filter(|line| line.contains(what)).count();
        assert_eq!(
            (count(" flood "), count(" more log lines of a batch that had 100")),
            (300, 3),
            "{operator}, {fresh}"
        );
    }
}

#[test]
fn a_chunk_of_many_bytes_is_several_calls() {
    let mode = Mode { partitions: 1, ..PLAIN };
    let long = "x".repeat(3 << 20);
    let outcome = run("counts", &[vec![long.clone(), long.clone(), long, String::new()]], mode);
    let came: usize = outcome.delivered[0].parts.iter().map(Vec::len).sum();
    assert_eq!(came, 4);
    assert_eq!(counter(outcome, "out/hostile/calls"), 3, "the empty line goes with the third");
}

#[test]
fn instances_are_kept_over_batches_unless_they_are_to_be_fresh() {
    // 1 MiB is leaked in each batch, and there are 64.
    let batches = vec![lines(1); 80];
    let mode = Mode { partitions: 1, ..PLAIN };
    let kept = run("leaks", &batches, mode).result.unwrap_err().to_string();
    assert!(
        kept.starts_with("pipeline `test`, stream `out`, partition 0, batch ") && kept.contains("memory"),
        "{kept}"
    );
    assert_eq!(run("leaks", &batches, Mode { fresh: true, ..mode }).result.unwrap().batches, 80);
}
