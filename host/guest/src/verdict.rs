//! Verdicts: why a call of a guest failed. A batch that fails has exactly one; where it happened (pipeline, operator,
//! partition, batch) is added by the engine.

mod place;

use tidemill_model::text::counted;

pub use place::Place;

/// Why a call failed. After any of these the instance is gone, and whatever the call had handed over before must not be
/// used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Verdict {
    /// The instructions of the call were used up.
    #[error(
        "the call used up its fuel, fuel-per-call={per_call} and fuel-per-row={per_row} for {}: it loops for ever, or needs \
         more{at}",
        counted(*rows, "row")
    )]
    OutOfFuel {
        /// What every call gets.
        per_call: u64,
        /// And so much more for each row.
        per_row: u64,
        /// The rows of this one.
        rows: u64,
        /// Where it was then.
        at: Place,
    },
    /// The guest wanted more memory.
    #[error("the instance asked for more memory than it may have, memory={limit} bytes{at}")]
    OutOfMemory {
        /// In bytes.
        limit: usize,
        /// Where it was then.
        at: Place,
    },
    /// The guest wanted a larger table.
    #[error("the instance asked for a larger table than it may have, table-elements={limit}{at}")]
    OutOfTable {
        /// In elements.
        limit: usize,
        /// Where it was then.
        at: Place,
    },
    /// The call's stack was used up.
    #[error("the call used up its stack of {limit} bytes: it calls itself too deeply{at}")]
    StackOverflow {
        /// In bytes.
        limit: usize,
        /// Where it was then.
        at: Place,
    },
    /// The guest panicked and said why.
    #[error("the function panicked: {message}{at}")]
    Panicked {
        /// What the guest's panic said, with its place.
        message: String,
        /// Where it was called, if that says more.
        at: Place,
    },
    /// The guest did something that Wasm does not allow, or broke the rules of the boundary.
    #[error("the function trapped: {reason}{at}")]
    Trapped {
        /// What it did.
        reason: String,
        /// Where.
        at: Place,
    },
    /// An answer that is larger than allowed.
    #[error("the function returned more bytes than it may, result-bytes={limit}, each value counted as one at least")]
    ResultTooLarge {
        /// In bytes.
        limit: usize,
    },
    /// An answer that says that it lies outside the guest's memory.
    #[error("the function returned a list or text that lies outside its memory")]
    ResultOutsideMemory,
    /// More rows than allowed.
    #[error("the function returned too many rows, result-rows={limit}, got={got}")]
    TooManyRows {
        /// The most allowed.
        limit: usize,
        /// How many came.
        got: usize,
    },
    /// More rejections than allowed.
    #[error("the function rejected too many rows, rejections={limit}, got={got}")]
    TooManyRejections {
        /// The most allowed.
        limit: usize,
        /// How many came.
        got: usize,
    },
    /// More different counters than allowed.
    #[error("the function uses too many different counters, counters={limit}")]
    TooManyCounters {
        /// The most allowed.
        limit: usize,
    },
    /// A counter's name is empty, too long or no text.
    #[error("the function counts under a name that cannot be one: `{name}`")]
    WrongCounter {
        /// The beginning of the name.
        name: String,
    },
    /// The columns are not those of the schema.
    #[error("the function returned {} where `{expected}` has {}", counted(*got, "column"), .expected_columns)]
    WrongSchema {
        /// The schema that was agreed.
        expected: String,
        /// Its columns, one a node.
        expected_columns: usize,
        /// The columns that came.
        got: usize,
    },
    /// A buffer's length does not fit the rows.
    #[error("the {buffer} of column `{column}` have {}, expected={expected}", counted(*got, "byte"))]
    WrongLayout {
        /// Which column, as a path: `items.list.name`.
        column: String,
        /// Which of its buffers.
        buffer: &'static str,
        /// Bytes that the rows need.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// Offsets that do not begin at 0, descend, or do not end at the end of the values.
    #[error("the offsets of column `{column}` are wrong: they {what}")]
    WrongOffsets {
        /// Which column.
        column: String,
        /// What they do.
        what: &'static str,
    },
    /// Text that is no UTF-8, or a value cut inside a character.
    #[error("column `{column}` is no valid UTF-8: {what}")]
    WrongUtf8 {
        /// Which column.
        column: String,
        /// What is wrong.
        what: &'static str,
    },
    /// Missing values where the type has none.
    #[error("column `{column}` has a validity, but its type has no `?`")]
    WrongValidity {
        /// Which column.
        column: String,
    },
    /// Origins that do not fit the rows.
    #[error("the origins are wrong: {what}, rows={rows}, input_rows={input_rows}")]
    OriginsOutOfRange {
        /// What is wrong.
        what: &'static str,
        /// The rows returned.
        rows: usize,
        /// The rows of the input.
        input_rows: usize,
    },
    /// A rejection of a row that is not there.
    #[error("the function rejected row {row} of {input_rows}")]
    RejectionOutOfRange {
        /// The row.
        row: u32,
        /// The rows of the input.
        input_rows: usize,
    },
    /// The same row rejected twice, as it must be where more are rejected than there are.
    #[error("the function rejected row {row} twice: {} of {}", counted(*got, "rejection"), counted(*input_rows, "row"))]
    RejectedTwice {
        /// The row.
        row: u32,
        /// The rows of the input.
        input_rows: usize,
        /// The rejections.
        got: usize,
    },
    /// A reduce returned another number of rows than there are groups.
    #[error("the function returned {} for {}", counted(*got, "row"), counted(*expected, "group"))]
    WrongGroups {
        /// The groups.
        expected: usize,
        /// The rows that came.
        got: usize,
    },
    /// A migration returned another number of states than it was given.
    #[error("the function returned {} for {expected} of an older version", counted(*got, "state"))]
    WrongStates {
        /// The states that it was given.
        expected: usize,
        /// The states that came.
        got: usize,
    },
    /// A reduce returned rows or columns before the last chunk.
    #[error("the function returned {} and {} before the last chunk", counted(*rows, "row"), counted(*columns, "column"))]
    RowsBeforeLast {
        /// The rows that came.
        rows: usize,
        /// The columns that came.
        columns: usize,
    },
    /// Actions of an update-state that are not one of 0, 1 and 2 for each group.
    #[error("the actions are wrong: {what}, got={got}, groups={groups}")]
    WrongActions {
        /// What is wrong.
        what: &'static str,
        /// How many came.
        got: usize,
        /// How many there must be.
        groups: usize,
    },
    /// Groups of emitted rows that are not there.
    #[error("the groups of the emitted rows are wrong: {what}, rows={rows}, groups={groups}")]
    EmittedOutOfRange {
        /// What is wrong.
        what: &'static str,
        /// The rows emitted.
        rows: usize,
        /// The groups.
        groups: usize,
    },
    /// Wake times that are not one for each group.
    #[error("the wake times have {}, expected={expected}", counted(*got, "byte"))]
    WrongWakeTimes {
        /// 8 bytes for each group.
        expected: usize,
        /// The bytes that came.
        got: usize,
    },
    /// `open` said that it cannot serve the binding.
    #[error("the function does not take this binding: {reason}")]
    OpenFailed {
        /// The function's words.
        reason: String,
        /// Whether it may take it later.
        retryable: bool,
    },
    /// `open` answered with a signature that is none, or not the described one's.
    #[error("the function answered `open` with a wrong signature: {what}")]
    WrongSignature {
        /// What is wrong.
        what: String,
    },
    /// The binding names a function that the plugin does not have.
    #[error("the plugin has {}, none at place {function}", counted(*functions, "function"))]
    NoSuchFunction {
        /// The place.
        function: usize,
        /// How many there are.
        functions: usize,
    },
    /// The call was given more rows than a batch can have.
    #[error("a call takes at most {} rows at once, got={rows}", u32::MAX)]
    TooManyInputRows {
        /// The rows of the call.
        rows: usize,
    },
    /// The function says that the call failed.
    #[error("the function failed: {reason}")]
    Failure {
        /// The function's words.
        reason: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// All instances that the host allows are in use.
    #[error("all instances that this host allows are in use")]
    NoInstanceLeft,
    /// The instance had failed before.
    #[error("the instance has failed before and takes no more calls: open a new one")]
    Poisoned,
}

impl Verdict {
    /// A short name that stays the same over versions, for counting and for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::OutOfFuel { .. } => "out-of-fuel",
            Verdict::OutOfMemory { .. } => "out-of-memory",
            Verdict::OutOfTable { .. } => "out-of-table",
            Verdict::StackOverflow { .. } => "stack-overflow",
            Verdict::Panicked { .. } => "panicked",
            Verdict::Trapped { .. } => "trapped",
            Verdict::ResultTooLarge { .. } => "result-too-large",
            Verdict::ResultOutsideMemory => "result-outside-memory",
            Verdict::TooManyRows { .. } => "too-many-rows",
            Verdict::TooManyRejections { .. } => "too-many-rejections",
            Verdict::TooManyCounters { .. } => "too-many-counters",
            Verdict::WrongCounter { .. } => "wrong-counter",
            Verdict::WrongSchema { .. } => "wrong-schema",
            Verdict::WrongLayout { .. } => "wrong-layout",
            Verdict::WrongOffsets { .. } => "wrong-offsets",
            Verdict::WrongUtf8 { .. } => "wrong-utf8",
            Verdict::WrongValidity { .. } => "wrong-validity",
            Verdict::OriginsOutOfRange { .. } => "origins-out-of-range",
            Verdict::RejectionOutOfRange { .. } => "rejection-out-of-range",
            Verdict::RejectedTwice { .. } => "rejected-twice",
            Verdict::WrongGroups { .. } => "wrong-groups",
            Verdict::WrongStates { .. } => "wrong-states",
            Verdict::RowsBeforeLast { .. } => "rows-before-last",
            Verdict::WrongActions { .. } => "wrong-actions",
            Verdict::EmittedOutOfRange { .. } => "emitted-out-of-range",
            Verdict::WrongWakeTimes { .. } => "wrong-wake-times",
            Verdict::OpenFailed { .. } => "open-failed",
            Verdict::WrongSignature { .. } => "wrong-signature",
            Verdict::NoSuchFunction { .. } => "no-such-function",
            Verdict::TooManyInputRows { .. } => "too-many-input-rows",
            Verdict::Failure { .. } => "failure",
            Verdict::NoInstanceLeft => "no-instance-left",
            Verdict::Poisoned => "poisoned",
        }
    }

    /// Where in the author's source it was, for those failures that happen anywhere.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Verdict::OutOfFuel { at, .. }
            | Verdict::OutOfMemory { at, .. }
            | Verdict::OutOfTable { at, .. }
            | Verdict::StackOverflow { at, .. }
            | Verdict::Panicked { at, .. }
            | Verdict::Trapped { at, .. } => Some(at),
            _ => None,
        }
    }

    /// The same failure with where in the author's source it was, if it is one of those that happen anywhere.
    pub fn placed(mut self, place: Place) -> Verdict {
        if let Verdict::Panicked { message, at } = &mut self {
            *at = place.unless_in(message);
        } else if let Verdict::OutOfFuel { at, .. }
        | Verdict::OutOfMemory { at, .. }
        | Verdict::OutOfTable { at, .. }
        | Verdict::StackOverflow { at, .. }
        | Verdict::Trapped { at, .. } = &mut self
        {
            *at = place;
        }
        self
    }

    /// The limit that was in the way, if a pipeline can give its plugin a higher one: its key there, and what it is.
    pub fn limit(&self) -> Option<(&'static str, u64)> {
        Some(match *self {
            Verdict::OutOfFuel { per_call, per_row, rows, .. } if per_row.saturating_mul(rows) <= per_call => {
                ("fuel-per-call", per_call)
            }
            Verdict::OutOfFuel { per_row, .. } => ("fuel-per-row", per_row),
            Verdict::OutOfMemory { limit, .. } => ("memory", limit as u64),
            Verdict::OutOfTable { limit, .. } => ("table-elements", limit as u64),
            Verdict::ResultTooLarge { limit } => ("result-bytes", limit as u64),
            Verdict::TooManyRows { limit, .. } => ("result-rows", limit as u64),
            Verdict::TooManyRejections { limit, .. } => ("rejections", limit as u64),
            Verdict::TooManyCounters { limit } => ("counters", limit as u64),
            _ => return None,
        })
    }

    /// Whether the same call may succeed later: the function said so, or the host had no room for the instance.
    pub fn retryable(&self) -> bool {
        match self {
            Verdict::OpenFailed { retryable, .. } | Verdict::Failure { retryable, .. } => *retryable,
            Verdict::NoInstanceLeft => true,
            _ => false,
        }
    }
}
