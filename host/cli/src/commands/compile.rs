//! What the program starts itself for: a component is compiled in a process of its own, which ends at its limits.

use std::io;

use tidemill_guest::{CompileRequest, compile_as_child};

use crate::failure::Failure;

/// Compiles what it was asked for, if the question can be understood.
pub fn run(asked: Result<CompileRequest, String>) -> Result<(), Failure> {
    let request = asked.map_err(Failure::input)?;
    compile_as_child(&request, &mut io::stdin().lock(), &mut io::stdout().lock())
        .map_err(|error| Failure::run(error.to_string()))
}
