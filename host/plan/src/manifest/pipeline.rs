//! The section `[pipeline]`.

mod checkpoint;
mod limits;

use std::time::Duration;

use tidemill_model::{limits::PipelineLimits, time::Interval};

use super::{on_error, reader::Reader, values};
use crate::{
    diagnostics::Diagnostics,
    document::Value,
    graph::{LateTicks, OnError},
    keys,
};

pub use checkpoint::{CheckpointEntry, CheckpointPlace};

/// Partitions where the pipeline does not say how many.
const PARTITIONS_DEFAULT: u32 = 4;

/// How long a batch may go on behind a stop where the pipeline does not say it.
const STOP_WITHIN_DEFAULT: Duration = Duration::from_secs(30);

const LATE_TICKS: &[(&str, LateTicks)] = &[("each", LateTicks::Each), ("merge", LateTicks::Merge)];

/// What holds for the pipeline as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(crate) name: Option<String>,
    pub(crate) interval: Option<Interval>,
    pub(crate) partitions: u32,
    pub(crate) checkpoint: Option<CheckpointEntry>,
    /// For functions whose own stream or output does not say it.
    pub(crate) on_error: OnError,
    /// The folder of the folders for dead letters.
    pub(crate) dead_letters: Option<String>,
    /// What all functions may use together.
    pub(crate) limits: PipelineLimits,
    /// How long a batch may go on behind a stop.
    pub(crate) stop_within: Duration,
    pub(crate) late_ticks: LateTicks,
}

impl Default for Pipeline {
    fn default() -> Pipeline {
        Pipeline {
            name: None,
            interval: None,
            partitions: PARTITIONS_DEFAULT,
            checkpoint: None,
            on_error: OnError::default(),
            dead_letters: None,
            limits: PipelineLimits::default(),
            stop_within: STOP_WITHIN_DEFAULT,
            late_ticks: LateTicks::default(),
        }
    }
}

pub(super) fn read(value: &Value, diagnostics: &mut Diagnostics) -> Pipeline {
    let mut pipeline = Pipeline::default();
    let Some(mut reader) = Reader::try_new("[pipeline]", value, diagnostics) else { return pipeline };
    reader.check_keys(keys::PIPELINE, "pipeline");
    if let Some(name) = reader.need("name", "name = \"words\"") {
        pipeline.name = values::text(name, reader.diagnostics).map(|name| {
            values::check_name(&name, "a pipeline", reader.diagnostics);
            name.text
        });
    }
    if let Some(value) = reader.need("interval", "interval = \"1s\"") {
        pipeline.interval = interval(value, reader.diagnostics);
    }
    if let Some(number) = reader.read("partitions", values::partitions) {
        pipeline.partitions = number;
    }
    pipeline.checkpoint = reader.read("checkpoint", checkpoint::read);
    pipeline.on_error = reader.read("on-error", on_error::read).unwrap_or_default();
    pipeline.dead_letters = reader
        .read("dead-letters", |value, diagnostics| values::filled_text(value, "`dead-letters`", diagnostics))
        .map(|folder| folder.text);
    if let Some(value) = reader.get("limits") {
        limits::read(value, &mut pipeline.limits, reader.diagnostics);
    }
    if let Some(within) = reader.read("stop-within", stop_within) {
        pipeline.stop_within = within;
    }
    let late_ticks = |value: &Value, diagnostics: &mut Diagnostics| {
        values::choice(value, "value of `late-ticks`", LATE_TICKS, diagnostics)
    };
    pipeline.late_ticks = reader.read("late-ticks", late_ticks).unwrap_or_default();
    pipeline
}

fn stop_within(value: &Value, diagnostics: &mut Diagnostics) -> Option<Duration> {
    values::interval(value, "time", diagnostics).map(Interval::duration)
}

fn interval(value: &Value, diagnostics: &mut Diagnostics) -> Option<Interval> {
    values::interval(value, "interval", diagnostics)
}
