//! How a guest's log lines reach the operator.

mod function;

use std::{borrow::Cow, fmt};

use tidemill_model::{limits::REASON_BYTES, text};
use wasmtime::component::{ComponentType, Lift};

pub use function::FunctionLog;

/// How grave a line is.
#[derive(ComponentType, Lift, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[component(enum)]
#[repr(u8)]
pub enum LogLevel {
    /// The finest.
    #[component(name = "trace")]
    Trace,
    /// For the author.
    #[component(name = "debug")]
    Debug,
    /// For the operator.
    #[component(name = "info")]
    Info,
    /// Something is odd.
    #[component(name = "warn")]
    Warn,
    /// Something is wrong.
    #[component(name = "error")]
    Error,
}

/// A line that a guest logged, or a note of this crate's about lines that were dropped.
#[derive(Clone, Copy, Debug)]
pub struct LogLine<'a> {
    /// The plugin's name in the pipeline.
    pub plugin: &'a str,
    /// The function's name; empty while the plugin describes itself.
    pub function: &'a str,
    /// The stream or output that uses it; empty where that is not known yet.
    pub place: &'a str,
    /// How grave it is.
    pub level: LogLevel,
    /// One line: each of its characters is seen, and it is no longer than the limits say.
    pub message: &'a str,
}

/// Takes the lines of guests. Called on the thread of the call, in the middle of it: it must be quick.
pub trait LogSink: Send + Sync {
    /// Takes one line.
    fn line(&self, line: LogLine<'_>);
}

/// Makes each line an event of `tracing`, with the target `guest`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingLog;

impl LogSink for TracingLog {
    fn line(&self, line: LogLine<'_>) {
        let LogLine { plugin, function, place, level, message } = line;
        match level {
            LogLevel::Trace => tracing::trace!(target: "guest", %place, %plugin, %function, "{message}"),
            LogLevel::Debug => tracing::debug!(target: "guest", %place, %plugin, %function, "{message}"),
            LogLevel::Info => tracing::info!(target: "guest", %place, %plugin, %function, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "guest", %place, %plugin, %function, "{message}"),
            LogLevel::Error => tracing::error!(target: "guest", %place, %plugin, %function, "{message}"),
        }
    }
}

/// `text` as one line of at most `bytes` bytes: cut at a character, and so that no escape is cut.
pub(crate) fn one_line(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    match text::shown(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) if shown.len() <= bytes => shown,
        Cow::Owned(_) => {
            let mut line = String::with_capacity(bytes);
            for (at, c) in text.char_indices() {
                let shown = text::shown(&text[at..at + c.len_utf8()]);
                if line.len() + shown.len() > bytes {
                    break;
                }
                line.push_str(&shown);
            }
            line
        }
    }
}

/// A guest's reason, fit to be shown.
pub(crate) fn reason(text: String) -> String {
    if text.trim().is_empty() { "no reason given".to_owned() } else { one_line(text, REASON_BYTES) }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogLevel::Trace => "trace",
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_cleaned() {
        for (text, bytes, expect) in [
            ("plain", 10, "plain"),
            ("plain", 3, "pla"),
            ("aé", 2, "a"),
            ("a\nb", 10, "a\\nb"),
            ("\u{1b}[31m", 20, "\\u{1b}[31m"),
            ("", 0, ""),
        ] {
            assert_eq!(one_line(text.to_owned(), bytes), expect, "{text:?} {bytes}");
        }
    }

    #[test]
    fn reasons_can_be_shown() {
        for (told, expect) in [("", "no reason given"), (" \n", "no reason given"), ("a\u{1b}[2J", "a\\u{1b}[2J")] {
            assert_eq!(reason(told.to_owned()), expect);
        }
    }
}
