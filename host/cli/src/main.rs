//! The command line of Tidemill. Each command is a file of `commands`; what can be typed stands in `arguments.rs`, what
//! went wrong becomes a message, hints and an exit code in `failure.rs`.
//!
//! Only this crate reads the environment, handles signals, and ends the process. What a command is asked for goes to
//! standard output, everything else to standard error.
#![deny(unsafe_code)]

mod arguments;
mod commands;
mod embedded;
mod environment;
mod failure;
mod logging;
mod pipeline;
mod plugin_limits;
mod plugin_text;
mod signals;
mod sources;
mod stderr;
mod stdout;
mod storage;
mod time;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    if let Some(asked) = arguments::asked_to_compile() {
        stderr::begin(arguments::LogFormat::Text);
        return commands::compile::run(asked).map_or_else(failure::Failure::report, |()| ExitCode::SUCCESS);
    }
    let arguments = match arguments::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            stderr::begin(arguments::asked_form());
            return stderr::say_usage(&error);
        }
    };
    stderr::begin(arguments.logging.log_format);
    logging::start(&arguments.logging);
    commands::run(arguments.command).map_or_else(failure::Failure::report, |()| ExitCode::SUCCESS)
}
