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
    /// As milliseconds, the way batches are named in files and on the command line, with what that is in a calendar: so times
    /// are said in logs and errors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms ({})", self.millis(), self.utc())
    }
}

/// A time after RFC 3339, in UTC, with the fraction of a second if there is one; beyond its years 0 to 9999 the microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc(Timestamp);

impl Timestamp {
    /// In a calendar.
    pub fn utc(self) -> Utc {
        Utc(self)
    }

    /// The time that this says after RFC 3339, `2026-11-30T12:00:00Z` or `2026-11-30T13:00:00.5+01:00`, rounded down to
    /// microseconds; `None` if it says none.
    pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
        let (date, rest) = text.split_at_checked(10)?;
        let (clock, rest) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
        let (fraction, zone) = match rest.strip_prefix('.') {
            None => (0, rest),
            Some(rest) => {
                let end = rest.find(|c: char| !c.is_ascii_digit()).filter(|&end| end > 0)?;
                let micros: String = rest[..end].chars().chain("000000".chars()).take(6).collect();
                (micros.parse().ok()?, &rest[end..])
            }
        };
        let ahead = match (zone, zone.split_at_checked(1)) {
            ("Z" | "z", _) => 0,
            (_, Some((sign @ ("+" | "-"), offset))) => {
                let [hours, minutes] =
                    numbers(offset, ':', [2, 2]).filter(|[hours, minutes]| *hours < 24 && *minutes < 60)?;
                (hours * 60 + minutes) * if sign == "-" { -60 } else { 60 }
            }
            _ => return None,
        };
        let is_good = (1..=12).contains(&month) && day >= 1 && hour < 24 && minute < 60 && second < 60;
        let days = days_since_1970(year, month, day);
        if !is_good || civil(days) != (year, month, day) {
            return None;
        }
        let seconds = days * DAY_SECONDS + hour * 3_600 + minute * 60 + second - ahead;
        Some(Timestamp(seconds * 1_000_000 + fraction))
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Utc(Timestamp(micros)) = *self;
        let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        let (year, month, day) = civil(seconds.div_euclid(DAY_SECONDS));
        if !(0..=9_999).contains(&year) {
            return write!(f, "{micros} \u{b5}s");
        }
        let second = seconds.rem_euclid(DAY_SECONDS);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if fraction > 0 {
            write!(f, ".{}", format!("{fraction:06}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

const DAY_SECONDS: i64 = 86_400;

/// Numbers of so many digits each, with `between` between them.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(between);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// The date of a day, by the Gregorian calendar. Years begin in March here, so that a leap day is a year's last one.
fn civil(days_since_1970: i64) -> (i64, i64, i64) {
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// The day of a date that there is.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
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

    /// Whether this is a tick.
    pub fn is_tick(self, at: Timestamp) -> bool {
        at.0.rem_euclid(self.0) == 0
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
        let ticks = [-2_000_000, -1, 0, 1, 1_999_999, 2_000_000, 3_000_000].map(|at| two.is_tick(Timestamp(at)));
        assert_eq!(ticks, [true, false, true, false, false, true, false]);
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
    fn times_are_shown_in_milliseconds_rounded_down_and_with_their_date() {
        assert_eq!(Timestamp(1_999).to_string(), "1 ms (1970-01-01T00:00:00.001999Z)");
        assert_eq!(Timestamp(-1).to_string(), "-1 ms (1969-12-31T23:59:59.999999Z)");
    }

    #[test]
    fn dates_are_written_and_read() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_458_757_157_000_000, "2016-03-23T18:19:17Z"),
            (1_458_757_157_500_000, "2016-03-23T18:19:17.5Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (951_868_799_999_999, "2000-02-29T23:59:59.999999Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Timestamp(micros).utc().to_string(), text);
            assert_eq!(Timestamp::parse_rfc3339(text), Some(Timestamp(micros)));
        }
        // One day follows the other over the leap years.
        let mut before = civil(-800_000);
        for day in -799_999..800_000 {
            let date = civil(day);
            assert!(date > before && days_since_1970(date.0, date.1, date.2) == day, "{date:?}");
            before = date;
        }
        assert_eq!(Timestamp(i64::MAX).utc().to_string(), format!("{} \u{b5}s", i64::MAX));
        assert_eq!(Timestamp(i64::MIN).utc().to_string(), format!("{} \u{b5}s", i64::MIN));
    }

    #[test]
    fn dates_have_zones_and_what_is_none_is_not_read() {
        let read = |text: &str| Timestamp::parse_rfc3339(text).map(|time| time.utc().to_string());
        assert_eq!(read("2026-11-30T13:00:00+01:00").as_deref(), Some("2026-11-30T12:00:00Z"));
        assert_eq!(read("2026-11-30T00:30:00-11:45").as_deref(), Some("2026-11-30T12:15:00Z"));
        assert_eq!(read("2026-11-30 12:00:00.1234567z").as_deref(), Some("2026-11-30T12:00:00.123456Z"));
        for none in [
            "",
            "2026-11-30",
            "2026-11-30T12:00:00",
            "2026-11-31T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-00-01T12:00:00Z",
            "2026-11-00T12:00:00Z",
            "2026-11-30T24:00:00Z",
            "2026-11-30T12:60:00Z",
            "2026-11-30T12:00:60Z",
            "2026-11-30T12:00:00.Z",
            "2026-11-30T12:00:00.5",
            "2026-11-30T12:00:00+24:00",
            "2026-11-30T12:00:00+0100",
            "2026-11-30T12:00:00ZZ",
            "2026-11-3\u{e4}T12:00:00Z",
            "+026-11-30T12:00:00Z",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn time_that_went_back_is_no_time() {
        assert_eq!(Timestamp(5).since(Timestamp(2)), Duration::from_micros(3));
        assert_eq!(Timestamp(2).since(Timestamp(5)), Duration::ZERO);
        assert_eq!(Timestamp(i64::MAX).since(Timestamp(i64::MIN)), Duration::from_micros(i64::MAX.unsigned_abs()));
    }
}
