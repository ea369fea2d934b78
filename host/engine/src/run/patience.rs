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
