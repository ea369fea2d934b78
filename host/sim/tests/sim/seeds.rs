//! Which seeds are run, and what is said about them.
#![allow(clippy::print_stdout, reason = "how much was tried is part of the result")]

use std::collections::BTreeMap;

use tidemill_sim::{Failure, Report};

use crate::guests::simulator;

/// New seeds, unless it is said otherwise.
const SEEDS: u64 = 200;

/// Every run has at least so many faults.
const FAULTS_MIN: u64 = 10;

/// Seeds that once failed.
const FAILED_ONCE: &str = include_str!("seeds.txt");

#[test]
fn promises_are_kept_whatever_fails() {
    let seeds: Vec<u64> = match number("TIDEMILL_SIM_SEED") {
        Some(seed) => vec![seed],
        None => failed_once().chain(1..=number("TIDEMILL_SIM_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let is_single = seeds.len() == 1;
    let mut total = Total::default();
    let mut failures = Vec::new();
    for seed in seeds {
        match simulator().run(seed) {
            Ok(report) => {
                assert!(report.faults.values().sum::<u64>() >= FAULTS_MIN, "seed {seed}: {:?}", report.faults);
                if is_single {
                    print!("{}", report.trace);
                }
                total.add(&report);
            }
            Err(failure) => {
                if is_single {
                    print!("{}", failure.trace);
                }
                failures.push(failure);
            }
        }
    }
    println!("{total}");
    assert!(failures.is_empty(), "{}", told(&failures));
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
    let lines: Vec<&str> = first.trace.lines().collect();
    text += &format!("\nthe end of seed {}:\n{}\n", first.seed, lines[lines.len().saturating_sub(40)..].join("\n"));
    text + &format!(
        "\nto see all of it: TIDEMILL_SIM_SEED={} cargo test --workspace --test sim -- promises --nocapture\nadd the seed \
         to host/sim/tests/sim/seeds.txt",
        first.seed
    )
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
