//! The binary as a person uses it: what it prints, where, and how it ends.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test says it by a panic")]

mod authors;
mod bombs;
mod check;
mod checkpoints;
mod docs;
mod feeds;
mod hosts;
mod inherited;
mod inspect;
mod kills;
mod limit;
mod logs;
mod marks;
mod migrations;
mod on_error;
mod places;
mod plugins;
mod producer;
mod project;
mod real;
mod real_stores;
mod records;
mod refusals;
mod replays;
mod run;
mod running;
mod s3;
mod secrets;
mod settings;
mod stops;
mod stores;
mod texts;
mod tool;
mod trouble;
mod usage;
mod vanished;
mod wide;
