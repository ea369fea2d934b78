//! What can be typed.

use std::{path::PathBuf, str::FromStr};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use tidemill_connect::{
    Address,
    generate::{GenerateKind, SEED, VOCABULARY, VOCABULARY_MAX},
};
use tidemill_guest::CompileRequest;
use tidemill_model::time::Timestamp;
use tidemill_plan::Override;

/// More threads than this have never made a pipeline faster.
const WORKERS_MAX: i64 = 1_024;

/// The version, the commit that a release was built of, and the interface of plugins.
const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), env!("TIDEMILL_BUILT_OF"), " (plugins: tidemill:plugin@0.1.0)");

/// Runs pipelines whose user code is sandboxed Wasm components.
#[derive(Debug, Parser)]
#[command(name = "tidemill", version = VERSION, arg_required_else_help = true, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 the run failed, or inspect found damage, or replay a difference; 2 usage or pipeline error."
)]
pub struct Arguments {
    #[command(flatten)]
    pub logging: Logging,
    #[command(subcommand)]
    pub command: Command,
}

/// What is logged, and how. Logs go to standard error.
#[derive(Args, Debug)]
pub struct Logging {
    /// The least important lines that are logged
    #[arg(long, global = true, value_enum, default_value = "info", env = "TIDEMILL_LOG", value_name = "LEVEL")]
    pub log_level: LogLevel,
    /// Log warnings and errors alone; twice: errors alone
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "log_level")]
    pub quiet: u8,
    /// Log what is said for debugging, too; twice: all of it
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with_all = ["log_level", "quiet"])]
    pub verbose: u8,
    /// How a logged line looks
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

impl Logging {
    /// The least important lines that are logged.
    pub fn level(&self) -> LogLevel {
        match (self.quiet, self.verbose) {
            (0, 0) => self.log_level,
            (0, 1) => LogLevel::Debug,
            (0, _) => LogLevel::Trace,
            (1, _) => LogLevel::Warn,
            _ => LogLevel::Error,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// What form was asked for where the rest of what was typed cannot be understood.
pub fn asked_form() -> LogFormat {
    let typed: Vec<_> = std::env::args_os().collect();
    let is_json = typed.windows(2).any(|pair| pair[0] == "--log-format" && pair[1] == "json");
    if is_json || typed.iter().any(|word| word == "--log-format=json") { LogFormat::Json } else { LogFormat::Text }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// A JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a plugin project: one function of each kind, a test, a pipeline
    New(New),
    /// Compile a plugin project to its component, checked and ready to load
    Build(Build),
    /// Say everything that can be known to be wrong with a pipeline before its first batch
    Check(Check),
    /// Run a pipeline
    Run(Run),
    /// Show what is in a component, or in a pipeline's checkpoint
    Inspect(Inspect),
    /// Run a past batch again from the checkpoint, and compare what comes out with what was committed
    Replay(Replay),
    /// Write made-up lines, the same for the same seed, to standard output or a socket
    Generate(Generate),
    /// Send the lines of standard input over TCP, for machines without netcat
    Nc(Nc),
    /// Write what a shell reads to complete commands and options
    Completions(Completions),
}

/// What the program starts itself with, to compile a component.
pub const COMPILE: &str = "compile-component";

/// What this process was started for by the same program, if it was: that is no command, and stands in no list of them.
pub fn asked_to_compile() -> Option<Result<CompileRequest, String>> {
    let mut typed = std::env::args_os().skip(1);
    typed.next().filter(|word| word == COMPILE)?;
    let bounds: Vec<String> = typed.map(|word| word.to_string_lossy().into_owned()).collect();
    Some(bounds.concat().parse())
}

#[derive(Args, Debug)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub struct New {
    /// The project's folder, made anew; its last part is the plugin's name
    pub name: PathBuf,
    /// The folder of the SDK (sdk/rust); without it the project gets a copy of its own
    #[arg(long, value_name = "FOLDER")]
    pub sdk: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Build {
    /// The project's folder
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// Where the component is written, in place of NAME.wasm in the project's folder
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Build again whenever a source changes, until it is interrupted
    #[arg(long)]
    pub watch: bool,
    /// Changes a limit of the plugin, say compile-memory=2GiB; may be given again
    #[arg(long = "limit", value_name = "LIMIT=VALUE")]
    pub limits: Vec<String>,
    #[command(flatten)]
    pub cache: Cache,
}

/// Where compiled code is kept.
#[derive(Args, Clone, Copy, Debug)]
pub struct Cache {
    /// Compile plugins anew, and keep no compiled code
    #[arg(long)]
    pub no_cache: bool,
}

/// A pipeline and what is changed in it.
#[derive(Args, Debug)]
pub struct Pipeline {
    /// The pipeline's TOML file
    #[arg(default_value = "pipeline.toml")]
    pub pipeline: PathBuf,
    /// Replaces a value of the pipeline, say streams.lines.socket=127.0.0.1:9999; may be given again
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub overrides: Vec<Override>,
    #[command(flatten)]
    pub cache: Cache,
}

#[derive(Args, Debug)]
pub struct Check {
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// Write one JSON object, also when something is wrong: its `mistakes` have a severity, a message, and where it is known a
    /// file, line, column, label and help
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct Run {
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// Stop after N batches
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "until_done")]
    pub batches: Option<u64>,
    /// Stop when bounded sources are used up; a folder counts as bounded then
    #[arg(long)]
    pub until_done: bool,
    /// Threads that run batches; the machine's cores, unless it is said. Results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=WORKERS_MAX))]
    pub workers: Option<u32>,
    /// Whose time decides when batches end
    #[arg(long, value_enum, default_value = "system")]
    pub clock: ClockKind,
    /// Give every batch new instances of its plugins, to find those that remember
    #[arg(long)]
    pub fresh_instances: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClockKind {
    /// The system's
    System,
    /// One that begins in 1970 and jumps to whatever is waited for: batch after batch without a pause. It stands while a
    /// batch runs, so the times that logs say are 0
    Manual,
}

#[derive(Args, Debug)]
pub struct Inspect {
    /// A component, as `tidemill build` writes it, or a checkpoint, which is only read: its folder, or s3://BUCKET/PREFIX
    pub path: PathBuf,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
    /// Write each key with its state as a JSON object a line, of one stream or of all, in the order of keys
    #[arg(long, value_name = "STREAM", num_args = 0..=1, conflicts_with = "json")]
    pub keys: Option<Option<String>>,
    /// Changes a limit of the component, say compile-memory=2GiB; may be given again
    #[arg(long = "limit", value_name = "LIMIT=VALUE")]
    pub limits: Vec<String>,
    #[command(flatten)]
    pub cache: Cache,
}

#[derive(Args, Debug)]
pub struct Replay {
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// The batch: milliseconds or a date, as `tidemill inspect` shows them, or `last`
    #[arg(long, value_name = "TIME")]
    pub batch: BatchName,
    /// Runs another component in place of a plugin, and shows what differs; may be given again
    #[arg(long = "plugin", value_name = "NAME=FILE")]
    pub plugins: Vec<Replacement>,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
    /// Threads that run the batch; the machine's cores, unless it is said. Results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=WORKERS_MAX))]
    pub workers: Option<u32>,
}

/// Which batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchName {
    /// The last one that was committed.
    Last,
    /// The one of this time.
    At(Timestamp),
}

/// A component to run in place of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The plugin's name in the pipeline.
    pub name: String,
    /// The component.
    pub path: PathBuf,
}

#[derive(Args, Debug)]
pub struct Generate {
    /// What the lines are about
    #[arg(value_enum)]
    pub kind: FeedKind,
    #[command(flatten)]
    pub target: FeedTarget,
    /// Lines a second; as fast as they are taken, unless it is said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,
    /// Lines in all; without end, unless it is said
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// The same seed gives the same lines, here and in a pipeline's `generate`
    #[arg(long, value_name = "N", default_value_t = SEED)]
    pub seed: u64,
    /// How many different words there are
    #[arg(long, value_name = "N", default_value_t = VOCABULARY as u64)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=VOCABULARY_MAX as u64))]
    pub vocabulary: u64,
}

/// Where a feed goes: standard output, unless it is said.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub struct FeedTarget {
    /// Wait for consumers at this address; every line goes to all that are there (port 0: any free one)
    #[arg(long, value_name = "HOST:PORT", value_parser = Address::try_parse)]
    pub listen: Option<Address>,
    /// Connect to a consumer at this address
    #[arg(long, value_name = "HOST:PORT", value_parser = Address::try_parse)]
    pub connect: Option<Address>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FeedKind {
    /// Ten words a line, frequencies after Zipf
    Words,
    /// {"order_id": "...", "status": "PLACED"}
    Orders,
    /// x y, now and then a bad one
    Points,
    /// {"user_id": 1000, "activity": "profile.view"}
    Activity,
}

#[derive(Args, Debug)]
#[command(override_usage = "tidemill nc HOST PORT\n       tidemill nc -l [-k] [HOST] PORT")]
pub struct Nc {
    /// Wait for a connection
    #[arg(short = 'l')]
    pub listen: bool,
    /// Wait for the next one when a connection ends
    #[arg(short = 'k', requires = "listen")]
    pub keep: bool,
    /// The host, which may be left out with -l, and the port
    #[arg(required = true, num_args = 1..=2, value_name = "[HOST] PORT")]
    pub address: Vec<String>,
}

impl FromStr for BatchName {
    type Err = String;

    fn from_str(text: &str) -> Result<BatchName, String> {
        if text == "last" {
            return Ok(BatchName::Last);
        }
        if let Some(time) = Timestamp::parse_rfc3339(text) {
            return Ok(BatchName::At(time));
        }
        // As it is said in logs, too: with the date behind it.
        let millis = text.split(" (").next().unwrap_or_default();
        let millis = millis.trim_end_matches("ms").trim_end().parse::<i64>();
        let micros = millis.ok().and_then(|millis| millis.checked_mul(1000));
        let time = micros.map(|micros| BatchName::At(Timestamp(micros)));
        time.ok_or("neither milliseconds, nor a date as in 2026-11-30T12:00:00Z, nor `last`".to_owned())
    }
}

impl FromStr for Replacement {
    type Err = String;

    fn from_str(text: &str) -> Result<Replacement, String> {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => {
                Ok(Replacement { name: name.to_owned(), path: PathBuf::from(path) })
            }
            _ => Err("it is NAME=FILE, say wordcount=new/wordcount.wasm".to_owned()),
        }
    }
}

impl From<FeedKind> for GenerateKind {
    fn from(kind: FeedKind) -> GenerateKind {
        match kind {
            FeedKind::Words => GenerateKind::Words,
            FeedKind::Orders => GenerateKind::Orders,
            FeedKind::Points => GenerateKind::Points,
            FeedKind::Activity => GenerateKind::Activity,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }
}
