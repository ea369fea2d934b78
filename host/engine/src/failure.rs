//! Why a batch failed.

use std::time::Duration;

use tidemill_checkpoint::CheckpointError;
use tidemill_guest::Verdict;
use tidemill_model::{columns::ColumnFull, key::DecodeError, ports::PortError, time::Timestamp};
use tidemill_state::table::StateError;

use crate::{
    checkpoint::{Point, RestoreError},
    operators::OPERATOR_BYTES_MAX,
};

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
        cause: Box<Cause>,
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
    /// The place of an output cannot be this run's.
    #[error("{}{error}", place("output", .output, .error))]
    Place {
        /// The output.
        output: String,
        /// Why.
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
    /// The checkpoint failed.
    #[error("checkpoint: {0}")]
    Checkpoint(#[source] Box<CheckpointError>),
    /// What the checkpoint holds cannot be taken over.
    #[error(transparent)]
    Restore(Box<RestoreError>),
    /// A sink that knows its batches has one that the checkpoint knows nothing of.
    #[error(
        "output `{output}` has the batch {newest} already, and the checkpoint ends {}: it is another run's, or was \
         damaged and fell back. Bring the right checkpoint back from a copy, take the output's later batches away (and what says \
         that it has them: of files `.tidemill-output`), or choose another place for it",
        last.map_or_else(|| "before any batch".to_owned(), |last| format!("with the batch {last}"))
    )]
    SinkAhead {
        /// The output.
        output: String,
        /// The newest batch that it has.
        newest: Timestamp,
        /// The newest batch of the checkpoint.
        last: Option<Timestamp>,
    },
    /// A sink that has got batches is not there any more.
    #[error(
        "output `{output}` has got its rows of the batch {last}, and its place is not there any more: bring it back (is \
         its disk mounted?), or make it anew, empty, to go on without what was in it"
    )]
    SinkGone {
        /// The output.
        output: String,
        /// The last batch of the checkpoint.
        last: Timestamp,
    },
    /// A batch that counts has rows for an output that cannot be given to it.
    #[error(
        "output `{output}` has not got its rows of the batch {batch} yet, and {why}; run the pipeline as it was until \
         that batch is delivered, then change it"
    )]
    Undeliverable {
        /// The output.
        output: String,
        /// The batch.
        batch: Timestamp,
        /// Why not.
        why: &'static str,
    },
    /// The run was told to stop, and the batch did not end in time.
    #[error(
        "batch {batch} did not end within {within:?} of the stop (`stop-within`) and is undone, nothing of it was delivered; {}",
        if *is_kept { "its input is kept, and the next run begins with it" } else { "without a checkpoint its input is lost" }
    )]
    OutOfTime {
        /// The batch.
        batch: Timestamp,
        /// How long it had.
        within: Duration,
        /// Whether there is a checkpoint.
        is_kept: bool,
    },
    /// A test stopped the run.
    #[error("stopped by a failpoint at the point {point:?} of the batch {batch}")]
    Failpoint {
        /// The point.
        point: Point,
        /// The batch.
        batch: Timestamp,
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

impl From<CheckpointError> for RunError {
    fn from(error: CheckpointError) -> RunError {
        RunError::Checkpoint(Box::new(error))
    }
}

impl From<RestoreError> for RunError {
    fn from(error: RestoreError) -> RunError {
        RunError::Restore(Box::new(error))
    }
}

impl From<StateError> for RunError {
    fn from(error: StateError) -> RunError {
        RestoreError::from(error).into()
    }
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
        /// Whether it could be opened, and failed in a call.
        opened: bool,
        /// What happened.
        verdict: Verdict,
    },
    /// The guest would not take a side input, or could not: no row is to blame.
    #[error("side input `{input}` of {cause}")]
    Shared {
        /// What the function calls it.
        input: String,
        /// What its call came to.
        cause: Box<Cause>,
    },
    /// More calls failed than a search for rows may make.
    #[error(
        "too many rows make the function fail to set them all aside in one batch; the last one: {0}. Correct the plugin \
         and run again (with a checkpoint nothing is lost), or let such batches go: then = \"skip-batch\""
    )]
    TooMuchPoison(Box<Cause>),
    /// More of a batch than the operator of a partition can hold at once.
    #[error(
        "a partition of the batch has more than it can hold at once, which is {bytes_max} bytes: give it fewer rows (a filter or a \
         map before it, a shorter interval, more partitions where rows are placed by key), or let such batches go: \
         on-error = \"skip-batch\""
    )]
    TooMuch {
        /// What it can hold.
        bytes_max: usize,
    },
    /// All functions together have used more of a batch than they may.
    #[error(
        "{}the functions of the batch have used {used} {what} together, and may use {limit}: one makes far more than it is given. If \
         that is meant, give them more: limits = {{ {key} = ... }} in [pipeline]; or let such batches go: on-error = \"skip-batch\"",
        who.as_ref().map_or_else(String::new, |who| format!("`{who}`: "))
    )]
    OverBudget {
        /// The function whose call came to that, as `plugin/function`.
        who: Option<String>,
        /// The limit's key.
        key: &'static str,
        /// What was used.
        what: &'static str,
        /// How much of it may be.
        limit: u64,
        /// How much of it was; no more of it was counted then.
        used: u64,
    },
    /// A stream without which the operator fails has no batch.
    #[error("stream `{stream}` has no batch at this tick, and `absent = \"fail\"` says that it must have one")]
    Absent {
        /// The stream.
        stream: String,
    },
    /// State or keys that cannot be read back.
    #[error(transparent)]
    State(#[from] StateError),
    /// Rows that break a rule of the operator.
    #[error("{0}")]
    Rows(String),
    /// The run was told to stop, and the time that it had for that is over.
    #[error("the run was told to stop, and the time that it had for that is over")]
    OutOfTime,
    /// A defect of Tidemill.
    #[error("{0}; this is a defect of tidemill, please report it")]
    Defect(String),
}

impl Cause {
    /// Whether the rows that a function was given may be to blame.
    pub(crate) fn is_of_rows(&self) -> bool {
        matches!(self, Cause::Guest { opened: true, .. } | Cause::Rows(_))
    }

    /// Whether another batch may do better, so that this one can be let go.
    pub(crate) fn is_of_batch(&self) -> bool {
        let is_more = matches!(
            self,
            Cause::TooMuch { .. } | Cause::OverBudget { .. } | Cause::Absent { .. } | Cause::Shared { .. }
        );
        self.is_of_rows() || is_more
    }
}

/// Where nothing else bounds rows, their columns do.
impl From<ColumnFull> for Cause {
    fn from(_: ColumnFull) -> Cause {
        Cause::TooMuch { bytes_max: OPERATOR_BYTES_MAX }
    }
}

impl From<DecodeError> for Cause {
    fn from(error: DecodeError) -> Cause {
        Cause::State(StateError::Decode(error))
    }
}
