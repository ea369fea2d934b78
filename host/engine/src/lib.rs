//! Runs a plan: batches on ticks, stages on worker threads, shuffles, state, outputs.
//!
//! It does not read pipelines, open sockets or know wasmtime: a [`Plan`](tidemill_plan::graph::Plan), plugins, sources,
//! sinks and a clock are given to it. Results depend on the batches that the sources give, never on workers or timing.
//!
//! Limits: one process; state is in memory; the first failure ends a run.
//!
//! # A run
//! Give [`Parts`] and [`Settings`] to [`Run::try_new`], then call [`Run::run`]; it returns when it was told to stop
//! ([`Run::stopper`]), when the batches asked for are done, or when a batch fails.

#![forbid(unsafe_code)]

mod build;
mod counters;
mod failure;
mod operators;
mod pool;
mod presence;
mod reduce;
mod report;
mod run;
mod stop;
mod task;

pub use failure::{Cause, RunError};
pub use report::Summary;
pub use run::{Parts, Run, Settings, Until};
pub use stop::Stopper;
