//! Times and intervals in microseconds, and when a clock ticks.

use std::{fmt, time::Duration};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// The time between two batches: more than zero, at most 366 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(i64);

/// An interval of no time, or of years.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an interval is at least 1ms and at most 366 days")]
pub struct InvalidInterval;

impl Timestamp {
    /// Whole milliseconds, rounded down.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time from `earlier` to this one; zero if it is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    /// As milliseconds, the way batches are named in logs and files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.millis())
    }
}

impl Interval {
    /// An interval of `micros` microseconds.
    pub fn try_new(micros: i64) -> Result<Interval, InvalidInterval> {
        if (1_000..=366 * 86_400 * 1_000_000).contains(&micros) { Ok(Interval(micros)) } else { Err(InvalidInterval) }
    }

    /// In microseconds.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_micros(self.0.unsigned_abs())
    }

    /// The first tick after `now`: batches stand at multiples of the interval since the epoch.
    pub fn tick_after(self, now: Timestamp) -> Timestamp {
        Timestamp((now.0.div_euclid(self.0) + 1) * self.0)
    }

    /// The tick after the tick at `tick`. Ticks that are late are all served, one by one.
    pub fn next(self, tick: Timestamp) -> Timestamp {
        Timestamp(tick.0 + self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_stand_at_multiples_since_the_epoch() {
        let two = Interval::try_new(2_000_000).expect("an interval");
        assert_eq!(two.tick_after(Timestamp(0)), Timestamp(2_000_000));
        assert_eq!(two.tick_after(Timestamp(1_999_999)), Timestamp(2_000_000));
        assert_eq!(two.tick_after(Timestamp(2_000_000)), Timestamp(4_000_000));
        assert_eq!(two.tick_after(Timestamp(-1)), Timestamp(0));
        assert_eq!(two.next(Timestamp(4_000_000)), Timestamp(6_000_000));
    }

    #[test]
    fn intervals_have_bounds() {
        let max = 366 * 86_400 * 1_000_000;
        for (micros, expect) in
            [(i64::MIN, false), (0, false), (999, false), (1_000, true), (max, true), (max + 1, false)]
        {
            assert_eq!(
                Interval::try_new(micros).map(Interval::micros),
                expect.then_some(micros).ok_or(InvalidInterval)
            );
        }
        assert_eq!(Interval::try_new(1_500).expect("an interval").duration(), Duration::from_micros(1_500));
    }

    #[test]
    fn times_are_shown_in_milliseconds_rounded_down() {
        assert_eq!(Timestamp(1_999).to_string(), "1 ms");
        assert_eq!(Timestamp(-1).to_string(), "-1 ms");
    }

    #[test]
    fn time_that_went_back_is_no_time() {
        assert_eq!(Timestamp(5).since(Timestamp(2)), Duration::from_micros(3));
        assert_eq!(Timestamp(2).since(Timestamp(5)), Duration::ZERO);
        assert_eq!(Timestamp(i64::MAX).since(Timestamp(i64::MIN)), Duration::from_micros(i64::MAX.unsigned_abs()));
    }
}
