//! Removes what no recovery needs, in the background: thousands of files may go after a snapshot.

use std::sync::{
    Arc,
    mpsc::{Receiver, TryRecvError, channel},
};

use tidemill_checkpoint::{CheckpointError, Removal, Removed};
use tidemill_model::ports::Spawn;

/// Has removals made, each on a thread of its own, one at a time.
pub(super) struct Cleaner {
    spawn: Arc<dyn Spawn>,
    running: Option<Receiver<Result<Removed, CheckpointError>>>,
}

impl Cleaner {
    pub(super) fn new(spawn: Arc<dyn Spawn>) -> Cleaner {
        Cleaner { spawn, running: None }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn begin(&mut self, removal: Removal) {
        let (done, result) = channel();
        let work = move || {
            // Nobody listens any more if the run has ended.
            let _ = done.send(removal.run());
        };
        self.spawn.spawn("snapshot".to_owned(), Box::new(work));
        self.running = Some(result);
    }

    /// What came of the one that was begun, once. Without a thread for it nothing is removed, until the next time.
    pub(super) fn poll(&mut self) -> Option<Result<Removed, CheckpointError>> {
        let result = match self.running.as_ref()?.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => None,
        };
        self.running = None;
        result
    }
}
