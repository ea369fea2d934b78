//! What the program starts itself for: a component is compiled in a process of its own, which ends at its limits.

use std::io;

use tidemill_guest::compile_as_child;

use crate::{arguments, failure::Failure};

pub fn run(arguments: &arguments::Compile) -> Result<(), Failure> {
    compile_as_child(&arguments.request, &mut io::stdin().lock(), &mut io::stdout().lock())
        .map_err(|error| Failure::run(error.to_string()))
}
