//! Logs, on standard error.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, fmt::format::JsonFields, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    arguments::{LogFormat, LogLevel, Logging},
    stderr::{self, JsonLine, OneLine},
};

/// Libraries that say more than an operator wants to know.
const QUIET: [(&str, LevelFilter); 11] = [
    ("wasmtime", LevelFilter::WARN),
    ("wasmtime_internal_cranelift", LevelFilter::WARN),
    ("cranelift_codegen", LevelFilter::WARN),
    ("mio", LevelFilter::WARN),
    // What they say at their lowest levels has the headers of requests in it, and those have tokens.
    ("h2", LevelFilter::WARN),
    ("hyper", LevelFilter::WARN),
    ("hyper_util", LevelFilter::WARN),
    ("reqwest", LevelFilter::WARN),
    ("rustls", LevelFilter::WARN),
    ("rustls_platform_verifier", LevelFilter::WARN),
    ("object_store", LevelFilter::INFO),
];

/// Logs from here on.
pub fn start(logging: &Logging) {
    let level = match logging.level() {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let quiet = QUIET.into_iter().filter(|(_, quieter)| *quieter < level);
    let filter = Targets::new().with_default(level).with_targets(quiet);
    // Where nobody reads any more, lines are lost: to say so would go the same way, and panic on it.
    let subscriber = tracing_subscriber::fmt().with_max_level(level).log_internal_errors(false);
    // A second start would be a defect, and the first one goes on to serve.
    let _ = match logging.log_format {
        LogFormat::Text => {
            let subscriber = subscriber.fmt_fields(OneLine).with_writer(io::stderr);
            subscriber.with_target(false).with_ansi(stderr::is_colored()).finish().with(filter).try_init()
        }
        LogFormat::Json => {
            let subscriber = subscriber.fmt_fields(JsonFields::new()).event_format(JsonLine);
            subscriber.with_writer(io::stderr).finish().with(filter).try_init()
        }
    };
}
