//! When batches are committed: beside the next one, or not.

use std::sync::{Arc, Mutex};

use tidemill_connect::system::Threads;
use tidemill_model::ports::Spawn;

/// What a thread is for.
pub type Work = Box<dyn FnOnce() + Send>;

/// Threads, but that each batch is committed before the next one begins: where it matters for a test what the run has taken of
/// that.
pub struct CommitsAtOnce;

/// Threads, but that each batch is committed when it is waited for, as late as may be: the next one has been run then. The work for
/// it is kept, as if it waited for a processor.
#[derive(Default)]
pub struct CommitsLate(Mutex<Vec<Work>>);

impl Spawn for CommitsAtOnce {
    fn spawn(&self, name: String, work: Work) {
        if name == "commit" { work() } else { Threads.spawn(name, work) }
    }
}

impl Spawn for CommitsLate {
    fn spawn(&self, name: String, work: Work) {
        if name == "commit" { self.0.lock().unwrap().push(work) } else { Threads.spawn(name, work) }
    }
}

/// One of them.
pub fn commits(late: bool) -> Arc<dyn Spawn> {
    if late { Arc::new(CommitsLate::default()) } else { Arc::new(CommitsAtOnce) }
}
