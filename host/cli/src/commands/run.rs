//! `tidemill run`: a pipeline, until it is told to stop or is done.

use std::{path::PathBuf, sync::Arc};

use jiff::tz::TimeZone;
use tidemill_checkpoint::{Budget, Keep};
use tidemill_connect::system::{ManualClock, SystemClock, Threads, utc_offset};
use tidemill_engine::{
    NamedThreads, Parts, Run, Settings, Summary, Until, checkpoint::Checkpoint, open_sinks, open_sources, run_span,
};
use tidemill_model::{
    connector::World,
    ports::{Clock, Spawn},
    time::Timestamp,
};
use tidemill_plan::graph::Plan;

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
    let span = run_span(&ready.plan.name);
    let _named = span.enter();
    let threads: Arc<dyn Spawn> = Arc::new(NamedThreads::new(Arc::new(Threads), &span));
    if arguments.until_done {
        check_has_end(&ready.plan)?;
    }
    if ready.plan.outputs.iter().any(|output| output.sink.prints()) {
        stdout::check()?;
    }
    let checkpoint = checkpoint(&ready, &*threads)?;
    let clock = clock(arguments.clock);
    let mut world = world(arguments, Arc::clone(&clock), threads, ready.folder.clone());
    world.interval = ready.plan.interval.duration();
    let mut run = Run::try_new(parts(ready, clock, world, checkpoint)?, &run_settings(arguments))?;
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

fn world(arguments: &arguments::Run, clock: Arc<dyn Clock>, threads: Arc<dyn Spawn>, folder: PathBuf) -> World {
    let mut world = World::new(clock, threads, folder, stdout::shared());
    world.run = environment::secret_seed();
    world.utc_offset = utc_offset(time_zone());
    world.until_done = arguments.until_done;
    world.is_terminal = stdout::is_terminal();
    world
}

/// That of the environment variable `TZ`, or else the machine's.
fn time_zone() -> TimeZone {
    TimeZone::try_system().unwrap_or_else(|error| {
        // A machine without any has UTC, and nobody asked for another one.
        if environment::names_time_zone() {
            tracing::warn!(%error, "the time zone that TZ names is not known here: printed times are those of UTC");
        }
        TimeZone::UTC
    })
}

/// Opens the pipeline's sources and sinks.
fn parts(ready: Ready, clock: Arc<dyn Clock>, world: World, checkpoint: Option<Checkpoint>) -> Result<Parts, Failure> {
    let (sources, sinks) = (open_sources(&ready.plan, &world)?, open_sinks(&ready.plan, &world)?);
    Ok(Parts {
        plan: ready.plan,
        plugins: ready.plugins,
        sources,
        sinks,
        clock,
        wake: world.wake,
        spawn: world.spawn,
        checkpoint,
    })
}

/// A run until everything is done needs sources that have an end.
fn check_has_end(plan: &Plan) -> Result<(), Failure> {
    for node in &plan.nodes {
        let Some(what) = node.source().and_then(|source| source.endless()) else { continue };
        let failure = Failure::input(format!("stream `{}` is {what} and never done", node.name));
        return Err(failure.hint("leave --until-done out, or stop after a number of batches: --batches N"));
    }
    Ok(())
}

/// The checkpoint that the pipeline asks for; says so if it asks for none.
fn checkpoint(ready: &Ready, threads: &dyn Spawn) -> Result<Option<Checkpoint>, Failure> {
    let Some(entry) = &ready.checkpoint else {
        tracing::info!("no checkpoint: a restart begins anew, and what was received but not delivered is lost");
        return Ok(None);
    };
    let storage = storage::for_run(&entry.place, &ready.folder, threads)?;
    let checkpoint = Checkpoint::new(storage, environment::run_name(), ready.digests.clone()).as_written(entry);
    let (Keep { batches, bytes }, Budget { bytes_max, free_bytes_min }) = (checkpoint.keep, checkpoint.budget);
    tracing::debug!(batches, bytes, budget = ?bytes_max, free_bytes_min, "the checkpoint keeps");
    Ok(Some(checkpoint))
}

fn tell(summary: &Summary) {
    let Summary { batches, rows, rejected, irregular, skipped, counters } = summary;
    tracing::info!(batches, rows, rejected, irregular, skipped, "done");
    for (counter, count) in counters {
        tracing::info!(said.counter = counter, said.count = count, "counter {counter}: {count}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use clap::Parser;
    use tidemill_connect::files_sink::{FileFormat, FilesSink};
    use tidemill_model::{
        connector::SinkSettings,
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
        let files = FilesSink { folder: "out".into(), format: FileFormat::Text };
        let schema: tidemill_model::schema::Schema = "a: integer".parse().unwrap();
        let rows = tidemill_model::testing::buffer_of(&schema, &[vec![tidemill_model::testing::Value::Integer(1)]]);
        let rows = rows.to_batch(&schema.to_arrow()).unwrap();
        // Both begin before one of them stages.
        let mut sinks = [1, 2].map(|generation| {
            let world = world(&line.run, clock(ClockKind::Manual), Arc::new(Threads), folder.path().to_owned());
            let mut sink = files.open("out", &world).unwrap();
            sink.begin(&Owner { pipeline: "p", generation: Some(generation), is_held: &|| true }).unwrap();
            sink
        });
        let batch = SinkBatch { time: Timestamp(1_000_000), schema: &schema, parts: &[vec![rows]] };
        sinks.iter_mut().for_each(|sink| batch.prepare(&mut **sink).unwrap());
        let entries = std::fs::read_dir(folder.path().join("out")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.starts_with(".staged-")).count(), 2);
    }
}
