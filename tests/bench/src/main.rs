//! Measures how fast Tidemill is, prints a table, and writes `target/bench.json`. How and why: `host/BENCHMARKS.md`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark measures real time and prints what it measured"
)]

mod batches;
mod bombs;
mod boundary;
mod brc;
mod builds;
mod churn;
mod corpus;
mod folder;
mod headers;
mod job;
mod keys;
mod many_keys;
mod memory;
mod native;
mod nets;
mod poison;
mod report;
mod start;
mod windows;
mod wordcount;

use std::path::{Path, PathBuf};

use clap::Parser;

use corpus::Corpus;
use job::{Plugins, Value};
use report::{Figure, Goal};

/// Measures how fast Tidemill is.
#[derive(Parser)]
struct Options {
    /// Only figures whose names begin with one of these (wordcount, sums, boundary, batch, state, churn, recovery, memory, folder,
    /// poison, start, window, brc, compile, fuel, checkpoint, mutants, flakes), and those of build, which are measured only if they are named: a quarter of an hour.
    only: Vec<String>,
    /// Words of the corpus.
    #[arg(long, default_value_t = 20_000_000)]
    words: usize,
    /// How often the corpus is fed.
    #[arg(long, default_value_t = 20)]
    repeat: usize,
    /// Runs of each comparison.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Where compiled guests and bench.json go.
    #[arg(long, default_value = "target")]
    target: PathBuf,
}

impl Options {
    fn wants(&self, group: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| group.starts_with(only.as_str()))
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let plugins = Plugins::build(&["brc", "wordcount", "hostile"], &options.target.join("guests"))?;
    let mut figures = Vec::new();
    if options.wants("boundary") {
        figures.extend(boundary::measure(&plugins)?);
    }
    if options.wants("batch") {
        figures.extend(batches::empty(&plugins)?);
    }
    if options.wants("state") {
        figures.extend(batches::idle_keys(&plugins)?);
    }
    if options.wants("churn") {
        figures.extend(churn::measure(&plugins)?);
    }
    if options.wants("recovery") || options.wants("state") {
        figures.push(many_keys::memory(&plugins)?);
        let folder = tempfile::tempdir_in(&options.target)?;
        figures.extend(many_keys::checkpoint(&plugins, folder.path())?);
        figures.extend(headers::measure(folder.path())?);
    }
    if options.wants("window") {
        figures.extend(windows::slides(&plugins)?);
        let folder = tempfile::tempdir_in(&options.target)?;
        figures.push(windows::recovery(&plugins, folder.path())?);
    }
    if options.wants("memory") {
        let folder = tempfile::tempdir_in(&options.target)?;
        figures.push(memory::measure(&program(&options.target)?, folder.path())?);
    }
    if options.wants("folder") {
        let folder = tempfile::tempdir_in(&options.target)?;
        figures.extend(folder::measure(&program(&options.target)?, folder.path())?);
    }
    if options.wants("poison") {
        figures.extend(poison::measure(&plugins)?);
    }
    if options.wants("start") {
        figures.push(start::measure(&program(&options.target)?, &plugins.component("wordcount")?)?);
    }
    if options.wants("compile") {
        let folder = tempfile::tempdir_in(&options.target)?;
        figures.extend(bombs::memory(&program(&options.target)?, folder.path())?);
    }
    if options.wants("fuel") {
        figures.push(bombs::fuel()?);
    }
    if options.wants("brc") {
        let folder = tempfile::tempdir_in(&options.target)?;
        let component = plugins.component("brc")?;
        figures.extend(brc::measure(&program(&options.target)?, &component, folder.path(), options.runs)?);
    }
    figures.extend(words(&options, &plugins)?);
    if options.wants("build.plugin") {
        let folder = tempfile::tempdir()?;
        figures.push(builds::plugin(&program(&options.target)?, folder.path(), options.runs)?);
    }
    if !options.only.is_empty() && options.wants("build.test") {
        figures.extend(builds::measure(tempfile::tempdir()?.path())?);
    }
    figures.extend(nets::figures(&options.target)?.into_iter().filter(|figure| options.wants(figure.name)));
    print!("{}", report::table(&figures));
    report::write(&figures, &options.target.join("bench.json"))
}

/// The word counts.
fn words(options: &Options, plugins: &Plugins) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let job = |corpus: &Corpus, value: Value| {
        eprintln!("{} words, {} times, {} runs of each side ...", corpus.words, options.repeat, options.runs);
        wordcount::measure(corpus, options.repeat, options.runs, value, plugins)
    };
    if options.wants("wordcount") || options.wants("sums") {
        let corpus = Corpus::new(options.words, 100_000);
        if options.wants("wordcount") {
            let times = job(&corpus, Value::One)?;
            let (ratios, goal) = (times.ratios(), Some(Goal::AtLeast(72e6)));
            figures.push(Figure::of_runs("wordcount.words_per_second", times.pipeline, "words/s", goal));
            figures.push(Figure::of_runs("wordcount.native_words_per_second", times.native, "words/s", None));
            figures.push(Figure::of_runs("wordcount.native_ratio", ratios, "", Some(Goal::AtLeast(1.05))));
        }
        if options.wants("sums") {
            let times = job(&corpus, Value::Length)?;
            let (ratios, pipeline) = (times.ratios(), times.pipeline);
            figures.push(Figure::of_runs("sums.native_ratio", ratios, "", Some(Goal::AtLeast(0.95))));
            figures.push(Figure::of_runs("sums.words_per_second", pipeline, "words/s", None));
        }
    }
    if options.wants("checkpoint") {
        let corpus = Corpus::new(options.words, 100_000);
        let folder = tempfile::tempdir_in(&options.target)?;
        let costs = wordcount::costs(&corpus, options.repeat, options.runs, plugins, folder.path())?;
        figures.push(Figure::of_runs("checkpoint.cost", costs.checkpoint, "%", Some(Goal::AtMost(10.0))));
        figures.push(Figure::of_runs("checkpoint.acknowledge_cost", costs.acknowledge, "%", None));
    }
    if options.wants("wordcount.wide") {
        let times = job(&Corpus::new(options.words, 1_000_000), Value::One)?;
        let (ratios, pipeline) = (times.ratios(), times.pipeline);
        figures.push(Figure::of_runs("wordcount.wide_native_ratio", ratios, "", Some(Goal::AtLeast(0.85))));
        figures.push(Figure::of_runs("wordcount.wide_words_per_second", pipeline, "words/s", None));
    }
    Ok(figures)
}

/// The program that stands beside this one.
fn program(target: &Path) -> anyhow::Result<PathBuf> {
    Ok(std::path::absolute(target.join("release/tidemill"))?)
}
