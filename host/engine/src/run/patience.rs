//! Calls of the world that fail and may pass: made again, less and less often, until the run is told to stop.

use std::time::Duration;

use tidemill_model::ports::{PortError, PortErrorKind};

use crate::stop::Stopper;

/// How long to wait before a call is made again: the first time, and at most.
const DELAY: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(10);

/// Makes the call until it does anything but fail in passing, or the run is told to stop.
pub(super) fn call_again<T>(stopper: &Stopper, mut call: impl FnMut() -> Result<T, PortError>) -> Result<T, PortError> {
    let mut delay = DELAY;
    loop {
        match call() {
            Err(error) if error.kind == PortErrorKind::Passing && !stopper.is_stopped() => {
                let retry_ms = delay.as_millis() as u64;
                tracing::warn!(said.retry_ms = retry_ms, "{error}; trying again in {retry_ms} ms");
                stopper.wait(delay);
                delay = (delay * 2).min(DELAY_MAX);
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use std::sync::{Arc, Mutex};

    use tidemill_model::{
        ports::{Clock, Wake},
        time::Timestamp,
    };

    use super::*;
    use crate::testing::said;

    /// Goes on to whatever is waited for, and notes how long that was.
    #[derive(Default)]
    struct Noting(Mutex<(i64, Vec<i64>)>);

    impl Clock for Noting {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.lock().unwrap().0)
        }

        fn wait(&self, deadline: Timestamp, _: &Wake) {
            let mut noted = self.0.lock().unwrap();
            let millis = (deadline.0 - noted.0) / 1_000;
            noted.0 = deadline.0;
            noted.1.push(millis);
        }
    }

    /// How often a call is made that fails so often, and how long is waited in between.
    fn calls(fails: usize, kind: PortErrorKind) -> (usize, bool, Vec<i64>, Vec<String>) {
        let clock = Arc::new(Noting::default());
        let stopper = Stopper::new(Wake::default(), clock.clone(), Duration::ZERO);
        let (mut calls, mut is_well) = (0, false);
        let lines = said(|| {
            let called = call_again(&stopper, || {
                calls += 1;
                let error = || PortError { kind, ..PortError::configuration("in use") };
                if calls > fails { Ok(()) } else { Err(error()) }
            });
            is_well = called.is_ok();
        });
        let waits = clock.0.lock().unwrap().1.clone();
        (calls, is_well, waits, lines)
    }

    #[test]
    fn what_may_pass_is_tried_again_less_and_less_often() {
        let waits = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000];
        for fails in [0, 1, 9] {
            let (calls, is_well, waited, lines) = calls(fails, PortErrorKind::Passing);
            let told = |ms: &i64| format!("WARN in use; trying again in {ms} ms said.retry_ms={ms}");
            assert_eq!((calls, is_well, &waited[..]), (fails + 1, true, &waits[..fails]));
            assert_eq!(lines, waits[..fails].iter().map(told).collect::<Vec<_>>());
        }
        for kind in [PortErrorKind::Configuration, PortErrorKind::Environment] {
            assert_eq!(calls(1, kind), (1, false, vec![], vec![]));
        }
    }
}
