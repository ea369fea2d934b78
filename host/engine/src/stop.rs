//! How a run is told to stop.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tidemill_model::ports::Wake;

/// Stops a run when what was received until then has been run: with the batch that is open, or, if ticks are late, those
/// that are.
#[derive(Clone, Debug)]
pub struct Stopper {
    stopped: Arc<AtomicBool>,
    wake: Wake,
}

impl Stopper {
    pub(crate) fn new(wake: Wake) -> Stopper {
        Stopper { stopped: Arc::default(), wake }
    }

    /// Tells the run to stop.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.wake.notify();
    }

    /// Whether the run was told to stop.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}
