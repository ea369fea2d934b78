//! Random pipelines against a model that knows nothing of partitions, chunks and threads.

mod model;
mod pipelines;
mod stopped;

use std::collections::HashMap;

use proptest::prelude::*;
use tidemill_model::{
    ports::{Source, Wake},
    testing::{Value, cases},
    time::Timestamp,
};
use tidemill_plan::graph::{NodeId, Operator, Plan};

use crate::{
    harness,
    mode::{Mode, PLAIN},
    sink::Delivered,
    source::{Chopped, Given},
};
use model::{Batch, Model, Row};

fn modes() -> impl Strategy<Value = Mode> {
    let mode = (1..9_u32, 1..4_usize, any::<u64>(), any::<bool>(), 1..12_usize, any::<(bool, bool, bool)>());
    mode.prop_map(|(partitions, workers, seed, fresh, chunk_rows, (ahead, early, late))| Mode {
        partitions,
        workers,
        seed,
        fresh,
        chunk_rows,
        ahead,
        early,
        late,
        ..PLAIN
    })
}

type Batches = [Vec<Batch>; 2];

fn run(plan: &Plan, batches: &Batches, mode: Mode) -> Vec<Delivered> {
    assert!(plan.nodes[0].name == "left" && plan.nodes[1].name == "right", "sources stand first, as in the text");
    let sources = (0..2).map(|i| {
        let given = Box::new(Given::new(&plan.nodes[i].schema, batches[i].clone()));
        let source: Box<dyn Source> = Box::new(Chopped::new(given, mode.chunk_rows, mode.ahead));
        (NodeId(i), source)
    });
    let outcome = harness::run_with(plan.clone(), sources.collect(), mode, Wake::default());
    outcome.result.unwrap();
    outcome.delivered
}

/// What the model says that comes out of each output at each tick.
fn expected(plan: &Plan, batches: &Batches) -> HashMap<(String, Timestamp), Vec<Row>> {
    let mut model = Model::new(plan);
    let mut expected = HashMap::new();
    for (tick, (left, right)) in batches[0].iter().zip(&batches[1]).enumerate() {
        let sources = HashMap::from([(NodeId(0), left.clone()), (NodeId(1), right.clone())]);
        let time = Timestamp((tick as i64 + 1) * 1_000_000);
        let streams = model.tick(time, &sources);
        for output in &plan.outputs {
            if let Some(rows) = &streams[output.from.0] {
                expected.insert((output.name.clone(), time), rows.clone());
            }
        }
    }
    expected
}

/// Rows whose floats are canonical, because the order of rows decides between 0.0 and -0.0; sorted, unless their order
/// means something.
fn comparable(rows: impl Iterator<Item = Row>, is_ordered: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = rows.map(|row| row.iter().map(Value::canonical).collect()).collect();
    if !is_ordered {
        rows.sort();
    }
    rows
}

/// Whether a stream's rows come in an order: that of its sources, or one that it puts them in.
fn is_ordered(plan: &Plan, stream: NodeId) -> bool {
    let node = &plan.nodes[stream.0];
    match node.operator {
        Operator::Sort(_) | Operator::Limit(_) | Operator::Source(_) => true,
        Operator::Top(ref top) => top.by.is_empty(),
        Operator::Map(_)
        | Operator::Filter(_)
        | Operator::Union
        | Operator::Window { .. }
        | Operator::Sample(_)
        | Operator::Repartition(_) => node.inputs.iter().all(|&input| is_ordered(plan, input)),
        _ => false,
    }
}

fn check(text: &str, batches: &Batches, mode: Mode) -> Result<(), TestCaseError> {
    let plan = harness::plan(text, mode.partitions);
    let delivered = run(&plan, batches, mode);
    let mut expected = expected(&plan, batches);
    for batch in &delivered {
        let output = plan.outputs.iter().find(|output| output.name == batch.output).unwrap();
        let ordered = is_ordered(&plan, output.from);
        let rows = expected.remove(&(batch.output.clone(), batch.time));
        let Some(rows) = rows else { return Err(TestCaseError::fail(format!("{batch:?} was not to be"))) };
        let got = comparable(batch.parts.iter().flatten().cloned(), ordered);
        prop_assert_eq!(got, comparable(rows.into_iter(), ordered), "{} at {}", batch.output, batch.time);
    }
    prop_assert!(expected.is_empty(), "batches that are missing: {:?}", expected.keys());
    let other =
        Mode { workers: mode.workers % 3 + 1, seed: !mode.seed, fresh: !mode.fresh, ahead: !mode.ahead, ..mode };
    prop_assert_eq!(run(&plan, batches, other), delivered, "the order of rows depends on {:?}", other);
    Ok(())
}

proptest! {
    #![proptest_config(cases(80))]

    #[test]
    fn pipelines_give_what_the_model_gives(
        text in pipelines::pipelines(),
        left in pipelines::batches(),
        right in pipelines::batches(),
        mode in modes(),
    ) {
        check(&text, &[left, right], mode)?;
    }
}
