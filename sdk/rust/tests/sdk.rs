//! The SDK as its authors see it. One binary for all of it.
#![allow(clippy::unwrap_used, reason = "a test ends where something is missing")]

#[path = "sdk/cases.rs"]
mod cases;
#[path = "sdk/compile_errors.rs"]
mod compile_errors;
#[path = "sdk/context.rs"]
mod context;
#[path = "sdk/elided.rs"]
mod elided;
#[path = "sdk/forms.rs"]
mod forms;
#[path = "sdk/map.rs"]
mod map;
#[path = "sdk/migrate.rs"]
mod migrate;
#[path = "sdk/orders.rs"]
mod orders;
#[path = "sdk/plugin.rs"]
mod plugin;
#[path = "sdk/reduce.rs"]
mod reduce;
#[path = "sdk/update_state.rs"]
mod update_state;
#[path = "sdk/values.rs"]
mod values;
