//! What a run says of its batches.

mod pace;

use std::{collections::BTreeMap, time::Duration};

use tidemill_model::{
    ports::Irregularity,
    time::{Interval, Timestamp},
};
use tidemill_plan::graph::{Caller, Plan};

use crate::{
    failure::RunError,
    operators::{Rejections, StreamRejections},
};
use pace::{Millis, News, Pace};

/// What is known of a batch when it is done.
pub(crate) struct BatchReport {
    pub(crate) time: Timestamp,
    /// When the tick was served.
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) rejections: Rejections,
    pub(crate) irregularities: Vec<(String, Irregularity)>,
    /// Why it was skipped, if it was.
    pub(crate) skipped: Option<RunError>,
    /// It is a past batch, run again for a look: how long that took says nothing.
    pub(crate) is_replayed: bool,
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
    rows: u64,
    /// Time spent on the open batch before its tick.
    ahead: Duration,
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
            rows: 0,
            ahead: Duration::ZERO,
            pace: Pace::new(plan.interval),
            full: false,
        }
    }

    pub(crate) fn batches(&self) -> u64 {
        self.summary.batches
    }

    /// Rows that a source gave for this batch.
    pub(crate) fn add_rows(&mut self, rows: u64) {
        self.rows += rows;
    }

    /// Time spent on this batch before its tick.
    pub(crate) fn add_ahead(&mut self, time: Duration) {
        self.ahead += time;
    }

    /// Nothing is taken from the sources until the tick, if the batch `is_full`.
    pub(crate) fn held_back(&mut self, is_full: bool, tick: Timestamp) {
        if is_full && !self.full {
            tracing::warn!(
                "batch {tick} is full: input waits for its end. Reduce rows before they are \
                 sorted or kept by key, or use a shorter interval",
            );
        }
        self.full |= is_full;
    }

    /// A batch is done.
    pub(crate) fn batch(&mut self, report: BatchReport) {
        let execution = report.ended.since(report.began);
        let (rows, ahead) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.ahead));
        if !report.is_replayed {
            tell_delay(&report, rows, ahead);
        }
        self.full = false;
        self.summary.batches += 1;
        self.summary.rows += rows;
        self.tell_pace(report.time, ahead + execution);
        if let Some(error) = &report.skipped {
            self.summary.skipped += 1;
            tracing::warn!(rows, "batch {} is skipped: {error}", report.time);
        }
        for rejected in &report.rejections.by_stream {
            self.summary.rejected += rejected.count;
            self.tell_rejected(rejected, report.time);
        }
        for (stream, found) in &report.irregularities {
            let sum = if found.is_rejected { &mut self.summary.rejected } else { &mut self.summary.irregular };
            *sum += found.count;
            tracing::warn!(%stream, "{} {} in batch {}", found.count, found.what, report.time);
        }
    }

    fn tell_rejected(&self, rejected: &StreamRejections, batch: Timestamp) {
        let StreamRejections { stream, count, first_reason } = rejected;
        match self.letters.get(stream) {
            Some(output) => tracing::warn!(
                %stream,
                "{count} rows rejected in batch {batch}, set aside in the output `{output}`; the first: {first_reason}"
            ),
            None => tracing::warn!(%stream, "{count} rows rejected in batch {batch}; the first: {first_reason}"),
        }
    }

    /// Says so when batches begin to take longer than the interval, and when they no longer do.
    fn tell_pace(&mut self, time: Timestamp, worked: Duration) {
        let interval = Millis(self.interval.duration());
        match self.pace.batch(time, worked) {
            None => {}
            Some(News::Behind(worked)) => tracing::warn!(
                "batches take longer than the interval of {interval}: {} for this one. Input is held back; use a longer \
                 interval, more workers or a faster plugin",
                Millis(worked),
            ),
            Some(News::StillBehind(tally)) => tracing::warn!(
                "{} of {} batches took longer than the interval of {interval} since this was first said; the longest: {}",
                tally.late,
                tally.batches,
                Millis(tally.longest),
            ),
            Some(News::OnTime(tally)) => tracing::info!(
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

fn tell_delay(report: &BatchReport, rows: u64, ahead: Duration) {
    tracing::info!(
        rows,
        ahead_ms = ahead.as_millis() as u64,
        "Total delay: {:.3} s for time {} ms (execution: {:.3} s)",
        report.ended.since(report.time).as_secs_f64(),
        report.time.millis(),
        report.ended.since(report.began).as_secs_f64(),
    );
}
