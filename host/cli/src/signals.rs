//! Ctrl-C, and SIGTERM: the first one stops after the running batch, the second one at once.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tidemill_connect::system::Threads;
use tidemill_engine::Stopper;
use tidemill_model::ports::Spawn;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a run that was not allowed to finish its batch.
const INTERRUPTED: i32 = 1;

/// Signals from [`Signals::watch`] on.
pub struct Signals {
    /// What they stop, once it is there.
    stopper: Arc<Mutex<Option<Stopper>>>,
}

impl Signals {
    /// From here on a signal ends the process in good order. Call it before anything is said or opened: who has seen that
    /// something runs may send one.
    pub fn watch() -> io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut interrupt, mut terminate) = {
            let _entered = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let signals = Signals { stopper: Arc::default() };
        let stopper = Arc::clone(&signals.stopper);
        let watch = move || {
            runtime.block_on(async {
                any(&mut interrupt, &mut terminate).await;
                stop(&stopper);
                any(&mut interrupt, &mut terminate).await;
            });
            tracing::warn!("stopped at once; the running batch was not finished");
            exit(INTERRUPTED);
        };
        Threads.spawn("signals".to_owned(), Box::new(watch));
        Ok(signals)
    }

    /// From here on they stop the run of `stopper`.
    pub fn stop(&self, stopper: Stopper) {
        *self.stopper.lock().unwrap_or_else(PoisonError::into_inner) = Some(stopper);
    }
}

/// Tells the run to stop. As long as there is none, it may be a store that does not answer which holds it up: the process ends,
/// as it may at any instant, and no batch was begun.
fn stop(stopper: &Mutex<Option<Stopper>>) {
    match &*stopper.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(stopper) => {
            tracing::info!("stopping after the running batch; once more stops at once");
            stopper.stop();
        }
        None => {
            tracing::info!("stopped before the first batch");
            exit(0);
        }
    }
}

fn exit(code: i32) -> ! {
    #[allow(clippy::disallowed_methods, reason = "there is no run yet, or it was told to end and is not waited for")]
    std::process::exit(code);
}

async fn any(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
