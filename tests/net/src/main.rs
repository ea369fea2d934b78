//! Two nets under the tests: `mutants` finds mistakes that no test sees, `flakes` tests that fail by chance. See README.md.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a tool of developers, which runs programs, measures how long they take, and prints what came of it"
)]

mod flakes;
mod mutants;
mod process;
mod programs;
mod progress;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

/// Nets under the tests.
#[derive(Parser)]
#[command(args_override_self = true)]
enum Command {
    /// Puts small mistakes into the product, and says which ones no test sees.
    Mutants(mutants::Options),
    /// Runs each test program again and again beside a busy build, and says what fails by chance.
    Flakes(flakes::Options),
    /// Computes until standard input is closed; the load of `flakes`.
    #[command(hide = true)]
    Busy,
    /// Waits until standard input is closed, and ends what was started with temporary folders in this one.
    #[command(hide = true)]
    Watch { folder: PathBuf },
}

fn main() -> anyhow::Result<ExitCode> {
    let is_well = match Command::parse() {
        Command::Mutants(options) => mutants::run(&options)?,
        Command::Flakes(options) => flakes::run(&options)?,
        Command::Busy => return Ok(flakes::be_busy()),
        Command::Watch { folder } => return Ok(process::watch(&folder)),
    };
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
