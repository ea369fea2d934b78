//! The copy of the repository with the mutants in it.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use tidemill_tests::{files, repository};

use super::{
    hash::Fnv,
    mutant::{Identity, Mutant},
    rewrite::{rewrite, test_modules},
    switch,
};

/// The crates that carry promises: mutants are put into these.
pub const CRATES: [&str; 8] = [
    "host/checkpoint",
    "host/cli",
    "host/connect",
    "host/engine",
    "host/guest",
    "host/model",
    "host/plan",
    "host/state",
];
/// A file's first mutant has a multiple of it, so that an edit seldom changes the numbers in other files, which would all
/// be compiled again.
const NUMBERS_STEP: u32 = 64;
/// The same for what the switches have room for.
const NUMBERS_ROOM: u32 = 8192;
/// A mutant may be nonsense of a kind that lints forbid.
const LINTS: &str = "#![allow(warnings, overflowing_literals, arithmetic_overflow, unconditional_panic)]\n";

/// The copy.
pub struct Tree {
    pub mutants: Vec<Mutant>,
    /// How many do not compile, once they are not among them.
    pub dropped: usize,
    /// The hash of what tests read, and build guests of: not the host's sources, which the compiled programs tell.
    pub data: u64,
}

/// Makes the copy, or what has changed of it. Mutants that are dropped have their numbers, and are not in it.
pub fn write(folder: &Path, dropped: &HashSet<Identity>) -> anyhow::Result<Tree> {
    let mut names: Vec<String> = files().map_err(anyhow::Error::msg)?.iter().map(|path| text_of(path)).collect();
    names.sort();
    let left_out = test_files(&names)?;
    let (mut mutants, mut next, mut texts) = (Vec::new(), NUMBERS_STEP, Vec::new());
    for name in &names {
        let bytes = fs::read(repository().join(name)).with_context(|| name.clone())?;
        let bytes = if is_source(name) && !left_out.iter().any(|left_out| left_out.covers(name)) {
            let rewritten = rewrite(name, &String::from_utf8(bytes)?, next, dropped).with_context(|| name.clone())?;
            next += rewritten.mutants.len() as u32;
            next = (next + 1).next_multiple_of(NUMBERS_STEP);
            mutants.extend(rewritten.mutants);
            if is_root(name) { with_switch(&rewritten.text).into_bytes() } else { rewritten.text.into_bytes() }
        } else if name.ends_with("Cargo.toml") {
            without_lints(&String::from_utf8(bytes)?).into_bytes()
        } else {
            bytes
        };
        texts.push((name.clone(), bytes));
    }
    for path in CRATES {
        let source = switch::source(&path.replace('/', "-"), next.next_multiple_of(NUMBERS_ROOM));
        texts.push((format!("{path}/src/{}.rs", switch::MODULE), source.into_bytes()));
    }
    let mut hash = Fnv::default();
    for (name, bytes) in &texts {
        if is_data(name) {
            hash.add(name.as_bytes());
            hash.add(bytes);
        }
        write_changed(&folder.join(name), bytes)?;
    }
    let kept = texts.into_iter().map(|(name, _)| folder.join(name)).collect();
    remove_others(folder, &kept)?;
    Ok(Tree { mutants, dropped: 0, data: hash.value() })
}

fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The crate of a file.
pub fn crate_of(file: &str) -> Option<&'static str> {
    CRATES.into_iter().find(|path| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
}

/// Whether a file is code of the product, by its name.
fn is_source(name: &str) -> bool {
    let Some(path) = crate_of(name).and_then(|path| name.strip_prefix(path)?.strip_prefix("/src/")) else {
        return false;
    };
    let parts: Vec<&str> = path.split('/').collect();
    let is_test = |part: &&str| ["tests", "testing", "tests.rs", "testing.rs"].contains(part);
    path.ends_with(".rs") && !path.ends_with("_tests.rs") && !parts.iter().any(is_test) && !path.contains("template/")
}

/// Whether tests read a file as they run, or build guests of it.
fn is_data(name: &str) -> bool {
    let is_compiled = name.ends_with(".rs") && ["host/", "tests/"].iter().any(|folder| name.starts_with(folder));
    let is_elsewhere = ["tests/bench/", "tests/net/", "tests/tidy/", "."].iter().any(|part| name.starts_with(part));
    !is_compiled && !is_elsewhere && !name.ends_with(".md") && name != "Makefile"
}

fn is_root(name: &str) -> bool {
    CRATES.iter().any(|path| ["lib.rs", "main.rs"].iter().any(|root| name == format!("{path}/src/{root}")))
}

/// A module for tests alone: its file, and the folder of those below.
struct TestModule(String);

impl TestModule {
    fn covers(&self, name: &str) -> bool {
        name.strip_prefix(&self.0).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }
}

/// The modules that are compiled for tests alone.
fn test_files(names: &[String]) -> anyhow::Result<Vec<TestModule>> {
    let mut modules = Vec::new();
    for name in names.iter().filter(|name| is_source(name)) {
        let source = fs::read_to_string(repository().join(name))?;
        let found = test_modules(&source).with_context(|| name.clone())?;
        let stem = name.trim_end_matches(".rs");
        let folder = ["/lib", "/main", "/mod"].iter().find_map(|root| stem.strip_suffix(root)).unwrap_or(stem);
        modules.extend(found.into_iter().map(|module| TestModule(format!("{folder}/{module}"))));
    }
    Ok(modules)
}

fn with_switch(root: &str) -> String {
    format!("{LINTS}{root}\npub(crate) mod {};\n", switch::MODULE)
}

/// A manifest without the lints that the workspace forbids.
fn without_lints(manifest: &str) -> String {
    manifest.replace("[lints]\nworkspace = true\n", "")
}

/// Writes a file if it says something else, so that cargo compiles only what has changed.
fn write_changed(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// Removes files that are not in the repository any more. What tests have built stays.
fn remove_others(folder: &Path, kept: &HashSet<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" {
                remove_others(&path, kept)?;
            }
        } else if !kept.contains(&path) && path.extension().is_none_or(|extension| extension != "wasm") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[test]
fn code_of_the_product_is_told_from_tests() {
    let check = |name: &str, expect: bool| assert_eq!(is_source(name), expect, "{name}");
    check("host/engine/src/run.rs", true);
    check("host/engine/src/run/tests.rs", false);
    check("host/model/src/testing/clock.rs", false);
    check("host/connect/src/files/repeat_tests.rs", false);
    check("host/engine/tests/engine/main.rs", false);
    check("host/sim/src/lib.rs", false);
    check("host/cli/build.rs", false);
    check("host/engineer/src/lib.rs", false);
}

#[test]
fn a_module_for_tests_covers_its_files() {
    let module = TestModule("host/model/src/key/golden".to_owned());
    assert!(module.covers("host/model/src/key/golden.rs"));
    assert!(module.covers("host/model/src/key/golden/more.rs"));
    assert!(!module.covers("host/model/src/key/golden_eye.rs"));
}
