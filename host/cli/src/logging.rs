//! Logs, on standard error.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, filter::Directive, util::SubscriberInitExt};

use crate::arguments::{LogFormat, LogLevel, Logging};

/// Libraries that say more than an operator wants to know.
const QUIET: [&str; 11] = [
    "wasmtime=warn",
    "wasmtime_internal_cranelift=warn",
    "cranelift_codegen=warn",
    "mio=warn",
    // What they say at their lowest levels has the headers of requests in it, and those have tokens.
    "h2=warn",
    "hyper=warn",
    "hyper_util=warn",
    "reqwest=warn",
    "rustls=warn",
    "rustls_platform_verifier=warn",
    "object_store=info",
];

/// Logs from here on.
pub fn start(logging: &Logging) {
    let level = match logging.log_level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let mut filter = EnvFilter::default().add_directive(level.into());
    if level > LevelFilter::WARN {
        let quiet = QUIET.iter().filter_map(|directive| directive.parse::<Directive>().ok());
        filter = quiet.fold(filter, EnvFilter::add_directive);
    }
    // Where nobody reads any more, lines are lost: to say so would go the same way, and panic on it.
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).log_internal_errors(false);
    // A second start would be a defect, and the first one goes on to serve.
    let _ = match logging.log_format {
        LogFormat::Text => subscriber.with_target(false).with_ansi(io::stderr().is_terminal()).finish().try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).finish().try_init(),
    };
}
