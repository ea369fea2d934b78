//! Simulated runs of the whole engine, each with a row of faults of its own.
//!
//! `TIDEMILL_SIM_SEED=N` runs one seed and prints what happens; `TIDEMILL_SIM_SEEDS=N` runs so many new ones, as
//! `make soak-sim` does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test says it by a panic")]

mod guests;
mod seeds;
