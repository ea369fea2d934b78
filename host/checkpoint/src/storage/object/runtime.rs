//! The one thread that talks to the store, for callers that wait.

use std::{future::Future, io, sync::Arc, sync::mpsc};

use tidemill_model::ports::Spawn;
use tokio::{runtime, sync::Notify};

/// A tokio runtime on a thread of its own; dropping it ends the thread and whatever runs there.
#[derive(Debug)]
pub(super) struct Runtime {
    handle: runtime::Handle,
    stop: Arc<Notify>,
}

/// What was started and may have ended.
#[derive(Debug)]
pub(super) struct Pending<T>(mpsc::Receiver<T>);

impl Runtime {
    /// Starts the thread.
    pub fn try_new(spawn: &dyn Spawn) -> io::Result<Runtime> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        spawn.spawn("store".to_owned(), Box::new(move || runtime.block_on(stopped.notified())));
        Ok(Runtime { handle, stop })
    }

    /// Begins something. It goes on if nobody waits for it.
    pub fn start<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Pending<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            // Who does not wait any more does not want to know.
            let _ = sender.send(work.await);
        });
        Pending(receiver)
    }
}

impl<T> Pending<T> {
    /// What came of it; nothing if the thread has ended.
    pub fn wait(self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop.notify_one();
    }
}
