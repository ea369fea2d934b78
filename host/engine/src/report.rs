//! What a run says of its batches.

mod pace;

use std::time::Duration;

use tidemill_model::{
    ports::Irregularity,
    time::{Interval, Timestamp},
};

use crate::{failure::RunError, operators::Rejections};
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
    rows: u64,
    /// Time spent on the open batch before its tick.
    ahead: Duration,
    pace: Pace,
    /// Whether it was said of the open batch that it is full.
    full: bool,
}

impl Reporter {
    pub(crate) fn new(interval: Interval) -> Reporter {
        let (summary, pace) = (Summary::default(), Pace::new(interval));
        Reporter { interval, summary, rows: 0, ahead: Duration::ZERO, pace, full: false }
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
        let total = report.ended.since(report.time);
        let execution = report.ended.since(report.began);
        let (rows, ahead) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.ahead));
        tracing::info!(
            rows,
            ahead_ms = ahead.as_millis() as u64,
            "Total delay: {:.3} s for time {} ms (execution: {:.3} s)",
            total.as_secs_f64(),
            report.time.millis(),
            execution.as_secs_f64(),
        );
        self.full = false;
        self.summary.batches += 1;
        self.summary.rows += rows;
        self.tell_pace(report.time, ahead + execution);
        if let Some(error) = &report.skipped {
            self.summary.skipped += 1;
            tracing::warn!(rows, "batch {} is skipped: {error}", report.time);
        }
        for stream in &report.rejections.by_stream {
            self.summary.rejected += stream.count;
            tracing::warn!(
                stream = %stream.stream,
                "{} rows rejected in batch {}; the first: {}",
                stream.count,
                report.time,
                stream.first_reason
            );
        }
        for (stream, found) in &report.irregularities {
            let sum = if found.is_rejected { &mut self.summary.rejected } else { &mut self.summary.irregular };
            *sum += found.count;
            tracing::warn!(%stream, "{} {} in batch {}", found.count, found.what, report.time);
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
