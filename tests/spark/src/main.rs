//! Runs stream cases through the engine: `tests/spark/run FILE...`. What a case is, and how it is run, is in README.md.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failing test says it by a panic"))]

mod case;
mod compare;
mod compile;
mod lanes;
mod plugin;
mod run;
mod sink;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod units;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use tidemill_engine::checkpoint::Point;

use case::Case;
use plugin::Named;
use run::Mode;

/// How each case is run: partitions, rows of a chunk and new instances for each batch in every combination, and stopped at
/// four places of each batch.
fn modes() -> Vec<Mode> {
    let mut modes = Vec::new();
    for partitions in [1, 2, 4] {
        for (chunk_rows, workers) in [(1, 2), (usize::MAX, 1)] {
            modes.extend([false, true].map(|fresh| Mode { partitions, workers, chunk_rows, fresh, stop: None }));
        }
    }
    let stops = [
        (1, Point::Plan, true, false),
        (2, Point::Commit, false, true),
        (4, Point::Commit, true, false),
        (2, Point::Deliver, false, false),
    ];
    modes.extend(stops.map(|(partitions, point, after, fresh)| {
        let stop = Some((point, after));
        Mode { partitions, workers: 1, chunk_rows: 2, fresh, stop }
    }));
    modes
}

/// Runs a case in all modes; the first that comes out otherwise is told.
fn check(case: &Case, modes: &[Mode], named: &Named) -> Result<()> {
    let compiled = compile::compile(case)?;
    for mode in modes {
        let outcome = match run::plan(&compiled, mode.partitions, named) {
            Ok(_) => run::run(case, &compiled, *mode, named)?,
            Err(refused) => run::Outcome { error: Some(refused.to_string()), ..run::Outcome::default() },
        };
        compare::check(case, &compiled, &outcome).with_context(|| format!("{mode:?}"))?;
    }
    Ok(())
}

/// The same; a panic fails the case alone.
fn checked(case: &Case, modes: &[Mode], named: &Named) -> Result<()> {
    let result = catch_unwind(AssertUnwindSafe(|| check(case, modes, named)));
    result.unwrap_or_else(|_| bail!("it panicked"))
}

fn main() -> Result<ExitCode> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let (named, modes) = (Named::load()?, modes());
    let (mut passed, mut failed) = (0, 0);
    for file in &files {
        let text = std::fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))?;
        for (id, case) in case::read(&text).with_context(|| format!("{file} has no cases"))? {
            match case.and_then(|case| checked(&case, &modes, &named)) {
                Ok(()) => passed += 1,
                Err(error) => {
                    failed += 1;
                    println!("{id}: {error:#}");
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
