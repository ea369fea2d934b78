//! The system's clock and threads, and a clock that is moved by being waited for.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use jiff::tz::TimeZone;
use tidemill_model::{
    connector::UtcOffset,
    ports::{Clock, Spawn, Wake},
    time::Timestamp,
};

use crate::{lock, print::offset_at};

/// The longest that [`SystemClock`] sleeps without a look at the time: so soon it notices that the time was set.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The system's time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A clock for tests and bounded runs: nobody waits, the time jumps to whatever is waited for.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Timestamp>,
}

/// The system's threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

/// The clocks of a time zone.
pub fn utc_offset(time_zone: TimeZone) -> UtcOffset {
    Arc::new(move |time| offset_at(&time_zone, time.0))
}

// === impl SystemClock ===

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the port's system implementation")]
    fn now(&self) -> Timestamp {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
        };
        Timestamp(micros)
    }

    fn wait(&self, deadline: Timestamp, wake: &Wake) {
        let mut seen = self.now();
        loop {
            let left = deadline.since(seen);
            if wake.wait(Some(left.min(LOOK_AGAIN))) || left.is_zero() {
                return;
            }
            let before = std::mem::replace(&mut seen, self.now());
            // Set back: whoever waits has to think anew.
            if seen < before {
                return;
            }
        }
    }

    #[allow(clippy::disallowed_methods, reason = "this is the port's system implementation")]
    fn steady(&self) -> Option<Duration> {
        static BEGIN: OnceLock<Instant> = OnceLock::new();
        Some(BEGIN.get_or_init(Instant::now).elapsed())
    }
}

// === impl ManualClock ===

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn new(now: Timestamp) -> ManualClock {
        ManualClock { now: Mutex::new(now) }
    }

    /// Moves it on to `time`; it never goes back.
    pub fn advance_to(&self, time: Timestamp) {
        let mut now = lock(&self.now);
        *now = time.max(*now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *lock(&self.now)
    }

    fn jumps(&self) -> bool {
        true
    }

    /// Returns at once: where it was when `wake` was rung, else at `deadline`.
    fn wait(&self, deadline: Timestamp, wake: &Wake) {
        if !wake.wait(Some(Duration::ZERO)) {
            self.advance_to(deadline);
        }
    }
}

// === impl Threads ===

impl Spawn for Threads {
    #[allow(clippy::disallowed_methods, reason = "this is the port's system implementation")]
    fn spawn(&self, name: String, work: Box<dyn FnOnce() + Send>) {
        if let Err(error) = std::thread::Builder::new().name(name.clone()).spawn(work) {
            tracing::error!(thread = %name, %error, "the system gives no thread: raise its limit of threads");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_jumps_unless_it_is_woken() {
        let clock = ManualClock::new(Timestamp(5));
        let wake = Wake::default();
        clock.wait(Timestamp(10), &wake);
        assert_eq!(clock.now(), Timestamp(10));
        wake.notify();
        clock.wait(Timestamp(20), &wake);
        assert_eq!(clock.now(), Timestamp(10));
        clock.wait(Timestamp(7), &wake);
        assert_eq!(clock.now(), Timestamp(10));
    }

    #[test]
    fn the_system_clock_waits_and_is_woken() {
        let wake = Wake::default();
        let deadline = Timestamp(SystemClock.now().0 + 2_000);
        SystemClock.wait(deadline, &wake);
        assert!(SystemClock.now() >= deadline);
        wake.notify();
        let far = Timestamp(deadline.0 + 3_600_000_000);
        SystemClock.wait(far, &wake);
        assert!(SystemClock.now() < far);
    }
}
