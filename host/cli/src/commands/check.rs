//! `tidemill check`: everything that can be known to be wrong before the first batch.

use std::fmt::Write;

use tidemill_plan::graph::Plan;

use crate::{arguments, failure::Failure, pipeline, stdout};

pub fn run(arguments: &arguments::Check) -> Result<(), Failure> {
    let ready = pipeline::prepare(&arguments.pipeline)?;
    pipeline::places::check(&ready)?;
    stdout::write(&text(&ready.plan))
}

/// The streams and outputs with what their rows are.
fn text(plan: &Plan) -> String {
    let mut text = String::new();
    let width = plan.nodes.iter().map(|node| node.name.len()).chain(plan.outputs.iter().map(|o| o.name.len())).max();
    let width = width.unwrap_or(0);
    let millis = plan.interval.micros() / 1000;
    let _ = writeln!(text, "pipeline {}: every {millis} ms, {} partitions", plan.name, plan.partitions);
    for node in &plan.nodes {
        let _ = writeln!(text, "  stream {:width$}  {}", node.name, node.schema);
    }
    for output in &plan.outputs {
        let from = &plan.nodes[output.from.0].name;
        let _ = writeln!(text, "  output {:width$}  {} (from {from})", output.name, output.schema);
    }
    text
}
