//! When a batch is due by a clock that people may set. Pure.
//!
//! Batches have ascending times, whatever the clock does. Set back, it delays no batch by more than an interval: they go on
//! at their pace, with times ahead of it. Set forward, or after a sleep of the machine, ticks that were missed are served
//! one by one, as those that are late; but not those of more than an hour: then the next batch is the next one by the clock,
//! and has what came meanwhile. Where late ticks are merged, one batch stands for all of them: that of the last one.

use std::time::Duration;

use tidemill_model::time::{Interval, Timestamp};
use tidemill_plan::graph::LateTicks;

/// Ticks that are later than this are left out.
const LATE_MAX: Duration = Duration::from_secs(3_600);

/// When the open batch is to end.
pub(super) struct Due {
    at: Timestamp,
    /// The time at the last look.
    seen: Timestamp,
}

impl Due {
    /// For the batch of `tick`.
    pub(super) fn new(interval: Interval, tick: Timestamp, now: Timestamp) -> Due {
        Due { at: tick.min(interval.next(now)), seen: now }
    }

    /// The time to wait for, by the clock as it was at the last look.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// Looks at the clock.
    pub(super) fn is_reached(&mut self, now: Timestamp) -> bool {
        if now < self.seen {
            let back = self.seen.0.saturating_sub(now.0);
            let back_ms = back / 1_000;
            tracing::warn!(
                said.back_ms = back_ms,
                "the clock was set back by {back_ms} ms: batches go on with times ahead of it"
            );
            self.at = Timestamp(self.at.0.saturating_sub(back));
        }
        self.seen = now;
        now >= self.at
    }
}

/// What becomes of late ticks, to be told when the batch begins that has their input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// So many are merged into the last of them.
    Merged(i64),
    /// They are left out.
    LeftOut,
}

impl Late {
    /// Says so of the batch of `tick`.
    pub(super) fn tell(&self, tick: Timestamp) {
        match self {
            Late::Merged(ticks) => tracing::info!("{ticks} ticks are late: the batch {tick} stands for all of them"),
            Late::LeftOut => tracing::warn!(
                said.batch = tick.millis(),
                "batches are late by more than an hour: those before {tick} are left out, and their input is in it"
            ),
        }
    }
}

/// The tick of the batch after that of `tick`, and what became of others.
pub(super) fn next_tick(
    late: LateTicks,
    interval: Interval,
    tick: Timestamp,
    now: Timestamp,
) -> (Timestamp, Option<Late>) {
    let next = interval.next(tick);
    if late == LateTicks::Merge {
        let last = Timestamp(interval.tick_after(now).0 - interval.micros());
        let merged = (last.0 - tick.0) / interval.micros();
        return if last > next { (last, Some(Late::Merged(merged))) } else { (next, None) };
    }
    if now.since(next) <= LATE_MAX {
        return (next, None);
    }
    (interval.tick_after(now), Some(Late::LeftOut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::said;

    const SECOND: i64 = 1_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * SECOND)
    }

    #[test]
    fn a_batch_waits_an_interval_at_most() {
        let interval = Interval::try_new(10 * SECOND).expect("an interval");
        let mut due = Due::new(interval, at(50), at(45));
        assert!(!due.is_reached(at(46)));
        assert_eq!(due.at(), at(50));
        // Four seconds are left, whatever the time is called.
        assert!(!due.is_reached(at(6)));
        assert_eq!(due.at(), at(10));
        assert!(!due.is_reached(at(9)) && due.is_reached(at(10)));
        let mut due = Due::new(interval, at(60), at(10));
        assert!(!due.is_reached(at(19)) && due.is_reached(at(20)));
        assert!(Due::new(interval, at(60), at(10)).is_reached(at(1_000_000)));
    }

    #[test]
    fn ticks_are_served_one_by_one_unless_they_are_very_late() {
        let interval = Interval::try_new(10 * SECOND).expect("an interval");
        let next = |tick, now| next_tick(LateTicks::Each, interval, at(tick), at(now)).0;
        assert_eq!((next(50, 51), next(50, 9), next(50, 3_660)), (at(60), at(60), at(60)));
        assert_eq!((next(50, 3_661), next(50, 2_000_000_005)), (at(3_670), at(2_000_000_010)));
    }

    #[test]
    fn late_ticks_are_merged_into_the_last_of_them() {
        let interval = Interval::try_new(10 * SECOND).expect("an interval");
        let next = |tick, now| next_tick(LateTicks::Merge, interval, at(tick), at(now)).0;
        // The next one is not there yet, or just, or alone, or the clock was set back.
        for now in [9, 51, 59, 60, 69] {
            assert_eq!(next(50, now), at(60), "{now}");
        }
        assert_eq!((next(50, 70), next(50, 79), next(50, 80)), (at(70), at(70), at(80)));
        assert_eq!(next(50, 2_000_000_005), at(2_000_000_000));
    }

    #[test]
    fn a_clock_that_is_set_and_ticks_that_are_late_are_told() {
        let interval = Interval::try_new(10 * SECOND).expect("an interval");
        let mut due = Due::new(interval, at(50), at(45));
        let lines = said(|| assert!(!due.is_reached(at(45)) && !due.is_reached(at(46))));
        assert_eq!(lines, [""; 0]);
        let lines = said(|| assert!(!due.is_reached(Timestamp(43 * SECOND + 500_000))));
        let expect = "WARN the clock was set back by 2500 ms: batches go on with times ahead of it said.back_ms=2500";
        assert_eq!(lines, [expect]);

        let next = |late, now| {
            let (tick, late) = next_tick(late, interval, at(50), at(now));
            said(|| late.iter().for_each(|late| late.tell(tick)))
        };
        assert_eq!((next(LateTicks::Each, 3_660), next(LateTicks::Merge, 69)), (vec![], vec![]));
        let expect = format!(
            "WARN batches are late by more than an hour: those before {} are left out, and their input is in it said.batch=3670000",
            at(3_670)
        );
        assert_eq!(next(LateTicks::Each, 3_661), [expect]);
        for (now, merged, last) in [(70, 2, 70), (79, 2, 70), (99, 4, 90)] {
            let expect = format!("INFO {merged} ticks are late: the batch {} stands for all of them", at(last));
            assert_eq!(next(LateTicks::Merge, now), [expect]);
        }
    }
}
