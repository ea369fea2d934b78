//! Pipelines in, plans or diagnostics out. The cases stand in `cases/*.txt`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end at what it does not expect")]

mod bounds;
mod cases;
mod connectors;
mod entries;
mod fake;
mod hostile;
mod policies;
mod show;
mod sizes;
mod wrong_types;
