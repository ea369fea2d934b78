//! A thousand bad batches leave the process as it was. A binary of its own: it measures the memory of the whole process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

#[expect(dead_code, reason = "shared with the other test binary, which uses all of it")]
#[path = "../guest/support.rs"]
mod support;

use support::{Data, only, open, plugin_with, quick_limits, texts};
use tidemill_guest::{Instance, Plugin, Verdict};
use tidemill_model::limits::Limits;

/// Maps that are quick to misbehave.
const QUICK: &[&str] = &[
    "loop-forever",
    "deep-recursion",
    "panics",
    "traps",
    "traps-after",
    "traps-in-open",
    "loops-in-open",
    "refuses-open",
    "other-output",
    "fails",
    "too-many-rejections",
    "many-counters",
    "outside-memory",
    "missing-columns",
    "lying-rows",
    "offsets-descend",
    "bad-utf8",
    "validity-unasked",
    "origins-beyond",
    "same-but-fewer",
    "rejects-beyond",
];

/// Maps that take their time, because they fill memory first.
const SLOW: &[&str] = &["memory-bomb", "huge-result", "too-many-rows"];

const BATCHES: usize = 1_000;

#[test]
fn a_thousand_bad_batches_leave_memory_and_neighbours_alone() {
    let bad = plugin_with(&Limits { fuel_per_call: 60_000_000, ..quick_limits() });
    let frugal = plugin_with(&Limits { fuel_per_call: 1_000_000, fuel_per_row: 0, ..quick_limits() });
    let mut neighbour = open(&plugin_with(&Limits::default()), "identity").unwrap();
    for name in SLOW.iter().chain(QUICK) {
        bad_batch(&bad, name);
    }
    let before = resident_bytes();
    for number in 0..BATCHES {
        let slow = number % 100 == 99;
        let name = if slow { SLOW[number / 100 % SLOW.len()] } else { QUICK[number % QUICK.len()] };
        bad_batch(if slow { &bad } else { &frugal }, name);
        if number % 10 == 0 {
            good_batch(&mut neighbour);
        }
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 10 << 20, "grown by {grown} bytes");
    good_batch(&mut neighbour);
}

fn bad_batch(plugin: &Plugin, name: &str) {
    let outcome = open(plugin, name).and_then(|mut instance| call(&mut instance, &mut Vec::new()));
    assert!(outcome.is_err(), "{name}");
}

fn good_batch(instance: &mut Instance) {
    let mut seen = Vec::new();
    call(instance, &mut seen).unwrap();
    assert_eq!(seen, ["to be", "or not"]);
}

fn call(instance: &mut Instance, seen: &mut Vec<String>) -> Result<(), Verdict> {
    Data::lines(&["to be", "or not"])
        .with(|rows| instance.map_rows(&only(), &rows, &mut |mapped| *seen = texts(&mapped.rows, 0)))
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}
