//! How a run is told to stop, and how long it may take for that.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tidemill_model::{
    ports::{Clock, Wake},
    time::Timestamp,
};

/// Stops a run after the batch that is running, or, if that does not end in time, without it.
#[derive(Clone)]
pub struct Stopper {
    shared: Arc<Shared>,
}

struct Shared {
    is_stopped: AtomicBool,
    /// Rung for the batch loop.
    wake: Wake,
    /// Rung for others that wait meanwhile, by the number of the wait.
    waiting: Mutex<Waiting>,
    clock: Arc<dyn Clock>,
    within: Duration,
    /// When the run noticed that it is to stop.
    since: OnceLock<Duration>,
}

#[derive(Default)]
struct Waiting {
    begun: u64,
    wakes: Vec<(u64, Wake)>,
}

impl Stopper {
    /// `wake` is that of the batch loop. A run that was told to stop may take so long to end the batch: `within`.
    pub(crate) fn new(wake: Wake, clock: Arc<dyn Clock>, within: Duration) -> Stopper {
        let (is_stopped, waiting, since) = (AtomicBool::new(false), Mutex::default(), OnceLock::new());
        Stopper { shared: Arc::new(Shared { is_stopped, wake, waiting, clock, within, since }) }
    }

    /// Tells the run to stop.
    pub fn stop(&self) {
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        self.shared.wake.notify();
        self.shared.waiting().wakes.iter().for_each(|(_, wake)| wake.notify());
    }

    /// Whether the run was told to stop.
    pub fn is_stopped(&self) -> bool {
        self.shared.is_stopped.load(Ordering::SeqCst)
    }

    /// How long the running batch may take when the run was told to stop.
    pub fn within(&self) -> Duration {
        self.shared.within
    }

    /// Whether the run was told to stop so long ago that the batch is not to go on. Time counts from when this is asked first
    /// behind the stop: whoever stops may be anywhere, and is not to wait for a clock.
    pub(crate) fn is_out_of_time(&self) -> bool {
        if !self.is_stopped() {
            return false;
        }
        let now = self.shared.clock.measured();
        now.saturating_sub(*self.shared.since.get_or_init(|| now)) >= self.shared.within
    }

    /// Waits so long, or until the run is told to stop. Once only: a clock that is set back ends a wait early, and must not make
    /// it longer.
    pub(crate) fn wait(&self, delay: Duration) {
        let wake = Wake::default();
        let number = {
            let mut waiting = self.shared.waiting();
            waiting.begun += 1;
            let number = waiting.begun;
            waiting.wakes.push((number, wake.clone()));
            number
        };
        // Behind that, so that a stop from now on rings.
        if !self.is_stopped() {
            let deadline = self.shared.clock.now().0.saturating_add(delay.as_micros() as i64);
            self.shared.clock.wait(Timestamp(deadline), &wake);
        }
        self.shared.waiting().wakes.retain(|(other, _)| *other != number);
    }
}

impl Shared {
    /// Each change is one push or one removal.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").field("is_stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tidemill_connect::system::SystemClock;
    use tidemill_model::testing::{begin, until};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn stopper() -> Stopper {
        Stopper::new(Wake::default(), Arc::new(SystemClock), HOUR)
    }

    #[test]
    fn a_stop_ends_all_waits_and_those_that_begin_behind_it() {
        let stopper = stopper();
        let waits = [(); 3].map(|()| {
            let stopper = stopper.clone();
            begin("it waits", move || stopper.wait(HOUR))
        });
        let are_all = |pause| {
            let waiting = stopper.shared.waiting().wakes.len();
            (waiting == waits.len()).then_some(()).or_else(|| {
                Wake::default().wait(Some(pause));
                None
            })
        };
        until("all wait", are_all);
        stopper.stop();
        waits.into_iter().for_each(|wait| wait.end());
        let again = stopper.clone();
        begin("it waits no more", move || again.wait(HOUR)).end();
        assert!(stopper.shared.waiting().wakes.is_empty());
        assert!(stopper.is_stopped() && !stopper.is_out_of_time(), "there is an hour left");
    }

    #[test]
    fn a_wait_ends_by_itself_and_a_run_that_was_not_told_to_stop_has_time() {
        let stopper = Stopper::new(Wake::default(), Arc::new(SystemClock), Duration::ZERO);
        stopper.wait(Duration::from_millis(1));
        assert!(!stopper.is_stopped() && !stopper.is_out_of_time());
        stopper.stop();
        assert!(stopper.is_out_of_time());
    }
}
