//! Ctrl-C, and SIGTERM: the first one stops after the running batch, the second one at once.

use std::io;

use tidemill_connect::system::Threads;
use tidemill_engine::Stopper;
use tidemill_model::ports::Spawn;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a run that was not allowed to finish its batch.
const INTERRUPTED: i32 = 1;

/// From here on signals stop the run of `stopper`.
pub fn stop_on_signals(stopper: Stopper) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let watch = move || {
        runtime.block_on(async {
            any(&mut interrupt, &mut terminate).await;
            tracing::info!("stopping after the running batch; once more stops at once");
            stopper.stop();
            any(&mut interrupt, &mut terminate).await;
        });
        tracing::warn!("stopped at once; the running batch was not finished");
        #[allow(clippy::disallowed_methods, reason = "the run cannot be asked any more, and was told to end")]
        std::process::exit(INTERRUPTED);
    };
    Threads.spawn("signals".to_owned(), Box::new(watch));
    Ok(())
}

async fn any(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
