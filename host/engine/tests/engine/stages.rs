//! Which stages a pipeline has: `stages/*.txt`, a pipeline's text, `---`, and its stages, one a line:
//! what goes in, how many partitions, and the steps with their children in brackets.

use std::{fmt::Write, path::Path};

use tidemill_plan::{
    graph::Plan,
    stages::{ExchangeId, Input, Leaves, Order, Sequence, Stage, Stages, StepKind},
};

use crate::{expect, harness};

#[test]
fn stages() {
    expect::check_file(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/stages.txt"), |_, input| {
        let plan = harness::plan(input, 4);
        let stages = Stages::of(&plan);
        format!("{}{} instances", shown(&plan, &stages), stages.instances(&plan))
    });
}

fn shown(plan: &Plan, stages: &Stages) -> String {
    let mut text = String::new();
    for stage in &stages.stages {
        let input = match &stage.input {
            Input::Source(id) => plan.nodes[id.0].name.clone(),
            Input::Exchanges(ids, sequence) => {
                let in_order = if *sequence == Sequence::Arrival { " in order" } else { "" };
                ids.iter().map(exchange).collect::<Vec<_>>().join("+") + in_order
            }
        };
        let order = match stage.order {
            Order::Arrival { origins } => format!(" of {origins} origins"),
            Order::Partition => String::new(),
        };
        let shared: String = stage.shared.iter().map(|id| format!(" with {}", exchange(id))).collect();
        let _ = writeln!(text, "{input}{shared} -> {}{order} x {}", stage.partitions, step(plan, stage, 0));
    }
    text
}

fn exchange(id: &ExchangeId) -> String {
    format!("#{}", id.0)
}

fn step(plan: &Plan, stage: &Stage, index: usize) -> String {
    let step_of = &stage.steps[index];
    let own = match step_of.kind {
        StepKind::Part(id, part) => {
            let node = plan.node(id);
            format!("{:?} {}", node.parts[part].role, node.name).to_lowercase()
        }
        StepKind::Scatter { reader, input: 0 } => format!("scatter {}", plan.node(reader).name),
        StepKind::Scatter { reader, input } => format!("scatter {} input {input}", plan.node(reader).name),
        StepKind::Gather(_) => "gather".to_owned(),
        StepKind::Spread(_) => "spread".to_owned(),
        StepKind::Collect { first, origin, .. } => format!("collect from {first} origin {origin}"),
        StepKind::Share { reader, place } => {
            let reader = plan.node(reader);
            format!("share {} of {}", reader.shared[place].name, reader.name)
        }
        StepKind::OutputFunction(output) => format!("function {}", plan.outputs[output].name),
        StepKind::Output(output) => format!("output {}", plan.outputs[output].name),
    };
    let own = match step_of.leaves {
        Some(Leaves::Exchange(id)) => format!("{own} {}", exchange(&id)),
        Some(Leaves::Output(_)) | None => own,
    };
    let children = step_of.children.iter().map(|&child| step(plan, stage, child));
    let beside = step_of.beside.iter().map(|&(_, child)| format!("beside: {}", step(plan, stage, child)));
    let children: Vec<String> = children.chain(beside).collect();
    match children.as_slice() {
        [] => own,
        [one] => format!("{own}, {one}"),
        more => format!("{own} [{}]", more.join(" | ")),
    }
}
