//! `tidemill check`: everything that can be known to be wrong before the first batch, and what a run would do before it.

use std::{fmt::Write, sync::Arc};

use serde_json::{Value, json};
use tidemill_connect::system::{SystemClock, Threads};
use tidemill_engine::{Foreseen, foresee, open_sinks, open_sources};
use tidemill_model::{connector::World, ports::Clock, text::counted, time::Timestamp};
use tidemill_plan::{
    diagnostics::{Diagnostic, Diagnostics, Severity},
    graph::Plan,
};

use crate::{
    arguments,
    failure::Failure,
    pipeline::{self, Ready},
    stderr, stdout, storage,
};

/// What is said of a mistake without which a pipeline could run.
const ERROR: &str = "error";

pub fn run(arguments: &arguments::Check) -> Result<(), Failure> {
    let mut mistakes = Vec::new();
    let ready = pipeline::prepare_with(&arguments.pipeline, &[], |said| mistakes = mistakes_in(said));
    let checked = ready.and_then(|ready| Ok((foreseen(&ready)?, ready)));
    match (arguments.json, checked) {
        (false, checked) => {
            let (foreseen, ready) = checked?;
            stdout::write_text(&(text(&ready.plan) + &ahead(&foreseen)))
        }
        (true, Ok((foreseen, ready))) => {
            stdout::write_json(&(json(&ready.plan, &foreseen, &mistakes).to_string() + "\n"))
        }
        (true, Err(failure)) => {
            if !mistakes.iter().any(|mistake| mistake["severity"] == ERROR) {
                mistakes.push(mistake_of(&failure));
            }
            stdout::write_json(&(json!({ "mistakes": mistakes }).to_string() + "\n"))?;
            Err(failure)
        }
    }
}

/// What is wrong with a pipeline's text, for programs.
fn mistakes_in(said: &Diagnostics) -> Vec<Value> {
    let mistake = |diagnostic: &Diagnostic| {
        let severity = if diagnostic.severity == Severity::Error { ERROR } else { "warning" };
        let fields = stderr::fields_of(said, diagnostic).into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object([("severity".to_owned(), severity.into())].into_iter().chain(fields).collect())
    };
    said.iter().map(mistake).collect()
}

/// What is wrong in no one place of the text.
fn mistake_of(failure: &Failure) -> Value {
    let (message, hints) = failure.said();
    let mut mistake = json!({ "severity": ERROR, "message": message });
    if !hints.is_empty() {
        mistake["help"] = hints.join("; ").into();
    }
    mistake
}

/// What there is in a pipeline, and what a run would do, for programs.
fn json(plan: &Plan, foreseen: &Foreseen, mistakes: &[Value]) -> Value {
    let Foreseen { last, again, undelivered, migrations } = foreseen;
    let millis = |batch: &Timestamp| batch.millis();
    let migrations = migrations.iter().map(|one| json!({ "stream": one.stream, "from": one.from, "to": one.to }));
    let streams = plan.nodes.iter().map(|node| json!({ "name": node.name, "schema": node.schema.to_string() }));
    let outputs = plan.outputs.iter().map(|output| {
        let from = &plan.nodes[output.from.0].name;
        json!({ "name": output.name, "from": from, "schema": output.schema.to_string() })
    });
    json!({
        "pipeline": plan.name,
        "interval_ms": plan.interval.micros() / 1000,
        "partitions": plan.partitions,
        "streams": streams.collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
        "mistakes": mistakes,
        "ahead": {
            "last_batch": last.as_ref().map(millis),
            "again": again.as_ref().map(millis),
            "undelivered": undelivered.iter().map(millis).collect::<Vec<_>>(),
            "migrations": migrations.collect::<Vec<_>>(),
        },
    })
}

/// What a run would do, and why it would be refused: its sources and sinks are opened, which has no effect, and nothing is begun.
fn foreseen(ready: &Ready) -> Result<Foreseen, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut world = World::new(clock, Arc::new(Threads), ready.folder.clone(), stdout::shared());
    world.interval = ready.plan.interval.duration();
    let (sources, sinks) = (open_sources(&ready.plan, &world)?, open_sinks(&ready.plan, &world)?);
    let checkpoint = ready.checkpoint.as_ref().map(|entry| storage::to_foresee(&entry.place, &ready.folder));
    let found = checkpoint.transpose()?.flatten();
    Ok(foresee(&ready.plan, sources, sinks, ready.checkpoint.is_some(), found.as_ref())?)
}

/// The streams and outputs with what their rows are.
fn text(plan: &Plan) -> String {
    let mut text = String::new();
    let width = plan.nodes.iter().map(|node| node.name.len()).chain(plan.outputs.iter().map(|o| o.name.len())).max();
    let width = width.unwrap_or(0);
    let millis = plan.interval.micros() / 1000;
    let partitions = counted(plan.partitions, "partition");
    let _ = writeln!(text, "pipeline {}: every {millis} ms, {partitions}", plan.name);
    for node in &plan.nodes {
        let _ = writeln!(text, "  stream {:width$}  {}", node.name, node.schema);
    }
    for output in &plan.outputs {
        let from = &plan.nodes[output.from.0].name;
        let _ = writeln!(text, "  output {:width$}  {} (from {from})", output.name, output.schema);
    }
    text
}

/// What a run would do with its checkpoint; nothing where it would begin with its first batch.
fn ahead(foreseen: &Foreseen) -> String {
    let Foreseen { last, again, undelivered, migrations } = foreseen;
    let mut text = String::new();
    for migration in migrations {
        let (stream, from, to) = (&migration.stream, migration.from, migration.to);
        let _ = writeln!(text, "a run would migrate the states of stream `{stream}` from version {from} to {to}");
    }
    for batch in undelivered {
        let _ = writeln!(text, "a run would deliver the batch {batch} again");
    }
    if let Some(again) = again {
        let _ = writeln!(text, "a run would run the batch {again} again");
    }
    if let Some(last) = again.or(*last) {
        let _ = writeln!(text, "a run would go on behind the batch {last}");
    }
    text
}
