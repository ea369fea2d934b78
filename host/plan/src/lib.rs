//! From a pipeline's TOML to a typed graph and the stages that run it. Pure: no file is read and no plugin is called
//! here; what plugins say comes in through [`Functions`].
pub mod diagnostics;
mod document;
mod functions;
pub mod graph;
mod keys;
mod manifest;
mod reader;
mod resolve;
pub mod stages;
mod suggest;

pub use document::overrides::{InvalidOverride, Override};
pub use functions::Functions;
pub use manifest::{Manifest, PluginEntry};
