//! Whether batches keep up with the interval, and when to say so. Short intervals make single late batches common, so not
//! every change is told.

use std::{fmt, time::Duration};

use tidemill_model::time::{Interval, Timestamp};

/// Batches on time, one after the other, before it is said that they are again.
const CALM_BATCHES: u64 = 10;

/// And the time that these have to span.
const CALM_TIME: Duration = Duration::from_secs(1);

/// How often it is said meanwhile that batches are late.
const REMINDER_TIME: Duration = Duration::from_secs(60);

/// What is known of the pace of batches. Time is that of the batches alone.
pub(super) struct Pace {
    interval: Interval,
    late: Option<Late>,
}

/// Since batches began to be late.
struct Late {
    tally: Tally,
    told_at: Timestamp,
    /// Batches on time since the last one that was not.
    calm_batches: u64,
    last_late: Timestamp,
}

/// How many were late of how many, and the longest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) late: u64,
    pub(super) batches: u64,
    pub(super) longest: Duration,
}

/// What there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// This batch took longer than the interval, and those before did not.
    Behind(Duration),
    /// It has been so for some time.
    StillBehind(Tally),
    /// It is over.
    OnTime(Tally),
}

impl Pace {
    pub(super) fn new(interval: Interval) -> Pace {
        Pace { interval, late: None }
    }

    /// A batch took so long.
    pub(super) fn batch(&mut self, time: Timestamp, worked: Duration) -> Option<News> {
        let is_late = worked > self.interval.duration();
        let Some(late) = &mut self.late else {
            let tally = Tally { late: 1, batches: 1, longest: worked };
            self.late = is_late.then_some(Late { tally, told_at: time, calm_batches: 0, last_late: time });
            return is_late.then_some(News::Behind(worked));
        };
        late.tally.batches += 1;
        if is_late {
            late.tally.late += 1;
            late.tally.longest = late.tally.longest.max(worked);
            (late.calm_batches, late.last_late) = (0, time);
        } else {
            late.calm_batches += 1;
        }
        if late.calm_batches >= CALM_BATCHES && time.since(late.last_late) >= CALM_TIME {
            let tally = late.tally;
            self.late = None;
            return Some(News::OnTime(tally));
        }
        if time.since(late.told_at) < REMINDER_TIME {
            return None;
        }
        late.told_at = time;
        Some(News::StillBehind(late.tally))
    }
}

/// Milliseconds, with a digit after the point where there are few; rounded up, so that what is longer looks longer.
pub(super) struct Millis(pub(super) Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        if micros >= 10_000 || micros.is_multiple_of(1_000) {
            return write!(f, "{} ms", micros.div_ceil(1_000));
        }
        let tenths = micros.div_ceil(100);
        write!(f, "{}.{} ms", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says for batches of so many microseconds each, 5 ms apart, what there is to say, with the batch's number.
    fn news(worked: impl IntoIterator<Item = u64>) -> Vec<(usize, News)> {
        let mut pace = Pace::new(Interval::try_new(5_000).expect("an interval"));
        let batches = (0..).zip(worked);
        let told = batches.filter_map(|(number, micros)| {
            let news = pace.batch(Timestamp(number * 5_000), Duration::from_micros(micros))?;
            Some((number as usize, news))
        });
        told.collect()
    }

    fn tally(late: u64, batches: u64, longest: u64) -> Tally {
        Tally { late, batches, longest: Duration::from_micros(longest) }
    }

    #[test]
    fn batches_that_are_late_now_and_then_are_told_of_once() {
        let flicker = (0..200).map(|number| if number % 2 == 0 { 5_001 } else { 4_999 });
        let calm = std::iter::repeat_n(100, 300);
        assert_eq!(news([5_000, 1, 0]), []);
        let expect = [
            (0, News::Behind(Duration::from_micros(5_001))),
            // The last late one is number 198; a second later is number 398.
            (398, News::OnTime(tally(100, 399, 5_001))),
        ];
        assert_eq!(news(flicker.chain(calm)), expect);
    }

    #[test]
    fn that_it_lasts_is_said_once_a_minute() {
        let told = news(std::iter::repeat_n(7_000, 25_000));
        let numbers: Vec<usize> = told.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [0, 12_000, 24_000]);
        assert_eq!(told[1].1, News::StillBehind(tally(12_001, 12_001, 7_000)));
    }

    #[test]
    fn few_batches_are_not_calm_however_long_they_are_apart() {
        let mut pace = Pace::new(Interval::try_new(5_000_000).expect("an interval"));
        let told = (0..30).filter(|number| {
            let worked = Duration::from_secs(if *number == 0 { 6 } else { 1 });
            pace.batch(Timestamp(number * 5_000_000), worked).is_some()
        });
        assert_eq!(told.collect::<Vec<_>>(), [0, 10]);
    }

    #[test]
    fn short_times_have_a_digit_after_the_point() {
        for (micros, expect) in [
            (0, "0 ms"),
            (1, "0.1 ms"),
            (5_000, "5 ms"),
            (5_001, "5.1 ms"),
            (9_999, "10.0 ms"),
            (10_001, "11 ms"),
            (1_234_567, "1235 ms"),
        ] {
            assert_eq!(Millis(Duration::from_micros(micros)).to_string(), expect);
        }
    }
}
