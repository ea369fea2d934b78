//! Runs plugins: Wasm components that export `tidemill:plugin/operators@0.1.0`. The only crate that knows wasmtime.
//!
//! A [`Runtime`] loads a [`Plugin`], a plugin opens an [`Instance`] for each place of a pipeline, and an instance is
//! called with rows and lets a closure look at what came back, in the guest's memory, without a copy.
//!
//! It is not a place for policy: a call that fails ends in a [`Verdict`], and what becomes of the batch is decided by the
//! engine. It does not know pipelines, streams or state.
//!
//! Limits: every number is in [`tidemill_model::limits`]. A guest that goes beyond one, or returns what is not what it
//! promised, fails its call; it cannot hurt the host or another guest. It reaches nothing but `log` and `count`. A component
//! is compiled in a process of its own, with limits of time and memory, where [`RuntimeSettings::compiler`] says so.
//!
//! ```
//! use tidemill_guest::{Runtime, RuntimeSettings};
//! use tidemill_model::limits::Limits;
//!
//! let runtime = Runtime::try_new(&RuntimeSettings::default()).expect("4 GiB of addresses for each instance");
//! let error = runtime.load("orders", b"(module)", &Limits::default()).expect_err("text is no component");
//! assert!(error.to_string().starts_with("plugin `orders` is no Wasm component"));
//! ```
//!
//! With a component it goes on like this:
//!
//! ```no_run
//! # use tidemill_guest::{Instance, Mapped, Plugin, Verdict};
//! # use tidemill_model::{columns::Rows, function::{Binding, CallContext}};
//! # fn run(plugin: &Plugin, binding: &Binding, context: &CallContext, rows: &Rows<'_>) -> Result<(), Verdict> {
//! let mut instance: Instance = plugin.open(binding)?;
//! let mut count = 0;
//! instance.map_rows(context, rows, &mut |mapped: Mapped<'_>| count = mapped.rows.len)?;
//! # Ok(())
//! # }
//! ```
#![deny(unsafe_code)]

mod answer;
mod boundary;
#[cfg(feature = "build")]
pub mod build;
mod cache;
mod call;
mod code;
mod compile;
mod component;
mod describe;
mod error;
mod file;
mod fuel;
mod host;
mod instance;
mod lines;
mod log;
mod plugin;
mod rejected;
mod runtime;
mod section;
mod sources;
mod validate;
mod verdict;

pub use answer::{Changes, Mapped, Origins, UpdateCall};
pub use compile::{ChildCompiler, CompileRequest, Compiler, compile_as_child};
pub use component::encode_component;
pub use error::LoadError;
pub use file::read_component;
pub use instance::{Instance, Usage};
pub use log::{FunctionLog, LogLevel, LogLine, LogSink, TracingLog};
pub use plugin::Plugin;
pub use rejected::{RejectedRows, Rejection};
pub use runtime::{Runtime, RuntimeSettings};
pub use sources::{SourcesHash, sources_hash};
pub use validate::{RawColumn, Scratch, check_batch};
pub use verdict::{Place, Verdict};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_go_to_other_threads_and_plugins_are_shared() {
        fn is_send<T: Send>() {}
        fn is_shared<T: Send + Sync + Clone>() {}
        is_send::<Instance>();
        is_shared::<Plugin>();
        is_shared::<Runtime>();
    }
}
