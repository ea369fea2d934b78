//! Calls of real guests: plugins/hostile, honest and not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking")]

mod bounds;
mod building;
mod fuzz;
mod honest;
mod loading;
mod places;
mod support;
mod validation;
mod verdicts;
