//! A bell that one thread waits for and any may ring.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Rung by receivers when rows have come, heard by the batch loop. A ring that nobody waits for is kept for the next
/// wait.
#[derive(Clone, Debug, Default)]
pub struct Wake {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

impl Wake {
    /// Rings.
    pub fn notify(&self) {
        *self.rung() = true;
        self.shared.1.notify_all();
    }

    /// Waits for a ring, at most `timeout` (`None`: for ever). Says whether there was one, and forgets it.
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        let mut rung = self.rung();
        match timeout {
            Some(timeout) => {
                (rung, _) = self
                    .shared
                    .1
                    .wait_timeout_while(rung, timeout, |rung| !*rung)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            None => {
                rung = self.shared.1.wait_while(rung, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
            }
        }
        std::mem::take(&mut rung)
    }

    /// A flag stays usable when a thread that held it has panicked.
    fn rung(&self) -> MutexGuard<'_, bool> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Work, begin};

    /// A wait that takes as long as it takes.
    fn waiting(wake: &Wake) -> Work<bool> {
        let wake = wake.clone();
        begin("it rings", move || wake.wait(None))
    }

    #[test]
    fn a_ring_is_kept_for_the_next_wait_and_then_forgotten() {
        let wake = Wake::default();
        assert!(!wake.wait(Some(Duration::ZERO)));
        wake.notify();
        wake.notify();
        assert!(waiting(&wake).end());
        assert!(!wake.wait(Some(Duration::ZERO)));
    }

    #[test]
    fn a_ring_from_another_thread_ends_a_wait() {
        let wake = Wake::default();
        let waiting = waiting(&wake);
        wake.notify();
        assert!(waiting.end());
    }
}
