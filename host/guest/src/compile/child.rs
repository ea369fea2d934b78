//! The side of the host: it starts a process for a component, and talks with it until it ends or is ended.

mod talk;

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tidemill_model::limits::Limits;

use super::{CompileError, outcome, request::CompileRequest};
use talk::{Stop, Talk};

/// Compiles each component in a process of its own, which is ended at a limit.
#[derive(Clone, Debug)]
pub struct ChildCompiler {
    /// This very program: what it makes is run without a further look.
    pub program: PathBuf,
    /// What it is called with, so that it calls [`compile_as_child`](super::compile_as_child); a
    /// [`CompileRequest`] follows.
    pub arguments: Vec<OsString>,
    /// Its environment, and nothing else.
    pub variables: Vec<(OsString, OsString)>,
    /// Threads that it may compile with.
    pub threads: usize,
}

/// A process that does not outlive who looks after it.
struct Process(Child);

impl ChildCompiler {
    pub(super) fn compile(&self, name: &str, component: &[u8], limits: &Limits) -> Result<Vec<u8>, CompileError> {
        let no_process = |error: io::Error| CompileError::NoProcess { reason: error.to_string() };
        tracing::debug!(plugin = name, "starting a process that compiles");
        let mut process = Process(self.start(component, limits).map_err(no_process)?);
        let talk = Talk::with(&mut process.0, name, component, limits).map_err(no_process)?;
        let (written, said) = talk.until_its_end().map_err(|stop| match stop {
            Stop::Waited => CompileError::Limit { key: "compile-wait", limit: format!("{:?}", limits.compile_wait) },
            Stop::TooMuch => CompileError::Limit { key: "compiled-bytes", limit: limits.compiled_bytes.to_string() },
            Stop::Failed(error) => no_process(error),
        })?;
        // Its pipes were closed, which only its end does.
        let status = process.0.wait().map_err(no_process)?;
        outcome::code(status, written, &said, limits)
    }

    fn start(&self, component: &[u8], limits: &Limits) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(CompileRequest::new(component, limits).to_string());
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.env("RAYON_NUM_THREADS", self.threads.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Who types Ctrl-C means the host, which takes it along.
        command.process_group(0).current_dir("/");
        command.spawn()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Of one that has ended and was waited for neither does anything.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
