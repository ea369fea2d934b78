//! The process that compiles: it takes limits upon itself before it sees a byte of the component.

use std::io::{self, Read, Write};

use rustix::process::{Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit};

use super::{outcome, packed, request::CompileRequest};

/// Files that it may have open: its three pipes, and what the system's libraries look into.
const OPEN_FILES: u64 = 64;

/// Reads a component from `input` and writes to `output` its code, or why there is none. For the process that a
/// [`ChildCompiler`](super::ChildCompiler) starts, and for no other: it cannot do anything else any more.
///
/// # Errors
/// A limit cannot be set, the host is gone, or a pipe to it is broken.
pub fn compile_as_child(request: &CompileRequest, input: &mut dyn Read, output: &mut dyn Write) -> io::Result<()> {
    live_no_longer_than(request.parent)?;
    limit(request)?;
    let mut component = Vec::new();
    input.take(request.component_bytes).read_to_end(&mut component)?;
    if component.len() as u64 != request.component_bytes {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the component ends early"));
    }
    output.write_all(&outcome::told(packed(&component)))?;
    output.flush()
}

/// Ends this process with the one that started it, however that ends.
fn live_no_longer_than(parent: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have gone before it was asked for.
    let now = getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs());
    if now == Some(parent) { Ok(()) } else { Err(io::Error::other("the process that asked for it is gone")) }
}

fn limit(request: &CompileRequest) -> io::Result<()> {
    for (resource, bound) in [
        (Resource::Cpu, request.seconds),
        // What is counted is memory that can be written, not addresses: a runtime reserves many of those.
        (Resource::Data, request.memory_bytes),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nofile, OPEN_FILES),
    ] {
        let least = |inherited: Option<u64>| Some(inherited.map_or(bound, |inherited| inherited.min(bound)));
        let inherited = getrlimit(resource);
        let maximum = match resource {
            // At the first bound comes the signal that says why, at the second one the one that cannot be caught.
            Resource::Cpu => least(inherited.maximum).map(|bound| bound.saturating_add(1)),
            _ => least(inherited.maximum),
        };
        let maximum = maximum.map(|bound| inherited.maximum.map_or(bound, |inherited| inherited.min(bound)));
        setrlimit(resource, Rlimit { current: least(inherited.maximum), maximum })?;
    }
    Ok(())
}
