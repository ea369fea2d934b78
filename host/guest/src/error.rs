//! Why a runtime cannot start, or a plugin cannot be loaded.

use crate::{compile::CompileError, verdict::Verdict};

/// Why a runtime cannot start, or a plugin cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The machine does not give the runtime what it needs, or the settings ask for too much.
    #[error(
        "cannot start the Wasm runtime (instances_max={instances_max}, memory_bytes_max={memory_bytes_max}): {reason}"
    )]
    Runtime {
        /// Of the settings.
        instances_max: u32,
        /// Of the settings.
        memory_bytes_max: usize,
        /// wasmtime's words.
        reason: String,
    },
    /// A limit that is larger than this host gives to anybody.
    #[error("plugin `{plugin}` may not have the limit {limit}={got}: this host gives at most {max}")]
    Limit {
        /// The plugin.
        plugin: String,
        /// Which limit.
        limit: &'static str,
        /// What was asked for.
        got: u64,
        /// What there is.
        max: u64,
    },
    /// More bytes than a component may have.
    #[error("plugin `{plugin}` is too large a component: limit={limit} bytes, got={got}")]
    TooLarge {
        /// The plugin.
        plugin: String,
        /// In bytes.
        limit: usize,
        /// Its bytes.
        got: usize,
    },
    /// Not a component.
    #[error("plugin `{plugin}` is no Wasm component: {what}")]
    NotComponent {
        /// The plugin.
        plugin: String,
        /// What it is, and what to do.
        what: String,
    },
    /// Compiling it asks for more than a limit of the plugin's allows.
    #[error("plugin `{plugin}` cannot be compiled within its limit {key}={limit}")]
    CompileLimit {
        /// The plugin.
        plugin: String,
        /// Which limit, as a pipeline calls it.
        key: &'static str,
        /// What it is.
        limit: String,
    },
    /// The compiler did not come to an answer.
    #[error("plugin `{plugin}` cannot be compiled: the compiler ended over it ({reason})")]
    Compiler {
        /// The plugin.
        plugin: String,
        /// How it ended.
        reason: String,
    },
    /// The machine does not give what compiling needs.
    #[error("plugin `{plugin}` cannot be compiled: there is no process for it ({reason})")]
    NoProcess {
        /// The plugin.
        plugin: String,
        /// What the system said.
        reason: String,
    },
    /// A component that was built for another version of the WIT package.
    #[error(
        "plugin `{plugin}` was built for tidemill:plugin@{theirs}, and this host has tidemill:plugin@{ours}: build it \
         again with the SDK of this version"
    )]
    Version {
        /// The plugin.
        plugin: String,
        /// The package's version in the component.
        theirs: String,
        /// The package's version here.
        ours: &'static str,
    },
    /// A component that asks for more than plugins get.
    #[error(
        "plugin `{plugin}` imports {}, but a plugin gets only `tidemill:plugin/host@0.1.0` (log and count): \
         build it with `tidemill build`, for wasm32-unknown-unknown, without WASI",
        .imports.join(", ")
    )]
    Imports {
        /// The plugin.
        plugin: String,
        /// The imports that are not granted.
        imports: Vec<String>,
    },
    /// A component that is no plugin, or one of another version of the WIT package.
    #[error(
        "plugin `{plugin}` does not export `tidemill:plugin/operators@0.1.0` as the package says: {what}; \
         build it against wit/tidemill-0.1.0"
    )]
    Exports {
        /// The plugin.
        plugin: String,
        /// What is missing or different.
        what: String,
    },
    /// The plugin could not describe itself.
    #[error("plugin `{plugin}` cannot describe itself")]
    Describe {
        /// The plugin.
        plugin: String,
        /// Why.
        #[source]
        verdict: Verdict,
    },
    /// A description that cannot be.
    #[error("plugin `{plugin}` describes itself wrongly: {what}")]
    Description {
        /// The plugin.
        plugin: String,
        /// What is wrong.
        what: String,
    },
    /// A core module that cannot become a component.
    #[error("cannot make a component of the module: {reason}")]
    Encode {
        /// What is wrong.
        reason: String,
    },
}

impl LoadError {
    pub(crate) fn of_compiling(plugin: &str, error: CompileError) -> LoadError {
        let plugin = plugin.to_owned();
        match error {
            CompileError::Refused { reason } => {
                LoadError::NotComponent { plugin, what: format!("it cannot be compiled ({reason}): build it again") }
            }
            CompileError::Limit { key, limit } => LoadError::CompileLimit { plugin, key, limit },
            CompileError::Failed { reason } => LoadError::Compiler { plugin, reason },
            CompileError::NoProcess { reason } => LoadError::NoProcess { plugin, reason },
        }
    }
}
