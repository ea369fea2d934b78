//! The house rules, as far as a machine can hold them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test says it by a panic")]

mod connectors;
mod dependencies;
mod features;
mod functions;
mod layout;
mod operators;
mod properties;
mod sizes;
mod source;
mod waits;
mod words;

use std::path::Path;

use tidemill_tests::{files, repository};

/// What nobody reads begins so. A test of its own holds it to what makes it.
const GENERATED: &str = "// What wit-bindgen makes of wit/";

/// The files whose name ends so, with what is in them.
fn texts(ending: &str) -> Vec<(String, String)> {
    let named = files().unwrap().into_iter().filter(|path| path.to_string_lossy().ends_with(ending));
    let texts = named.map(|path| (path.to_string_lossy().into_owned(), read(&path)));
    texts.filter(|(_, text)| !text.starts_with(GENERATED)).collect()
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(repository().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Fails with all that is wrong, not the first alone.
#[track_caller]
fn assert_none(wrong: Vec<String>, rule: &str) {
    assert!(wrong.is_empty(), "{rule}\n  {}", wrong.join("\n  "));
}
