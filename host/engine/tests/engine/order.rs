//! In which order rows come: that of their source, whatever the partitions, chunks, workers and instances.
//!
//! Random pipelines have sources of one lane (`oracle`). Here are those of several, and what comes when a batch ends.

use std::fmt::Write;

use proptest::{collection::vec, prelude::*};
use tidemill_model::{
    ports::{Chunk, Source, Wake},
    testing::{Value, cases},
};
use tidemill_plan::graph::{NodeId, Plan};

use crate::{
    harness,
    mode::{Mode, PLAIN},
    source::{Chopped, Placed, chunk_of},
};

/// A row, by its number in the source and the number of its key.
type Row = (i64, i64);

/// Two sources, put together twice: `in` has the rows of `left`, then those of `right`, then those of `left` again.
const PIPELINE: &str = "
[streams.left]
queue = { schema = \"n: integer, k: integer, line: text\", batches = [] }
[streams.right]
queue = { schema = \"n: integer, k: integer, line: text\", batches = [] }
[streams.two]
from = [\"left\", \"right\"]
union = true
[streams.in]
from = [\"two\", \"left\"]
union = true
[streams.sorted]
from = \"in\"
sort = \"k\"
[streams.first]
from = \"in\"
limit = 7
[streams.states]
from = \"in\"
by = \"k\"
update-state = \"hostile/digits\"
fields = { value = \"n\" }
[streams.again]
from = \"sorted\"
by = \"k\"
update-state = \"hostile/digits\"
fields = { value = \"n\" }
[streams.taken]
from = \"in\"
map = \"hostile/touchy\"
keep = [\"n\", \"k\"]
on-error = \"dead-letter\"
";

/// The outputs, and where in their rows `n` and `k` are.
const OUTPUTS: [(&str, [usize; 2]); 6] =
    [("in", [0, 1]), ("sorted", [0, 1]), ("first", [0, 1]), ("states", [1, 0]), ("again", [1, 0]), ("taken", [1, 2])];

/// Rows of this key have a line that a function rejects.
const REJECTED: i64 = 0;

/// Chunks of a source, each with its lane (if it has one) and its rows.
type Chunks = Vec<(Option<u32>, Vec<Row>)>;

/// The order in which the rows of a source come: lane by lane.
fn arrived(chunks: &Chunks) -> Vec<Row> {
    let mut chunks: Vec<_> = chunks.iter().collect();
    chunks.sort_by_key(|(lane, _)| lane.unwrap_or(0));
    chunks.into_iter().flat_map(|(_, rows)| rows.clone()).collect()
}

/// What each output has, as it is to be.
fn expected(left: &Chunks, right: &Chunks) -> Vec<Vec<Row>> {
    let all = [arrived(left), arrived(right), arrived(left)].concat();
    let mut sorted = all.clone();
    sorted.sort_by_key(|&(_, k)| k);
    let first = all[..all.len().min(7)].to_vec();
    let mut states: Vec<Row> = Vec::new();
    for &(n, k) in &sorted {
        match states.last_mut().filter(|(_, key)| *key == k) {
            Some((digits, _)) => *digits = digits.wrapping_mul(10).wrapping_add(n),
            None => states.push((n, k)),
        }
    }
    let (letters, taken) = all.iter().partition(|&&(_, k)| k == REJECTED);
    vec![all, sorted, first, states.clone(), states, taken, letters]
}

fn source(chunks: &Chunks, plan: &Plan, stream: usize, mode: Mode) -> (NodeId, Box<dyn Source>) {
    let schema = &plan.nodes[stream].schema;
    let line = |k| Value::text(if k == REJECTED { "reject" } else { "fine" });
    let row = |&(n, k): &Row| vec![Value::Integer(n), Value::Integer(k), line(k)];
    let chunk = |(lane, rows): &(Option<u32>, Vec<Row>)| {
        let rows: Vec<_> = rows.iter().map(row).collect();
        Chunk { partition: *lane, ..chunk_of(schema, &rows) }
    };
    let placed = Placed::new(schema, chunks.iter().map(chunk).collect(), false);
    (NodeId(stream), Box::new(Chopped::new(Box::new(placed), mode.chunk_rows, mode.ahead)))
}

/// What each output has, and the dead letters; states by key.
fn run(left: &Chunks, right: &Chunks, mode: Mode) -> Vec<Vec<Row>> {
    let mut text = PIPELINE.to_owned();
    OUTPUTS.iter().for_each(|(name, _)| {
        let _ = writeln!(text, "[outputs.{name}]\nfrom = \"{name}\"\nprint = true");
    });
    let plan = harness::plan(&text, mode.partitions);
    let sources = vec![source(left, &plan, 0, mode), source(right, &plan, 1, mode)];
    let outcome = harness::run_with(plan, sources, mode, Wake::default());
    outcome.result.unwrap();
    let of = |name: &str, row: &dyn Fn(&[Value]) -> Row| {
        let delivered = outcome.delivered.iter().find(|batch| batch.output == name);
        let parts = delivered.iter().flat_map(|batch| &batch.parts).flatten();
        parts.map(|values| row(values)).collect::<Vec<_>>()
    };
    let mut all: Vec<Vec<Row>> =
        OUTPUTS.iter().map(|(name, [n, k])| of(name, &|row| (integer(&row[*n]), integer(&row[*k])))).collect();
    all[3..5].iter_mut().for_each(|states| states.sort_by_key(|&(_, k)| k));
    all.push(of("dead letters of taken", &|letter| match &letter[6] {
        Value::Record(row) => (integer(&row[0]), integer(&row[1])),
        other => panic!("{other:?} is no row"),
    }));
    all
}

fn integer(value: &Value) -> i64 {
    if let Value::Integer(integer) = value { *integer } else { panic!("{value:?} is no integer") }
}

fn check(left: &Chunks, right: &Chunks, mode: Mode) {
    let names = OUTPUTS.iter().map(|(name, _)| *name).chain(["the dead letters"]);
    for ((name, got), expect) in names.zip(run(left, right, mode)).zip(expected(left, right)) {
        assert_eq!(got, expect, "{name} {mode:?}");
    }
}

#[test]
fn rows_of_many_chunks_come_in_the_order_of_their_source() {
    let chunk = |first: i64| (None, (first..first + 5).map(|n| (n % 10, n % 3)).collect());
    let left: Chunks = (0..40).map(|number| chunk(5 * number)).collect();
    let right: Chunks = (0..7).map(|number| chunk(5 * number + 1)).collect();
    for partitions in [1, 2, 4, 7] {
        for (workers, fresh, ahead, chunk_rows) in [(1, false, false, 5), (3, true, true, 5), (2, false, true, 1)] {
            check(&left, &right, Mode { partitions, workers, fresh, ahead, chunk_rows, ..PLAIN });
        }
    }
}

fn chunks() -> impl Strategy<Value = Chunks> {
    let rows = vec((0..10_i64, 0..4_i64), 1..6);
    let lane = prop_oneof![Just(None), (0..6_u32).prop_map(Some)];
    // A source has lanes, or it has none.
    prop_oneof![
        vec((Just(None), rows.clone()), 0..12),
        vec((lane.prop_map(|lane| Some(lane.unwrap_or(0))), rows), 0..12)
    ]
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn rows_come_in_the_order_of_their_lanes(
        (left, right) in (chunks(), chunks()),
        (partitions, workers, chunk_rows) in (1..8_u32, 1..4_usize, 1..7_usize),
        (fresh, ahead) in any::<(bool, bool)>(),
    ) {
        check(&left, &right, Mode { partitions, workers, fresh, ahead, chunk_rows, ..PLAIN });
    }
}
