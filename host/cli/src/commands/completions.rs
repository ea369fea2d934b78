//! `tidemill completions`: what a shell reads to complete commands and options.

use clap::{Command, CommandFactory};

use crate::{
    arguments::{self, Arguments},
    failure::Failure,
    stdout,
};

pub fn run(arguments: &arguments::Completions) -> Result<(), Failure> {
    let all = Arguments::command();
    // What is hidden is for no person to type.
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut shown = Command::new("tidemill").args(all.get_arguments().cloned()).subcommands(shown);
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut shown, "tidemill", &mut script);
    stdout::write_text(&String::from_utf8_lossy(&script))
}
