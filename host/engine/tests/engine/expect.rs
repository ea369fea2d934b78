//! Files of cases with what is expected of them:
//!
//! ```text
//! === what it shows
//! input
//! ---
//! what came out
//! ```
//!
//! `UPDATE_EXPECT=1` writes what came out into the files.

use std::{fmt::Write, fs, path::Path};

/// Runs every case of a file: `run` is given its title and input.
pub fn check_file(file: &Path, run: impl Fn(&str, &str) -> String) {
    let old = fs::read_to_string(file).unwrap();
    let mut new = String::new();
    for case in old.split("=== ").skip(1) {
        let (title, rest) = case.split_once('\n').unwrap();
        let (input, expect) = rest.split_once("---\n").unwrap_or((rest, ""));
        let got = run(title, input);
        if !is_update() {
            assert_eq!(got.trim_end(), expect.trim_end(), "\n{}: {title}\ngot:\n{got}", file.display());
        }
        let _ = write!(new, "=== {title}\n{input}---\n{}\n\n", got.trim_end());
    }
    if is_update() {
        fs::write(file, new.trim_end().to_owned() + "\n").unwrap();
    }
}

#[allow(clippy::disallowed_methods, reason = "whether to write expectations is asked of whoever runs the tests")]
fn is_update() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}
