//! Why a batch failed.

use tidemill_guest::Verdict;
use tidemill_model::{columns::ColumnFull, key::DecodeError, ports::PortError, time::Timestamp};
use tidemill_state::table::StateError;

/// A batch, or the whole run, cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An operator failed.
    #[error("pipeline `{pipeline}`, stream `{stream}`, partition {partition}, batch {batch}: {cause}")]
    Operator {
        /// The pipeline.
        pipeline: String,
        /// The stream or output whose function it was.
        stream: String,
        /// The partition.
        partition: u32,
        /// The batch.
        batch: Timestamp,
        /// What happened.
        cause: Cause,
    },
    /// A source failed.
    #[error("{}{error}", place("stream", .stream, .error))]
    Source {
        /// The stream.
        stream: String,
        /// What happened.
        #[source]
        error: PortError,
    },
    /// A sink failed.
    #[error("batch {batch}: {}{error}", place("output", .output, .error))]
    Sink {
        /// The output.
        output: String,
        /// The batch.
        batch: Timestamp,
        /// What happened.
        #[source]
        error: PortError,
    },
    /// The pipeline names a plugin that was not given to the engine.
    #[error("plugin `{0}` was not loaded")]
    NoPlugin(String),
}

/// Names the stream or output, unless the error does.
fn place(what: &str, name: &str, error: &PortError) -> String {
    let place = format!("{what} `{name}`");
    if error.message.contains(&place) { String::new() } else { place + ": " }
}

/// What went wrong in an operator.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The guest failed, or broke a limit or the rules.
    #[error("`{plugin}/{function}`: {verdict}")]
    Guest {
        /// What the pipeline calls the plugin.
        plugin: String,
        /// The plugin's function.
        function: String,
        /// What happened.
        verdict: Verdict,
    },
    /// More rows than a column can hold.
    #[error(transparent)]
    Full(#[from] ColumnFull),
    /// State or keys that cannot be read back.
    #[error(transparent)]
    State(#[from] StateError),
    /// Rows that break a rule of the operator.
    #[error("{0}")]
    Rows(String),
    /// A defect of Tidemill.
    #[error("{0}; this is a defect of tidemill, please report it")]
    Defect(String),
}

impl From<DecodeError> for Cause {
    fn from(error: DecodeError) -> Cause {
        Cause::State(StateError::Decode(error))
    }
}
