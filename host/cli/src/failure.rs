//! What went wrong, as an exit code, a message and hints: the only place that knows exit codes.

use std::{error::Error, fmt::Write, io, path::Path, process::ExitCode};

use tidemill_checkpoint::{CheckpointError, StorageError};
use tidemill_engine::{Cause, RunError, checkpoint::RestoreError, replay::ReplayError};
use tidemill_guest::{LoadError, Verdict, build::BuildError};
use tidemill_model::ports::{PortError, PortErrorKind};

use crate::stderr;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub struct Failure {
    kind: FailureKind,
    message: String,
    hints: Vec<String>,
    /// What the message says too, for programs.
    fields: Vec<(&'static str, serde_json::Value)>,
}

/// Who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailureKind {
    /// Whoever typed the command, or wrote the pipeline.
    Input,
    /// Whoever looks after the machine, the data or the plugin.
    Run,
    /// Nobody has to: who read standard output has seen enough.
    ReaderGone,
}

impl Failure {
    /// What was typed, or what a file says, cannot be.
    pub fn input(message: impl Into<String>) -> Failure {
        Failure { kind: FailureKind::Input, message: message.into(), hints: Vec::new(), fields: Vec::new() }
    }

    /// It was begun, and could not be done.
    pub fn run(message: impl Into<String>) -> Failure {
        Failure { kind: FailureKind::Run, ..Failure::input(message) }
    }

    /// With what could be done about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }

    /// With something that the message says, for programs.
    fn field(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Failure {
        self.fields.push((name, value.into()));
        self
    }

    /// Standard output could not be written.
    pub fn stdout(error: &io::Error) -> Failure {
        let failure = Failure::run(format!("cannot write to standard output: {error}"));
        let is_gone = error.kind() == io::ErrorKind::BrokenPipe;
        if is_gone { Failure { kind: FailureKind::ReaderGone, ..failure } } else { failure }
    }

    /// A file or folder that was named could not be read.
    pub fn unreadable(what: &str, path: &Path, error: &io::Error) -> Failure {
        let path = path.display();
        match error.kind() {
            io::ErrorKind::NotFound => Failure::input(format!("there is no {what} `{path}`")),
            io::ErrorKind::IsADirectory => Failure::input(format!("`{path}` is a folder; a {what} is needed")),
            io::ErrorKind::InvalidData => Failure::input(format!("the {what} `{path}` is not UTF-8 text")),
            _ => Failure::input(format!("cannot read the {what} `{path}`: {error}")),
        }
    }

    /// A file or folder could not be made.
    pub fn unwritable(path: &Path, error: &io::Error) -> Failure {
        Failure::run(format!("cannot write `{}`: {error}", path.display()))
    }

    /// With what can be done about a function's failure, if something can.
    fn hint_for(self, cause: &Cause) -> Failure {
        let hint = match cause {
            Cause::Guest { plugin, verdict, .. } => hint_for(plugin, verdict),
            _ => None,
        };
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// With where in a run it was.
    fn fields_of(self, error: &RunError) -> Failure {
        match error {
            RunError::Operator { pipeline, stream, partition, batch, .. } => self
                .field("pipeline", pipeline.as_str())
                .field("stream", stream.as_str())
                .field("partition", *partition)
                .field("batch", batch.millis()),
            RunError::Source { stream, .. } => self.field("stream", stream.as_str()),
            RunError::Place { output, .. } => self.field("output", output.as_str()),
            RunError::Sink { output, batch, .. } => {
                self.field("output", output.as_str()).field("batch", batch.millis())
            }
            _ => self,
        }
    }

    /// What it says, and what could be done about it, for programs.
    pub fn said(&self) -> (&str, &[String]) {
        (&self.message, &self.hints)
    }

    /// Says it, and gives the exit code.
    pub fn report(self) -> ExitCode {
        let code = match self.kind {
            FailureKind::ReaderGone => return ExitCode::SUCCESS,
            FailureKind::Run => 1,
            FailureKind::Input => 2,
        };
        stderr::say_failure(&self.message, &self.hints, code, &self.fields);
        ExitCode::from(code)
    }
}

/// An error and what caused it, each said once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            let _ = write!(text, ": {said}");
        }
        source = cause.source();
    }
    text
}

// === What other crates' errors mean here ===

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Failure {
        let message = chain(&error);
        match error {
            LoadError::Runtime { .. } => Failure::run(message)
                .hint("plugins need much address space, but little memory: is there a limit (ulimit -v)?"),
            LoadError::CompileLimit { key, .. } => Failure::input(message).hint(more_for_compiling(key)),
            LoadError::NoProcess { .. } => Failure::run(message),
            _ => Failure::input(message),
        }
    }
}

/// What can be done about a component that does not compile within a limit.
pub fn more_for_compiling(key: &str) -> String {
    format!("if you trust it, give it more: --limit {key}=VALUE here, `limits = {{ {key} = ... }}` in a pipeline")
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Failure {
        let message = chain(&error);
        match error {
            BuildError::NoProject { .. } => Failure::input(message).hint("make a project with `tidemill new NAME`"),
            BuildError::NoModule { .. } | BuildError::NoProgram { .. } => Failure::input(message),
            BuildError::Failed { folder } => Failure::run(message).hint(format!(
                "mend the first of them first; `cargo check` in `{}` says the same sooner",
                folder.display()
            )),
            BuildError::NoTarget => Failure::input(message)
                .hint("where rustup's servers cannot be reached: `make` in Tidemill's repository shows another way, .make/wasm-target"),
            _ => Failure::run(message),
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Failure {
        let kind = match error.kind {
            _ if is_reader_gone(&error) => FailureKind::ReaderGone,
            PortErrorKind::Configuration => FailureKind::Input,
            _ => FailureKind::Run,
        };
        Failure { kind, ..Failure::run(chain(&error)) }
    }
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Failure {
        let message = chain(&error);
        match error {
            CheckpointError::Storage(StorageError::NoCheckpoint { .. })
            | CheckpointError::Storage(StorageError::Foreign { .. }) => Failure::input(message)
                .hint("a pipeline's checkpoint is the folder or URL that its file names under `checkpoint`"),
            CheckpointError::Storage(StorageError::NotFound { .. }) => {
                Failure::run(message).hint("a run at work may have removed it meanwhile: then try again")
            }
            _ => Failure::run(message),
        }
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Failure {
        match error {
            RestoreError::Checkpoint(error) => error.into(),
            error => Failure::run(chain(&error)),
        }
    }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Failure {
        match error {
            ReplayError::Run(RunError::Restore(error)) => (*error).into(),
            ReplayError::Run(error) => error.into(),
            ReplayError::Checkpoint(error) => error.into(),
            ReplayError::NewSource { .. } | ReplayError::NoSource { .. } => Failure::input(chain(&error)),
            error => Failure::run(chain(&error)),
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        let failure = Failure::run(chain(&error)).fields_of(&error);
        match error {
            RunError::Sink { error, .. } if is_reader_gone(&error) => {
                Failure { kind: FailureKind::ReaderGone, ..failure }
            }
            RunError::Place { error, .. } => Failure { kind: Failure::from(error).kind, ..failure },
            RunError::Operator { cause, .. } => failure.hint_for(&cause),
            RunError::OutOfTime { within, .. } => failure.hint(format!(
                "if batches need more, give them more: stop-within = \"{:?}\" in [pipeline]",
                within * 2
            )),
            RunError::Restore(error) => match *error {
                RestoreError::Migration { cause, .. } => failure.hint_for(&cause),
                _ => failure,
            },
            _ => failure,
        }
    }
}

/// Whether it was a pipe that could not be written because its reader has gone.
fn is_reader_gone(error: &PortError) -> bool {
    error.source.as_ref().is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe)
}

/// What whoever runs a pipeline can do about a guest's failure.
fn hint_for(plugin: &str, verdict: &Verdict) -> Option<String> {
    let (key, limit) = verdict.limit()?;
    let more = match key {
        "memory" | "result-bytes" if limit.is_multiple_of(1 << 20) => format!("\"{}MiB\"", limit >> 19),
        _ => limit.saturating_mul(2).to_string(),
    };
    Some(format!("if the function needs more, give plugin `{plugin}` more: limits = {{ {key} = {more} }}"))
}

#[cfg(test)]
mod tests {
    use tidemill_guest::Place;

    use super::*;

    #[test]
    fn causes_are_said_once() {
        let gone = PortError::environment("cannot read `a`", io::Error::other("the disk is gone"));
        assert_eq!(chain(&gone), "cannot read `a`: the disk is gone");
        let error = RunError::Source { stream: "lines".to_owned(), error: gone };
        assert_eq!(Failure::from(error).message, "stream `lines`: cannot read `a`: the disk is gone");
    }

    #[test]
    fn limits_that_were_in_the_way_are_named_with_a_higher_one() {
        let check = |verdict: Verdict, limits: &str| {
            let expect = format!("if the function needs more, give plugin `p` more: limits = {{ {limits} }}");
            assert_eq!(hint_for("p", &verdict), Some(expect));
        };
        check(Verdict::OutOfMemory { limit: 64 << 20, at: Place::default() }, "memory = \"128MiB\"");
        check(Verdict::OutOfMemory { limit: 3 << 20, at: Place::default() }, "memory = \"6MiB\"");
        check(Verdict::ResultTooLarge { limit: 1 << 20 }, "result-bytes = \"2MiB\"");
        check(Verdict::ResultTooLarge { limit: 1 << 19 }, "result-bytes = 1048576");
        check(Verdict::ResultTooLarge { limit: 1_000 }, "result-bytes = 2000");
        check(Verdict::OutOfFuel { per_call: 100, per_row: 10, rows: 10, at: Place::default() }, "fuel-per-call = 200");
        check(Verdict::OutOfFuel { per_call: 100, per_row: 10, rows: 11, at: Place::default() }, "fuel-per-row = 20");
        check(Verdict::TooManyRows { limit: 5, got: 6 }, "result-rows = 10");
        assert_eq!(hint_for("p", &Verdict::ResultOutsideMemory), None);
    }

    #[test]
    fn a_reader_that_is_gone_is_no_failure() {
        let pipe = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::stdout(&pipe()).kind, FailureKind::ReaderGone);
        assert_eq!(Failure::from(PortError::environment("cannot print", pipe())).kind, FailureKind::ReaderGone);
    }
}
