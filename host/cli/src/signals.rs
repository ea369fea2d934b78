//! Ctrl-C, SIGTERM, and SIGHUP: the first one stops after the running batch, the second one at once, and so does time.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tidemill_connect::system::Threads;
use tidemill_engine::Stopper;
use tidemill_model::ports::Spawn;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};
use tracing::Span;

/// The exit code of a run that was not allowed to finish its batch.
const INTERRUPTED: i32 = 1;

/// How long a run may take to end behind its own time for that, before the process ends: it can do so at any instant.
const GRACE: Duration = Duration::from_secs(10);

/// Signals from [`Signals::watch`] on.
pub struct Signals {
    /// What they stop, once it is there.
    run: Arc<Mutex<Option<Stopped>>>,
}

/// A run that can be stopped, and what it is called in the log.
#[derive(Clone)]
struct Stopped {
    stopper: Stopper,
    span: Span,
}

/// The signals that a process is told to end by.
struct Kinds {
    interrupt: Signal,
    terminate: Signal,
    /// `None`: it was started to outlive its terminal (`nohup`).
    hang_up: Option<Signal>,
}

impl Signals {
    /// From here on a signal ends the process in good order. Call it before anything is said or opened: who has seen that
    /// something runs may send one.
    pub fn watch() -> io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut kinds = {
            let _entered = runtime.enter();
            Kinds::watch()?
        };
        let signals = Signals { run: Arc::default() };
        let run = Arc::clone(&signals.run);
        let watch = move || {
            runtime.block_on(async {
                kinds.first().await;
                let Stopped { stopper, span } = stop(&run);
                #[allow(clippy::disallowed_methods, reason = "what a run waits for may be its own clock")]
                let time = sleep(stopper.within().saturating_add(GRACE));
                tokio::select! {
                    () = kinds.second(&span) => {
                        span.in_scope(|| tracing::warn!("stopped at once; the running batch was not finished"));
                    }
                    () = time => span.in_scope(|| tracing::error!(
                        "stopped: {:?} and {GRACE:?} behind the first signal something does not answer; the running batch was \
                         not finished", stopper.within()
                    )),
                }
            });
            exit(INTERRUPTED);
        };
        Threads.spawn("signals".to_owned(), Box::new(watch));
        Ok(signals)
    }

    /// From here on they stop the run of `stopper`, whose span this is called in.
    pub fn stop(&self, stopper: Stopper) {
        let run = Stopped { stopper, span: Span::current() };
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(run);
    }
}

impl Kinds {
    fn watch() -> io::Result<Kinds> {
        let hang_up = (!is_ignored(SignalKind::hangup())).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Kinds { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hang_up })
    }

    async fn first(&mut self) {
        let Kinds { interrupt, terminate, hang_up } = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = hung_up(hang_up) => {}
        }
    }

    /// A terminal that goes says so several times, and some that end a process do it beside SIGTERM: nobody means it as a second
    /// one.
    async fn second(&mut self, span: &Span) {
        let Kinds { interrupt, terminate, hang_up } = self;
        loop {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                () = hung_up(hang_up) => {
                    span.in_scope(|| tracing::info!("the terminal is gone; the run ends behind its batch all the same"));
                }
            }
        }
    }
}

async fn hung_up(hang_up: &mut Option<Signal>) {
    match hang_up {
        Some(hang_up) => _ = hang_up.recv().await,
        None => std::future::pending::<()>().await,
    }
}

/// Whether whoever started this process has it ignore a signal. Where the system does not say it, it does not.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (kind.as_raw_value() - 1)) != 0
}

/// Tells the run to stop. As long as there is none, it may be a store that does not answer which holds it up: the process ends,
/// as it may at any instant, and no batch was begun.
fn stop(run: &Mutex<Option<Stopped>>) -> Stopped {
    let run = run.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(run) = run else {
        tracing::info!("stopped before the first batch");
        exit(0);
    };
    run.span.in_scope(|| {
        tracing::info!(
            "stopping after the running batch, in {:?} at most; once more stops at once",
            run.stopper.within()
        );
    });
    run.stopper.stop();
    run
}

fn exit(code: i32) -> ! {
    #[allow(clippy::disallowed_methods, reason = "there is no run yet, or it was told to end and is not waited for")]
    std::process::exit(code);
}
