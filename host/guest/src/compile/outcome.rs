//! What the compiling process says, and what its end means.

use std::{io, os::unix::process::ExitStatusExt, process::ExitStatus};

use rustix::process::Signal;
use tidemill_model::limits::Limits;
use wasmtime::error::OutOfMemory;

use super::{CompileError, request::seconds};
use crate::code;

/// In place of code: why there is none.
const NONE: &[u8; 16] = b"tidemill-none-1\n";
/// Behind it: there was not enough memory; or something else, in words.
const MEMORY: &[u8] = b"M";
const OTHER: &[u8] = b"R";

/// Bytes of a reason that are kept.
pub(super) const REASON_BYTES: usize = 4 << 10;

/// What the compiling process writes to its host.
pub(super) fn told(compiled: wasmtime::Result<Vec<u8>>) -> Vec<u8> {
    match compiled {
        Ok(code) => code,
        Err(error) if is_memory(&error) => [&NONE[..], MEMORY].concat(),
        Err(error) => [NONE, OTHER, format!("{error:#}").as_bytes()].concat(),
    }
}

/// The code that a compiling process has written, or why there is none; `said` is what stood on its standard error.
pub(super) fn code(
    status: ExitStatus,
    written: Vec<u8>,
    said: &[u8],
    limits: &Limits,
) -> Result<Vec<u8>, CompileError> {
    let said = String::from_utf8_lossy(said);
    if status.success() {
        return match written.strip_prefix(NONE).map(|why| (why.strip_prefix(OTHER), why)) {
            Some((Some(reason), _)) => Err(CompileError::Refused { reason: cut(&String::from_utf8_lossy(reason)) }),
            Some((None, MEMORY)) => Err(out_of_memory(limits)),
            None if code::is_whole(&written) => Ok(written),
            _ => Err(CompileError::Failed { reason: "what it wrote is no code".to_owned() }),
        };
    }
    if status.signal() == Some(Signal::XCPU.as_raw()) {
        return Err(CompileError::Limit { key: "compile-time", limit: format!("{}s", seconds(limits)) });
    }
    if is_out_of_memory(&said) {
        return Err(out_of_memory(limits));
    }
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let reason = match status.signal() {
        Some(signal) if signal == Signal::KILL.as_raw() => {
            "somebody killed it; the machine may have run out of memory".to_owned()
        }
        _ if last.is_empty() => status.to_string(),
        _ => format!("{status}: {last}"),
    };
    Err(CompileError::Failed { reason: cut(&reason) })
}

pub(super) fn out_of_memory(limits: &Limits) -> CompileError {
    CompileError::Limit { key: "compile-memory", limit: limits.compile_memory.to_string() }
}

/// How the standard library says it while it ends the process: there is no other sign of it.
fn is_out_of_memory(said: &str) -> bool {
    ["memory allocation of ", "Cannot allocate memory", "ThreadPoolBuildError"].iter().any(|words| said.contains(words))
}

/// Whether it is the system that had no memory left.
fn is_memory(error: &wasmtime::Error) -> bool {
    let system = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    system.into_iter().any(|error| error.kind() == io::ErrorKind::OutOfMemory) || error.is::<OutOfMemory>()
}

fn cut(reason: &str) -> String {
    reason.chars().take(REASON_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: i32, written: &[u8], said: &str, expect: &CompileError) {
        let got = code(ExitStatus::from_raw(status), written.to_vec(), said.as_bytes(), &Limits::default());
        assert_eq!(got.as_ref(), Err(expect), "{status} {said}");
    }

    #[test]
    fn every_end_has_its_meaning() {
        let memory = CompileError::Limit { key: "compile-memory", limit: (1_u64 << 30).to_string() };
        let time = CompileError::Limit { key: "compile-time", limit: "60s".to_owned() };
        let failed = |reason: &str| CompileError::Failed { reason: reason.to_owned() };
        let refused = |reason: &str| CompileError::Refused { reason: reason.to_owned() };
        let (abort, cpu, kill, segment) = (6, 24, 9, 11);
        check(cpu, b"", "", &time);
        check(abort, b"", "memory allocation of 3 bytes failed", &memory);
        check(101 << 8, b"", "called `Result::unwrap()`: Os { message: \"Cannot allocate memory\" }", &memory);
        check(0, b"tidemill-none-1\nM", "", &memory);
        // A component chooses some of the words.
        check(0, b"tidemill-none-1\nRmemory allocation of", "", &refused("memory allocation of"));
        check(kill, b"", "", &failed("somebody killed it; the machine may have run out of memory"));
        check(segment, b"", "", &failed("signal: 11 (SIGSEGV)"));
        check(101 << 8, b"", "thread panicked\nindex 7\n\n", &failed("exit status: 101: index 7"));
        check(0, b"", "", &failed("what it wrote is no code"));
        check(0, b"tidemill-code-2\ncut", "", &failed("what it wrote is no code"));
    }

    #[test]
    fn a_reason_is_told_as_it_is_and_is_cut() {
        let long = "é".repeat(REASON_BYTES + 1);
        let written = told(Err(wasmtime::Error::msg(long)));
        let got = code(ExitStatus::from_raw(0), written, b"", &Limits::default());
        assert_eq!(got, Err(CompileError::Refused { reason: "é".repeat(REASON_BYTES) }));
    }
}
