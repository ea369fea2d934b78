//! Whole pipelines in this process: a pipeline's text and rows in, rows out, in many modes that must agree.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test says it by a panic")]

mod bounds;
mod budget;
mod calls;
mod cases;
mod conform;
mod expect;
mod failures;
mod guests;
mod harness;
mod hot_key;
mod lab;
mod live;
mod mode;
mod on_error;
mod oracle;
mod order;
mod recovery;
mod retries;
mod runs;
mod show;
mod sink;
mod skipped;
mod source;
mod spawn;
mod stages;
mod stops;
mod threads;
