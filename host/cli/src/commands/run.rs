//! `tidemill run`: a pipeline, until it is told to stop or is done.

use std::{path::PathBuf, sync::Arc};

use jiff::tz::TimeZone;
use tidemill_checkpoint::{Budget, Keep};
use tidemill_connect::{
    ConnectorSettings, Connectors,
    system::{ManualClock, SystemClock, Threads},
};
use tidemill_engine::{Parts, Run, Settings, Summary, Until, checkpoint::Checkpoint};
use tidemill_model::{
    connector::{GenerateSource, SinkSpec, SourceSpec},
    ports::{Clock, Wake},
    time::Timestamp,
};
use tidemill_plan::graph::{NodeId, Operator, Plan};

use crate::{
    arguments::{self, ClockKind},
    environment,
    failure::Failure,
    pipeline::{self, Ready},
    signals::Signals,
    stdout, storage,
};

pub fn run(arguments: &arguments::Run) -> Result<(), Failure> {
    let signals = Signals::watch().map_err(|error| Failure::run(format!("cannot wait for signals: {error}")))?;
    let ready = pipeline::prepare(&arguments.pipeline)?;
    if arguments.until_done {
        check_has_end(&ready.plan)?;
    }
    if ready.plan.outputs.iter().any(|output| matches!(output.sink, SinkSpec::Print(_))) {
        stdout::check()?;
    }
    let checkpoint = checkpoint(&ready)?;
    let clock = clock(arguments.clock);
    let mut settings = connector_settings(arguments, Arc::clone(&clock), ready.folder.clone());
    settings.interval = ready.plan.interval.duration();
    let connectors = Connectors::try_new(settings)?;
    let mut run = Run::try_new(parts(ready, clock, &connectors, checkpoint)?, &run_settings(arguments))?;
    signals.stop(run.stopper());
    tracing::info!("starting; Ctrl-C stops after a batch");
    let summary = run.run()?;
    tell(&summary);
    Ok(())
}

fn clock(kind: ClockKind) -> Arc<dyn Clock> {
    match kind {
        ClockKind::System => Arc::new(SystemClock),
        ClockKind::Manual => Arc::new(ManualClock::new(Timestamp(0))),
    }
}

fn run_settings(arguments: &arguments::Run) -> Settings {
    Settings {
        workers: arguments.workers.map_or_else(environment::cores, |workers| workers as usize),
        seed: environment::secret_seed(),
        fresh_instances: arguments.fresh_instances,
        until: match arguments.batches {
            Some(batches) => Until::Batches(batches),
            None if arguments.until_done => Until::Done,
            None => Until::Stopped,
        },
    }
}

fn connector_settings(arguments: &arguments::Run, clock: Arc<dyn Clock>, folder: PathBuf) -> ConnectorSettings {
    let mut settings = ConnectorSettings::new(clock, Arc::new(Threads), folder, stdout::shared());
    settings.run = environment::secret_seed();
    settings.time_zone = TimeZone::system();
    settings.until_done = arguments.until_done;
    settings
}

/// Opens the pipeline's sources and sinks.
fn parts(
    ready: Ready,
    clock: Arc<dyn Clock>,
    connectors: &Connectors,
    checkpoint: Option<Checkpoint>,
) -> Result<Parts, Failure> {
    let wake = Wake::default();
    let mut sources = Vec::new();
    for (index, node) in ready.plan.nodes.iter().enumerate() {
        if let Some(spec) = node.source() {
            sources.push((NodeId(index), connectors.open_source(&node.name, spec, &wake)?));
        }
    }
    let outputs = ready.plan.outputs.iter();
    let sinks = outputs.map(|output| connectors.open_sink(&output.name, &output.sink)).collect::<Result<_, _>>()?;
    Ok(Parts {
        plan: ready.plan,
        plugins: ready.plugins,
        sources,
        sinks,
        clock,
        wake,
        spawn: Arc::new(Threads),
        checkpoint,
    })
}

/// A run until everything is done needs sources that have an end.
fn check_has_end(plan: &Plan) -> Result<(), Failure> {
    for node in &plan.nodes {
        let what = match &node.operator {
            Operator::Source(SourceSpec::Socket(_)) => "a socket",
            Operator::Source(SourceSpec::Generate(GenerateSource { count: None, .. })) => "generated without a count",
            _ => continue,
        };
        let failure = Failure::input(format!("stream `{}` is {what} and never done", node.name));
        return Err(failure.hint("leave --until-done out, or stop after a number of batches: --batches N"));
    }
    Ok(())
}

/// The checkpoint that the pipeline asks for; says so if it asks for none.
fn checkpoint(ready: &Ready) -> Result<Option<Checkpoint>, Failure> {
    let Some(entry) = &ready.checkpoint else {
        tracing::info!("no checkpoint: a restart begins anew, and what was received but not delivered is lost");
        return Ok(None);
    };
    let storage = storage::for_run(&entry.place, &ready.folder)?;
    let checkpoint = Checkpoint::new(storage, environment::run_name(), ready.digests.clone()).as_written(entry);
    let (Keep { batches, bytes }, Budget { bytes_max, free_bytes_min }) = (checkpoint.keep, checkpoint.budget);
    tracing::debug!(
        "the checkpoint keeps batches={batches} bytes={bytes} budget={bytes_max:?} free_bytes_min={free_bytes_min}"
    );
    Ok(Some(checkpoint))
}

fn tell(summary: &Summary) {
    let Summary { batches, rows, rejected, irregular, skipped, counters } = summary;
    tracing::info!(batches, rows, rejected, irregular, skipped, "done");
    for (counter, count) in counters {
        tracing::info!("counter {counter}: {count}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use clap::Parser;
    use tidemill_model::{
        connector::FileFormat,
        connector::FilesSink,
        ports::{Owner, SinkBatch},
    };

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        run: arguments::Run,
    }

    /// In a container every process has the number 1, and two may begin at one time.
    #[test]
    fn two_runs_that_begin_at_one_time_stage_files_under_different_names() {
        let folder = tempfile::tempdir().unwrap();
        let line = Line::try_parse_from(["run", "p.toml"]).unwrap();
        let spec = SinkSpec::Files(FilesSink { folder: "out".into(), format: FileFormat::Text });
        let schema: tidemill_model::schema::Schema = "a: integer".parse().unwrap();
        let rows = tidemill_model::testing::buffer_of(&schema, &[vec![tidemill_model::testing::Value::Integer(1)]]);
        let rows = rows.to_batch(&schema.to_arrow()).unwrap();
        // Both begin before one of them stages.
        let mut sinks = [1, 2].map(|generation| {
            let settings = connector_settings(&line.run, clock(ClockKind::Manual), folder.path().to_owned());
            let mut sink = Connectors::try_new(settings).unwrap().open_sink("out", &spec).unwrap();
            sink.begin(&Owner { pipeline: "p", generation: Some(generation), is_held: &|| true }).unwrap();
            sink
        });
        let batch = SinkBatch { time: Timestamp(1_000_000), schema: &schema, parts: &[vec![rows]] };
        sinks.iter_mut().for_each(|sink| batch.stage(&mut **sink).unwrap());
        let entries = std::fs::read_dir(folder.path().join("out")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.starts_with(".staged-")).count(), 2);
    }
}
