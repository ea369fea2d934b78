//! Standard error: logs, what is wrong with a pipeline, and why a command failed. Nothing else writes there, and what plugins,
//! peers, files and rows have put into it is shown so that it is seen (`tidemill_model::text`).

mod events;

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::OnceLock,
};

use tidemill_model::text::{shown, shown_lines};
use tidemill_plan::diagnostics::{Diagnostic, Diagnostics, Severity};

use crate::{arguments::LogFormat, environment};
use events::json_line;
pub use events::{JsonLine, OneLine};

/// As it was asked for on the command line.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// From here on all that is said has this form.
pub fn begin(format: LogFormat) {
    // A second beginning would be a defect, and the first one goes on to serve.
    let _ = FORMAT.set(format);
}

/// Whether colours are wanted: on a terminal, unless the environment says otherwise.
pub fn is_colored() -> bool {
    environment::allows_colors() && io::stderr().is_terminal()
}

/// Says what is wrong with a pipeline.
pub fn say_diagnostics(diagnostics: &Diagnostics) {
    match format() {
        LogFormat::Text => write(&diagnostics.render(is_colored())),
        LogFormat::Json => diagnostics.iter().for_each(|diagnostic| {
            let level = if diagnostic.severity == Severity::Error { "ERROR" } else { "WARN" };
            write(&(json_line(level, &fields_of(diagnostics, diagnostic)) + "\n"));
        }),
    }
}

/// What a diagnostic says, for programs.
pub fn fields_of(diagnostics: &Diagnostics, diagnostic: &Diagnostic) -> Vec<(&'static str, serde_json::Value)> {
    let mut fields = vec![("message", diagnostic.message.as_str().into())];
    if let Some(place) = diagnostics.place(diagnostic) {
        fields.push(("file", place.file.into()));
        fields.extend(place.line.map(|line| ("line", line.into())));
        fields.push(("column", place.column.into()));
    }
    fields.extend(
        Some(&diagnostic.label).filter(|label| !label.is_empty()).map(|label| ("label", label.as_str().into())),
    );
    fields.extend(diagnostic.help.as_ref().map(|help| ("help", help.as_str().into())));
    fields
}

/// Says what was typed wrongly, or what was asked for: help goes to standard output.
pub fn say_usage(error: &clap::Error) -> ExitCode {
    let (text, exit_code) = (error.to_string(), u8::try_from(error.exit_code()).unwrap_or(2));
    // What is typed may have been copied from anywhere.
    match shown_lines(&text) {
        _ if error.use_stderr() && format() == LogFormat::Json => {
            say_failure(text.trim_start_matches("error: ").trim_end(), &[], exit_code, &[]);
        }
        Cow::Owned(shown) if error.use_stderr() => write(&shown),
        _ => drop(error.print()),
    }
    ExitCode::from(exit_code)
}

/// Says why a command failed, and what can be done.
pub fn say_failure(message: &str, hints: &[String], exit_code: u8, fields: &[(&'static str, serde_json::Value)]) {
    match format() {
        LogFormat::Text => {
            let message = Some(message).filter(|message| !message.is_empty());
            let message = message.map(|message| format!("error: {}\n", shown(message)));
            let hints = hints.iter().map(|hint| format!("  hint: {}\n", shown(hint)));
            write(&message.into_iter().chain(hints).collect::<String>());
        }
        LogFormat::Json => {
            let mut all = vec![("message", message.into()), ("hints", hints.into()), ("exit_code", exit_code.into())];
            all.extend_from_slice(fields);
            write(&(json_line("ERROR", &all) + "\n"));
        }
    }
}

fn format() -> LogFormat {
    FORMAT.get().copied().unwrap_or(LogFormat::Text)
}

fn write(text: &str) {
    // If nobody reads it, the exit code alone has to say it.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
