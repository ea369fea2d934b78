//! From a pipeline's TOML to a typed graph and the stages that run it.
//!
//! Reading ([`Manifest::read`]) takes a text and the values of the command line, resolving ([`Manifest::resolve`])
//! asks the plugins what they are and settles every name and type. Both report all mistakes that they find, each at its
//! place in the text, and go on. What a pipeline can say stands in `PIPELINE.md` and `OPERATORS.md`, beside this crate's manifest.
//!
//! What a pipeline reads from and writes to it knows from a table of connectors alone ([`connector`]).
//!
//! It is pure: no file is read, no plugin is loaded or called, and there is no clock; what plugins say comes in through
//! [`Functions`]. It does not look whether files are there, whether addresses can be reached, or whether a function
//! does what its signature says.
//!
//! Limits: a text of 16 MiB, 1,000 plugins, 10,000 streams, 1,000 outputs, 1,000 names in a list; the first 200 mistakes
//! are kept, the others counted.
//!
//! ```
//! use tidemill_model::function::{Binding, Description, Signature};
//! use tidemill_plan::{Functions, Manifest};
//!
//! /// A pipeline without plugins needs nobody to ask.
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
//! name = "lines"
//! interval = "1s"
//!
//! [streams.lines]
//! socket = "127.0.0.1:9999"
//!
//! [streams.counts]
//! from = "lines"
//! by = ["line"]
//! reduce = "count"
//!
//! [outputs.counts]
//! from = "counts"
//! print = true
//! "#;
//! let (manifest, mut diagnostics) = Manifest::read("pipeline.toml", text, &[], tidemill_connect::CONNECTORS);
//! let plan = manifest.resolve(&NoPlugins, &mut diagnostics).expect("a pipeline without mistakes");
//! assert_eq!(plan.nodes[1].schema.to_string(), "line: text, count: integer");
//!
//! let wrong = text.replace("[\"line\"]", "[\"lime\"]");
//! let (manifest, mut diagnostics) = Manifest::read("pipeline.toml", &wrong, &[], tidemill_connect::CONNECTORS);
//! assert!(manifest.resolve(&NoPlugins, &mut diagnostics).is_none());
//! assert_eq!(
//!     diagnostics.render(false),
//!     r#"error: stream `lines` has no field `lime`
//!   --> pipeline.toml:11:7
//!    |
//! 11 | by = ["lime"]
//!    |       ^^^^^^ unknown
//!    |
//!    = help: did you mean `line`? its fields: line
//! "#
//! );
//! ```
#![forbid(unsafe_code)]

mod cargo;
pub mod connector;
pub mod diagnostics;
mod document;
mod functions;
pub mod graph;
mod keys;
mod manifest;
mod operators;
pub mod reader;
mod resolve;
pub mod stages;
mod suggest;

pub use cargo::CargoManifest;
pub use document::overrides::{InvalidOverride, Override};
pub use functions::Functions;
pub use manifest::{CheckpointEntry, CheckpointPlace, Manifest, PluginEntry};
pub use operators::{operator_tables, operators};
