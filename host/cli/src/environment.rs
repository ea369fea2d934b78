//! What is taken from the process's environment: the only place that reads it, beside the log level in `arguments.rs`.
#![allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]

use std::{
    env,
    ffi::OsString,
    hash::{BuildHasher, Hasher},
    num::NonZero,
    path::PathBuf,
    thread,
};

/// The folder for compiled code; `None` where there is no home.
pub fn compiled_code_folder() -> Option<PathBuf> {
    let folder = |variable: &str| env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))?;
    Some(caches.join("tidemill").join("compiled"))
}

/// This program, and not what an update has put in its place meanwhile.
pub fn program() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { running } else { env::current_exe().unwrap_or(running) }
}

/// The variables that are the program's own, of which none is a secret.
pub fn own_variables() -> Vec<(OsString, OsString)> {
    env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"TIDEMILL_")).collect()
}

/// What object stores are to be known by: variables whose names begin with `AWS_`.
pub fn store_settings() -> Vec<(String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("AWS_"))
        .collect()
}

/// Whether terminals may be given colours: not where `NO_COLOR` is set to anything, nor where the terminal is a dumb one.
pub fn allows_colors() -> bool {
    colors_by(env::var_os("NO_COLOR"), env::var_os("TERM"))
}

/// Whether a time zone was asked for.
pub fn names_time_zone() -> bool {
    env::var_os("TZ").is_some_and(|name| !name.is_empty())
}

fn colors_by(no_color: Option<OsString>, term: Option<OsString>) -> bool {
    no_color.is_none_or(|value| value.is_empty()) && term.is_none_or(|term| term != "dumb")
}

/// How many threads can run at once.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// A name for this run that no other has: who claims a checkpoint.
pub fn run_name() -> String {
    format!("process {} ({:016x})", std::process::id(), secret_seed())
}

/// A number that nobody outside can know.
pub fn secret_seed() -> u64 {
    #[allow(clippy::disallowed_types, reason = "it differs from run to run, which is what a secret is for")]
    let state = std::hash::RandomState::new();
    state.build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_for_those_who_want_them() {
        for (no_color, term, expect) in [
            (None, Some("xterm"), true),
            (None, None, true),
            (Some(""), Some("xterm"), true),
            (Some("1"), Some("xterm"), false),
            (Some("0"), None, false),
            (None, Some("dumb"), false),
            (Some("1"), Some("dumb"), false),
        ] {
            assert_eq!(colors_by(no_color.map(Into::into), term.map(Into::into)), expect, "{no_color:?} {term:?}");
        }
    }
}
