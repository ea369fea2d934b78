//! Runs a plan: batches on ticks, stages on worker threads, shuffles, state, outputs.
//!
//! It does not read pipelines, open sockets or know wasmtime: a [`Plan`](tidemill_plan::graph::Plan), plugins, sources,
//! sinks and a clock are given to it. Results depend on the batches that the sources give, never on workers or timing.
//!
//! Limits: one process; state is in memory; the first failure ends a run. Before its tick a batch holds at most about
//! 1 GiB of rows, then input waits with the sources. What a partition of an update-state, a sort or a reduce holds of a batch has
//! at most 2 GiB of text in a column.
//!
//! # A run
//! Give [`Parts`] and [`Settings`] to [`Run::try_new`], then call [`Run::run`]; it returns when it was told to stop
//! ([`Run::stopper`]), when the batches asked for are done, or when a batch fails.
//!
//! ```
//! use std::{collections::HashMap, sync::{Arc, Mutex}};
//! use tidemill_connect::{CONNECTORS, system::{ManualClock, Threads}};
//! use tidemill_engine::{Parts, Run, Settings, Until, open_sinks, open_sources};
//! use tidemill_model::{connector::World, function::{Binding, Description, Signature}, time::Timestamp};
//! use tidemill_plan::{Functions, Manifest};
//!
//! struct NoPlugins;
//!
//! impl Functions for NoPlugins {
//!     fn description(&self, plugin: &str) -> Result<&Description, String> {
//!         Err(format!("there is no {plugin}"))
//!     }
//!
//!     fn open(&self, plugin: &str, _: &Binding) -> Result<Signature, String> {
//!         Err(format!("there is no {plugin}"))
//!     }
//! }
//!
//! let text = r#"
//! [pipeline]
//! name = "words"
//! interval = "1s"
//!
//! [streams.words]
//! queue = { schema = "word: text", batches = [["a", "b", "a"], ["b"]] }
//!
//! [streams.counts]
//! from = "words"
//! by = "word"
//! reduce = "count"
//!
//! [streams.sorted]
//! from = "counts"
//! sort = "word"
//!
//! [outputs.counts]
//! from = "sorted"
//! print = true
//! "#;
//! let (manifest, mut diagnostics) = Manifest::read("words.toml", text, &[], CONNECTORS);
//! let plan = manifest.resolve(&NoPlugins, &mut diagnostics).expect("a pipeline without mistakes");
//!
//! let clock = Arc::new(ManualClock::new(Timestamp(0)));
//! let stdout = Arc::new(Mutex::new(Vec::<u8>::new()));
//! let world = World::new(clock.clone(), Arc::new(Threads), ".".into(), stdout.clone());
//! let (sources, sinks) = (open_sources(&plan, &world)?, open_sinks(&plan, &world)?);
//!
//! let (spawn, wake) = (world.spawn, world.wake);
//! let parts = Parts { plan, plugins: HashMap::new(), sources, sinks, clock, wake, spawn, checkpoint: None };
//! let settings = Settings { workers: 1, seed: 1, fresh_instances: false, until: Until::Done };
//! let summary = Run::try_new(parts, &settings)?.run()?;
//! assert_eq!((summary.batches, summary.rows), (2, 4));
//! let printed = String::from_utf8(stdout.lock().expect("nobody panics").clone())?;
//! assert!(printed.contains("('a', 2)\n('b', 1)\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod arrival;
mod budget;
mod build;
pub mod checkpoint;
mod commit;
mod counters;
mod failure;
mod foreseen;
mod named;
mod open;
mod operators;
mod pieces;
mod pool;
mod presence;
mod reduce;
pub mod replay;
mod report;
mod run;
mod stop;
mod store;
mod task;
#[cfg(test)]
mod testing;

pub use failure::{Cause, RunError};
pub use foreseen::{Foreseen, foresee};
pub use named::{NamedThreads, run_span};
pub use open::{OpenSources, open_sinks, open_sources};
pub use report::Summary;
pub use run::{Parts, Run, Settings, Until};
pub use stop::Stopper;
