//! `make flakes`: runs each test program again and again beside a busy build, and says which tests fail or hang by chance.

mod load;
mod outcome;

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use tidemill_tests::repository;

use crate::{
    process::Runner,
    programs::{Program, cargo, libraries, programs},
    progress::{Progress, workers},
};
pub use load::be_busy;

use load::Load;
use outcome::{Failure, failure};

/// Tests that take minutes by nature, by a part of their names. They are in the first runs of their program, and left out
/// of the others.
const LONG: [(&str, &str); 5] = [
    ("project::", "compiles projects from nothing"),
    ("compile_errors::", "compiles what must not compile"),
    ("building::", "compiles projects from nothing"),
    ("docs::", "compiles and runs what the documentation says"),
    ("any_call_of_the_storage", "fails each call of the storage in turn"),
];
/// Suites that are as long as one wants, made short in all but the first runs.
const SHORT: [(&str, &str); 2] = [("TIDEMILL_SIM_SEEDS", "20"), ("TIDEMILL_KILLS", "5")];
/// Runs with everything in them.
const WHOLE_RUNS: usize = 3;
/// Multiplies the cases of property tests.
const CASES_FACTOR: &str = "TIDEMILL_CASES_FACTOR";
/// What it is in the first run of a program.
const MANY_CASES: &str = "100";
/// The longest that a run may take beside the load.
const LIMIT: Duration = Duration::from_secs(900);
/// The same for a run with everything in it, and the one with many cases.
const WHOLE_LIMIT: Duration = Duration::from_secs(5400);

#[derive(Args)]
pub struct Options {
    /// How often each program is run.
    #[arg(long, default_value_t = 100)]
    runs: usize,
    /// Only the test programs of this package, and only it is built.
    #[arg(long = "package", short = 'p', value_name = "NAME")]
    packages: Vec<String>,
    /// Only programs with this in their names: engine, tidemill/product.
    #[arg(long, value_name = "SUBSTRING")]
    program: Option<String>,
    /// Leaves out tests with this in their names.
    #[arg(long, value_name = "SUBSTRING")]
    skip: Vec<String>,
    /// Runs with no load beside, to see what a failure has to do with it.
    #[arg(long)]
    alone: bool,
}

/// Whether nothing has failed.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    let folder = repository().join("target/flakes");
    fs::create_dir_all(&folder)?;
    let mut programs = build(&options.packages)?;
    programs.retain(|program| options.program.as_ref().is_none_or(|part| program.name.contains(part)));
    if programs.is_empty() {
        bail!("there is no such program");
    }
    let runs = Runs {
        options,
        runner: Runner::start(&folder)?,
        load: if options.alone { None } else { Some(Load::start(&folder, workers())?) },
        libraries: libraries()?,
        folder,
    };
    let mut failures = Vec::new();
    for program in &programs {
        failures.extend(runs.of(program)?);
    }
    drop(runs);
    report(options.runs, &programs, &failures)?;
    Ok(failures.is_empty())
}

/// Builds the test programs as `cargo test` does, so that nothing is built again.
fn build(packages: &[String]) -> anyhow::Result<Vec<Program>> {
    let mut arguments = vec!["test", "--locked", "--no-run", "--message-format", "json"];
    if packages.is_empty() {
        arguments.push("--workspace");
    }
    arguments.extend(packages.iter().flat_map(|package| ["-p", package.as_str()]));
    let built = cargo(repository(), None, &arguments)?;
    if !built.well {
        bail!("the test programs are not built");
    }
    Ok(programs(&built.messages))
}

/// What programs are run with.
struct Runs<'a> {
    options: &'a Options,
    runner: Runner,
    load: Option<Load>,
    libraries: PathBuf,
    /// Where the output of failures is kept.
    folder: PathBuf,
}

impl Runs<'_> {
    fn of(&self, program: &Program) -> anyhow::Result<Vec<Failure>> {
        let tests = program.tests(&self.libraries)?;
        if tests.is_empty() {
            return Ok(Vec::new());
        }
        eprintln!("flakes: {}, {} tests", program.name, tests.len());
        let mut progress = Progress::new("flakes", self.options.runs);
        let mut failures = Vec::new();
        for run in 1..=self.options.runs {
            self.load.as_ref().map_or(Ok(()), Load::check)?;
            let mut command = program.command(&self.libraries);
            let (skipped, limit) = arrange(&mut command, run, self.options);
            let ended = self.runner.run(&mut command, limit, |_| false)?;
            let expected: Vec<&str> = tests
                .iter()
                .map(String::as_str)
                .filter(|test| !skipped.iter().any(|part| test.contains(part)))
                .collect();
            let failure = failure(&program.name, run, &ended, &expected, workers());
            progress.step(&failure.as_ref().map(Failure::to_string).unwrap_or_default(), failure.is_none());
            if let Some(failure) = failure {
                let path = self.folder.join(failure.output_name());
                fs::write(&path, ended.lines.join("\n")).with_context(|| path.display().to_string())?;
                failures.push(failure);
            }
        }
        Ok(failures)
    }
}

/// What a run is told, which tests it leaves out, and how long it may take.
fn arrange<'a>(command: &mut Command, run: usize, options: &'a Options) -> (Vec<&'a str>, Duration) {
    let is_whole = run <= WHOLE_RUNS;
    let mut skipped: Vec<&str> = options.skip.iter().map(String::as_str).collect();
    if !is_whole {
        skipped.extend(LONG.iter().map(|(part, _)| *part));
        command.envs(SHORT);
    }
    command.env(CASES_FACTOR, if run == 1 { MANY_CASES } else { "1" });
    command.args(skipped.iter().flat_map(|part| ["--skip", part]));
    (skipped, if is_whole { WHOLE_LIMIT } else { LIMIT })
}

fn report(runs: usize, programs: &[Program], failures: &[Failure]) -> anyhow::Result<()> {
    let hangs = failures.iter().filter(|failure| failure.is_hang).count();
    for failure in failures {
        println!("{failure}; see target/flakes/{}", failure.output_name());
    }
    let count = failures.len();
    println!("{runs} runs of {} programs: {count} failures, {hangs} of them hangs", programs.len());
    let value = json!({
        "runs": runs,
        "programs": programs.len(),
        "failures": count,
        "hangs": hangs,
        "failed": failures.iter().map(Failure::value).collect::<Vec<_>>(),
    });
    let path = repository().join("target/flakes.json");
    fs::write(&path, serde_json::to_string_pretty(&value)? + "\n").with_context(|| path.display().to_string())
}
