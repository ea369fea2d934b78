//! Which seeds are run, and what is said about them.
#![allow(clippy::print_stdout, reason = "how much was tried is part of the result")]

use std::{collections::BTreeMap, io::Write, sync::Mutex};

use tidemill_sim::{Failure, Report};

use crate::guests::simulator;

/// New seeds, unless it is said otherwise.
const SEEDS: u64 = 200;

/// After so many it is said how many are done.
const TOLD_EVERY: usize = 500;

/// Simulations that run at the same time.
const AT_ONCE: usize = 2;

/// Every run has at least so many faults.
const FAULTS_MIN: u64 = 10;

/// Lines of a trace that are told when a seed fails.
const LINES_TOLD: usize = 40;

/// Seeds that once failed.
const FAILED_ONCE: &str = include_str!("seeds.txt");

#[test]
fn promises_are_kept_whatever_fails() {
    if let Some(seed) = number("TIDEMILL_SIM_SEED") {
        return show(seed);
    }
    let mut total = Total::default();
    let mut failures = Vec::new();
    let seeds = failed_once().chain(1..=number("TIDEMILL_SIM_SEEDS").unwrap_or(SEEDS)).collect();
    for (seed, result) in run_all(seeds) {
        match result {
            Ok(report) => {
                assert!(report.faults.values().sum::<u64>() >= FAULTS_MIN, "seed {seed}: {:?}", report.faults);
                total.add(&report);
            }
            Err(failure) => failures.push(failure),
        }
    }
    let _ = writeln!(std::io::stderr(), "{total}");
    assert!(failures.is_empty(), "{}", told(&failures));
}

/// Runs one seed, and prints everything that happens.
fn show(seed: u64) {
    match simulator().run(seed) {
        Ok(report) => print!("{}", report.trace),
        Err(failure) => {
            print!("{}", failure.trace);
            panic!("{failure}");
        }
    }
}

/// What came of each seed, by seed. Simulations know nothing of each other, so some run at the same time.
#[allow(clippy::disallowed_methods, reason = "the threads are the test's, not the engine's")]
fn run_all(seeds: Vec<u64>) -> BTreeMap<u64, Result<Report, Failure>> {
    let count = seeds.len();
    let left = Mutex::new(seeds);
    let done = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let Some(seed) = left.lock().unwrap().pop() else { return };
            // Traces are long, and made again when they are wanted.
            let result = simulator().run(seed).map(|report| Report { trace: String::new(), ..report });
            let result = result.map_err(|failure| Failure { trace: end_of(&failure.trace), ..failure });
            if let Err(failure) = &result {
                let _ = writeln!(std::io::stderr(), "seed {seed}: {}", failure.what);
            }
            let mut done = done.lock().unwrap();
            done.insert(seed, result);
            if done.len() % TOLD_EVERY == 0 {
                let failed = done.values().filter(|result| result.is_err()).count();
                let _ = writeln!(std::io::stderr(), "{} of {count} seeds, {failed} failed", done.len());
            }
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    done.into_inner().unwrap()
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 17, 99] {
        let run = || simulator().run(seed).map_or_else(|failure| failure.trace, |report| report.trace);
        let (first, second) = (run(), run());
        let differs = first.lines().zip(second.lines()).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first, second, "seed {seed}");
        assert!(!first.is_empty());
    }
}

#[allow(clippy::disallowed_methods, reason = "which seeds are run, whoever starts it says")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|seeds| seeds.parse().unwrap())
}

fn failed_once() -> impl Iterator<Item = u64> {
    let lines = FAILED_ONCE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next()).map(|seed| seed.parse().unwrap())
}

/// Every failure, how to see it again, and the end of the first one's trace.
fn told(failures: &[Failure]) -> String {
    let mut text = format!("{} seeds failed\n", failures.len());
    for failure in failures.iter().take(20) {
        text += &format!("{failure}\n");
    }
    let first = &failures[0];
    text += &format!("\nthe end of seed {}:\n{}\n", first.seed, first.trace);
    text + &format!(
        "\nto see all of it: TIDEMILL_SIM_SEED={} cargo test --workspace --test sim -- promises --nocapture\nadd the seed \
         to host/sim/tests/sim/seeds.txt",
        first.seed
    )
}

/// A trace's last lines.
fn end_of(trace: &str) -> String {
    let lines: Vec<&str> = trace.lines().collect();
    lines[lines.len().saturating_sub(LINES_TOLD)..].join("\n")
}

/// What all runs had.
#[derive(Default)]
struct Total {
    runs: u64,
    batches: u64,
    lines: u64,
    restarts: u64,
    faults: BTreeMap<&'static str, u64>,
}

impl Total {
    fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.batches += report.batches;
        self.lines += report.lines;
        self.restarts += report.restarts;
        for (kind, count) in &report.faults {
            *self.faults.entry(kind).or_default() += count;
        }
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Total { runs, batches, lines, restarts, faults } = self;
        let count: u64 = faults.values().sum();
        write!(f, "{runs} runs, {batches} batches, {lines} lines, {count} faults injected, {restarts} restarts")?;
        faults.iter().try_for_each(|(kind, count)| write!(f, "\n{count:>8} {kind}"))
    }
}
