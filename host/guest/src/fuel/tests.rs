//! No instruction takes much longer for its fuel than an ordinary one does: all that the engine knows are run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod instructions;
mod module;

use std::collections::BTreeSet;

use wasmtime::Engine;

use crate::runtime::settings_for;
use instructions::{all, codes};
use module::{Measured, may_stand, number, operands};

/// What all are compared with: it takes some 0.2 ns a unit, with what is needed to get at its operands.
const DIVISION: &str = "0x6d";

/// So many times as long a unit may take: 3 ns.
const RATIO_MAX: f64 = 15.0;

/// On a busy machine a run may be interrupted whenever it is measured, but not always.
const TRIES: usize = 200;

/// The slowest unit of an instruction, whatever its operands are.
fn slowest(measured: &mut Measured) -> f64 {
    operands().iter().map(|operands| measured.nanos_per_unit(operands)).max_by(f64::total_cmp).unwrap()
}

#[test]
fn time_follows_fuel_whatever_the_instruction() {
    let engine = Engine::new(&settings_for(2)).unwrap();
    let all = all();
    let division = all.iter().find(|instruction| instruction.name == DIVISION).unwrap();
    let mut division = Measured::of(&engine, division);
    let mut usual = slowest(&mut division);
    let mut times: Vec<(f64, &str)> = Vec::new();
    for instruction in &all {
        let mut measured = Measured::of(&engine, instruction);
        let mut time = slowest(&mut measured);
        for _ in 0..TRIES {
            if time <= RATIO_MAX * usual {
                break;
            }
            time = slowest(&mut measured).min(time);
            usual = slowest(&mut division).min(usual);
        }
        times.push((time, &instruction.name));
    }
    times.sort_by(|a, b| b.0.total_cmp(&a.0));
    let ratio = times[0].0 / usual;
    #[allow(clippy::print_stdout, reason = "the benchmark reads it")]
    {
        println!("fuel.ns_max {:.3} {}", times[0].0, times[0].1);
    }
    assert!(ratio <= RATIO_MAX, "{:?}", times.iter().filter(|(time, _)| *time > RATIO_MAX * usual).collect::<Vec<_>>());
}

/// The opcodes that a body may have.
fn allowed(engine: &Engine) -> BTreeSet<Vec<u8>> {
    let single = (0..0xfb).map(|code| vec![code]);
    let prefixed = (0xfb..=0xff).flat_map(|prefix| (0..0x180).map(move |code| [vec![prefix], number(code)].concat()));
    single.chain(prefixed).filter(|code| may_stand(engine, code)).collect()
}

#[test]
fn every_instruction_that_may_stand_in_a_plugin_is_measured() {
    let engine = Engine::new(&settings_for(2)).unwrap();
    let known: BTreeSet<Vec<u8>> = codes().collect();
    assert_eq!(known.len(), codes().count(), "each once");
    let allowed = allowed(&engine);
    let missing: Vec<_> = allowed.difference(&known).collect();
    assert!(missing.is_empty(), "without a measurement: {missing:x?}");
    assert_eq!(known, allowed, "no instructions");
}
