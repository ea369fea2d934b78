//! `tidemill completions`: what a shell reads to complete commands and options.

use clap::CommandFactory;

use crate::{
    arguments::{self, Arguments},
    failure::Failure,
    stdout,
};

pub fn run(arguments: &arguments::Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "tidemill", &mut script);
    stdout::write_text(&String::from_utf8_lossy(&script))
}
