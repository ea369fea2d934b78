//! What a run says bears its pipeline's name: a span around all that it does, on whichever thread.

use std::sync::Arc;

use tidemill_model::ports::Spawn;
use tracing::Span;

/// What the span of a run is called.
const RUN: &str = "run";

/// Threads of a run: what is said on them bears its pipeline's name.
pub struct NamedThreads {
    spawn: Arc<dyn Spawn>,
    span: Span,
}

/// The span of a pipeline's run: the one that this thread is in, if it is in one.
pub fn run_span(pipeline: &str) -> Span {
    let current = Span::current();
    if current.metadata().is_some_and(|metadata| metadata.name() == RUN) {
        return current;
    }
    // Of the highest level, so that it is there whatever is logged.
    tracing::error_span!("run", pipeline)
}

impl NamedThreads {
    /// Those of `spawn`, in a run's span.
    pub fn new(spawn: Arc<dyn Spawn>, span: &Span) -> NamedThreads {
        NamedThreads { spawn, span: span.clone() }
    }
}

impl Spawn for NamedThreads {
    fn spawn(&self, name: String, work: Box<dyn FnOnce() + Send>) {
        let span = self.span.clone();
        self.spawn.spawn(name, Box::new(move || span.in_scope(work)));
    }
}
