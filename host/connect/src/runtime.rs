//! The one thread on which everything is received.

use std::{io, sync::Arc};

use tidemill_model::{
    connector::World,
    ports::{PortError, Spawn},
};
use tokio::{runtime, sync::Notify};

/// A tokio runtime on a thread of its own; dropping it ends the thread and whatever runs there.
#[derive(Debug)]
pub(crate) struct Runtime {
    handle: runtime::Handle,
    stop: Arc<Notify>,
}

impl Runtime {
    /// That of a run, which begins with the first source that asks.
    pub fn of(world: &World) -> Result<Arc<Runtime>, PortError> {
        world.shared.get(|| {
            Runtime::try_new(world.spawn.as_ref())
                .map_err(|error| PortError::environment("nothing can be received on this system", error))
        })
    }

    /// Starts the thread.
    pub fn try_new(spawn: &dyn Spawn) -> io::Result<Runtime> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        spawn.spawn("receive".to_owned(), Box::new(move || runtime.block_on(stopped.notified())));
        Ok(Runtime { handle, stop })
    }

    /// To start tasks with.
    pub fn handle(&self) -> &runtime::Handle {
        &self.handle
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop.notify_one();
    }
}
