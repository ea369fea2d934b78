//! Calls of the world that fail and may pass: made again, less and less often, until the run is told to stop.

use tidemill_model::{
    ports::{Clock, PortError, PortErrorKind, Wake},
    time::Timestamp,
};

use crate::stop::Stopper;

/// How long to wait before a call is made again: the first time, and at most.
const DELAY_MICROS: i64 = 100_000;
const DELAY_MICROS_MAX: i64 = 10_000_000;

/// Who waits, and until when.
pub(super) struct Patience<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) wake: &'a Wake,
    pub(super) stopper: &'a Stopper,
}

impl Patience<'_> {
    /// Makes the call until it does anything but fail in passing, or the run is told to stop.
    pub(super) fn call<T>(&self, mut call: impl FnMut() -> Result<T, PortError>) -> Result<T, PortError> {
        let mut delay = DELAY_MICROS;
        loop {
            match call() {
                Err(error) if error.kind == PortErrorKind::Passing && !self.stopper.is_stopped() => {
                    tracing::warn!(said.retry_ms = delay / 1_000, "{error}; trying again in {} ms", delay / 1_000);
                    self.wait(Timestamp(self.clock.now().0.saturating_add(delay)));
                    delay = (delay * 2).min(DELAY_MICROS_MAX);
                }
                done => return done,
            }
        }
    }

    /// Sources that have begun may ring meanwhile.
    fn wait(&self, until: Timestamp) {
        while self.clock.now() < until && !self.stopper.is_stopped() {
            self.clock.wait(until, self.wake);
        }
    }
}
