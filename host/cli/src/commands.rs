//! The commands, a file each.

mod build;
mod check;
pub mod compile;
mod completions;
mod generate;
mod inspect;
mod nc;
mod new;
mod replay;
mod run;

use crate::{arguments::Command, failure::Failure};

/// Does what was typed.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::New(arguments) => new::run(&arguments),
        Command::Build(arguments) => build::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Nc(arguments) => nc::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
