//! The checkpoint as its users see it: a small host that keeps sums, stopped, damaged and fenced off in every way.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests say what they counted, and fail by panicking")]

mod contract;
mod counted;
mod damage;
mod disk;
mod faults;
mod fixtures;
mod folder;
mod headers;
mod hosts;
mod input;
mod lost_writes;
mod model;
mod object;
mod object_faults;
mod object_store;
mod overtaken;
#[path = "../../../../tests/product/real.rs"]
mod real;
mod real_store;
mod scene;
mod survey;
