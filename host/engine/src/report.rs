//! What a run says of its batches.

mod pace;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use tidemill_model::{
    ports::Irregularity,
    text::counted,
    time::{Interval, Timestamp},
};
use tidemill_plan::graph::{Caller, Plan};

use crate::{
    failure::RunError,
    operators::{Rejections, StreamRejections},
};
use pace::{Millis, News, Pace};

/// What is known of a batch when it is handed over to be committed.
pub(crate) struct BatchReport {
    pub(crate) time: Timestamp,
    /// When the tick was served.
    pub(crate) began: Timestamp,
    /// When the loop had done with it.
    pub(crate) left: Timestamp,
    /// Rows that sources gave, and time spent before the tick.
    pub(crate) intake: Intake,
    pub(crate) rejections: Rejections,
    pub(crate) irregularities: Vec<(String, Irregularity)>,
    /// Why it was skipped, if it was.
    pub(crate) skipped: Option<RunError>,
    /// It is a past batch, run again for a look: how long that took says nothing.
    pub(crate) is_replayed: bool,
}

/// What was taken of a batch until its end.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    rows: u64,
    ahead: Duration,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Batches that were run.
    pub batches: u64,
    /// Rows that sources gave.
    pub rows: u64,
    /// Rows that functions rejected, and input that sources did: none of it went on.
    pub rejected: u64,
    /// Input that sources did not take as it was, without rejecting it.
    pub irregular: u64,
    /// Batches of which nothing came, because a function failed whose policy says so.
    pub skipped: u64,
    /// What guests counted, as plugin/counter.
    pub counters: Vec<(String, u64)>,
}

/// Writes the log lines of batches, and adds up the summary.
pub(crate) struct Reporter {
    interval: Interval,
    summary: Summary,
    /// The outputs that get the dead letters of streams and outputs.
    letters: BTreeMap<String, String>,
    /// Of the open batch.
    intake: Intake,
    /// How many batches have ended for the loop.
    left: u64,
    pace: Pace,
    /// Whether it was said of the open batch that it is full.
    full: bool,
}

impl Reporter {
    pub(crate) fn new(plan: &Plan) -> Reporter {
        let letters = plan.outputs.iter().filter_map(|output| {
            let caller = match output.dead_letters? {
                Caller::Stream(id) => &plan.nodes[id.0].name,
                Caller::Output(caller) => &plan.outputs[caller].name,
            };
            Some((caller.clone(), output.name.clone()))
        });
        Reporter {
            interval: plan.interval,
            summary: Summary::default(),
            letters: letters.collect(),
            intake: Intake::default(),
            left: 0,
            pace: Pace::new(plan.interval),
            full: false,
        }
    }

    /// How many batches were run, of which the last one may not be committed yet.
    pub(crate) fn batches(&self) -> u64 {
        self.left
    }

    /// Rows that a source gave for the open batch.
    pub(crate) fn add_rows(&mut self, rows: u64) {
        self.intake.rows += rows;
    }

    /// Time spent on the open batch before its tick.
    pub(crate) fn add_ahead(&mut self, time: Duration) {
        self.intake.ahead += time;
    }

    /// The open batch has run, and the next one is open.
    pub(crate) fn leave(&mut self) -> Intake {
        self.left += 1;
        self.full = false;
        std::mem::take(&mut self.intake)
    }

    /// Nothing is taken from the sources until the tick, if the batch `is_full`.
    pub(crate) fn held_back(&mut self, is_full: bool, tick: Timestamp) {
        if is_full && !self.full {
            tracing::warn!(
                said.batch = tick.millis(),
                "batch {tick} is full: input waits for its end. Reduce rows before they are sorted or kept by key, or use a \
                 shorter interval",
            );
        }
        self.full |= is_full;
    }

    /// A batch is done, since `ended`.
    pub(crate) fn batch(&mut self, report: BatchReport, ended: Timestamp) {
        let Intake { rows, ahead } = report.intake;
        if !report.is_replayed {
            tell_delay(&report, ended);
        }
        self.summary.batches += 1;
        self.summary.rows += rows;
        // Commits beside the next batch make nothing late before that has to wait for them.
        self.tell_pace(report.time, ahead + report.left.since(report.began));
        if let Some(error) = &report.skipped {
            self.summary.skipped += 1;
            tracing::warn!(said.batch = report.time.millis(), rows, "batch {} is skipped: {error}", report.time);
        }
        for rejected in &report.rejections.by_stream {
            self.summary.rejected += rejected.count;
            self.tell_rejected(rejected, &report);
        }
        for (stream, found) in &report.irregularities {
            let sum = if found.is_rejected { &mut self.summary.rejected } else { &mut self.summary.irregular };
            *sum += found.count;
            tracing::warn!(
                %stream,
                said.count = found.count,
                said.batch = report.time.millis(),
                "{} {} in batch {}",
                found.count,
                found.what,
                report.time
            );
        }
    }

    fn tell_rejected(&self, rejected: &StreamRejections, report: &BatchReport) {
        let StreamRejections { stream, count, first_reason } = rejected;
        let (batch, rows) = (report.time, counted(*count, "row"));
        let set_aside = match self.letters.get(stream) {
            // Nothing that is run for a look is written.
            Some(output) if report.is_replayed => format!(", which a run sets aside in the output `{output}`"),
            Some(output) => format!(", set aside in the output `{output}`"),
            None => String::new(),
        };
        tracing::warn!(
            %stream,
            said.count = count,
            said.batch = batch.millis(),
            said.first_reason = first_reason,
            "{rows} rejected in batch {batch}{set_aside}; the first: {first_reason}"
        );
    }

    /// Says so when batches begin to take longer than the interval, and when they no longer do.
    fn tell_pace(&mut self, time: Timestamp, worked: Duration) {
        let interval = Millis(self.interval.duration());
        match self.pace.batch(time, worked) {
            None => {}
            Some(News::Behind(worked)) => tracing::warn!(
                said.batch = time.millis(),
                said.interval_ms = millis(self.interval.duration()),
                said.worked_ms = millis(worked),
                "batches take longer than the interval of {interval}: {} for this one. Input is held back; use a longer \
                 interval, more workers or a faster plugin",
                Millis(worked),
            ),
            Some(News::StillBehind(tally)) => tracing::warn!(
                said.batch = time.millis(),
                said.interval_ms = millis(self.interval.duration()),
                said.late = tally.late,
                said.batches = tally.batches,
                said.longest_ms = millis(tally.longest),
                "{} of {} took longer than the interval of {interval} since this was first said; the longest: {}",
                tally.late,
                counted(tally.batches, "batch"),
                Millis(tally.longest),
            ),
            Some(News::OnTime(tally)) => tracing::info!(
                said.batch = time.millis(),
                said.interval_ms = millis(self.interval.duration()),
                said.late = tally.late,
                said.batches = tally.batches,
                said.longest_ms = millis(tally.longest),
                "batches are faster than the interval of {interval} again; {} of {} were not, the longest: {}",
                tally.late,
                tally.batches,
                Millis(tally.longest),
            ),
        }
    }

    /// What the run did.
    pub(crate) fn summary(&self, counters: Vec<(String, u64)>) -> Summary {
        Summary { counters, ..self.summary.clone() }
    }
}

fn tell_delay(report: &BatchReport, ended: Timestamp) {
    let (delay, execution) = (ended.since(report.time), ended.since(report.began));
    tracing::info!(
        time = %report.time.utc(),
        rows = report.intake.rows,
        ahead_ms = report.intake.ahead.as_millis() as u64,
        said.batch = report.time.millis(),
        said.total_delay_ms = millis(delay),
        said.execution_ms = millis(execution),
        "Total delay: {:.3} s for time {} ms (execution: {:.3} s)",
        delay.as_secs_f64(),
        report.time.millis(),
        execution.as_secs_f64(),
    );
}

/// For programs.
fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1_000.0
}
