//! One golden, many modes: the example pipelines over real plugins, run in this process on a manual clock.
//!
//! A folder in `cases` is a case. It has a `pipeline.toml`, or an `options` file that names one of the repository (its
//! first line) and replaces values of it as `--set` does (a line each); the input files that the pipeline names; and
//! `printed.txt`, what it prints, byte for byte. Rows whose order hangs on the number of partitions are sorted within a
//! batch before they are compared between numbers of partitions. A pipeline that is stopped at a point of every batch, and
//! goes on from its checkpoint, prints the same; a batch may come again, as a whole.
//!
//! `UPDATE_EXPECT=1` writes what was printed into the folders.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test says it by a panic")]

mod plugins;
mod run;

use std::{
    fs,
    path::{Path, PathBuf},
};

use run::{Mode, Pipeline};
use tidemill_engine::checkpoint::Point;
use tidemill_tests::repository;

/// Every case, so that each is a test of its own.
macro_rules! cases {
    ($($test:ident $folder:literal),* $(,)?) => {
        $(#[test] fn $test() { check($folder); })*
        const CASES: &[&str] = &[$($folder),*];
    };
}

cases! {
    brc "brc",
    clickstream "clickstream",
    grep "grep",
    kmeans "kmeans",
    numbers "numbers",
    orders "orders",
    popular "popular",
    quadrant "quadrant",
    recoverable "recoverable",
    regression "regression",
    sentiment "sentiment",
    sketches "sketches",
    top_words_of_a_file "top-words",
    wordcount "wordcount",
    wordcount_listen "wordcount-listen",
    wordcount_spaces "wordcount-spaces",
    wordcount_stateful "wordcount-stateful",
}

#[test]
fn no_case_is_forgotten() {
    let folders = fs::read_dir(folder("")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut there: Vec<String> = folders.map(|name| name.to_string_lossy().into_owned()).collect();
    there.sort();
    assert_eq!(there, CASES);
}

/// The gallery has every plugin and every case.
#[test]
fn the_gallery_is_whole() {
    let gallery = fs::read_to_string(repository().join("plugins/README.md")).unwrap();
    let plugins = fs::read_dir(repository().join("plugins")).unwrap().map(|entry| entry.unwrap().path());
    let plugins = plugins.filter(|path| path.join("Cargo.toml").is_file() && !path.ends_with("hostile"));
    for plugin in plugins.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()) {
        assert!(gallery.contains(&format!("]({plugin}/")), "plugins/README.md does not list `{plugin}`");
    }
    for case in CASES {
        assert!(gallery.contains(&format!("| `{case}` |")), "plugins/README.md does not list the case `{case}`");
    }
}

fn folder(case: &str) -> PathBuf {
    repository().join("tests/pipelines/cases").join(case)
}

fn check(case: &str) {
    let folder = folder(case);
    let pipeline = Pipeline::read(&folder);
    let printed = run::printed(&pipeline, Mode::PLAIN);
    compare(&folder.join("printed.txt"), &printed);
    for mode in Mode::SAME_ORDER {
        assert_eq!(run::printed(&pipeline, mode), printed, "{case}: {mode:?} prints something else");
    }
    for mode in Mode::OTHER_ORDER {
        let other = run::printed(&pipeline, mode);
        assert_eq!(rows_sorted(&other), rows_sorted(&printed), "{case}: {mode:?} prints other rows");
    }
    for point in [Point::Plan, Point::Commit, Point::Prepare, Point::Deliver] {
        for after in [false, true] {
            let expect = batches(&printed);
            let (again, stops) = run::printed_with_stops(&pipeline, Mode::PLAIN, (point, after), expect.len());
            assert_eq!(stops, expect.len(), "{case}: {point:?}");
            check_repeats(&batches(&again)[..expect.len()], &expect, &format!("{case}: {point:?}, after {after}"));
        }
    }
}

/// Every batch came, in order, and if it came again, then as a whole.
fn check_repeats(got: &[(&str, Vec<&str>)], expect: &[(&str, Vec<&str>)], what: &str) {
    let times = |batches: &[(&str, Vec<&str>)]| batches.iter().map(|(time, _)| (*time).to_owned()).collect::<Vec<_>>();
    assert_eq!(times(got), times(expect), "{what}");
    for ((time, got), (_, expect)) in got.iter().zip(expect) {
        assert!(got.chunks(expect.len()).all(|once| once == expect), "{what}: {time}: {got:?}");
    }
}

/// What was printed, by batch: its time, and what its outputs printed.
fn batches(printed: &str) -> Vec<(&str, Vec<&str>)> {
    let mut batches: Vec<(&str, Vec<&str>)> = Vec::new();
    for block in printed.split_inclusive("\n\n") {
        // Behind it stands whose rows these are, where several outputs print.
        let time = block.lines().nth(1).unwrap_or_default().split(", output ").next().unwrap_or_default();
        match batches.last_mut() {
            Some((last, blocks)) if *last == time => blocks.push(block),
            _ => batches.push((time, vec![block])),
        }
    }
    batches
}

#[allow(clippy::disallowed_methods, reason = "whether to write expectations is asked of whoever runs the tests")]
fn compare(file: &Path, printed: &str) {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        return fs::write(file, printed).unwrap();
    }
    let expect = fs::read_to_string(file).unwrap();
    assert_eq!(printed, expect, "\n{} differs from what was printed:\n{printed}", file.display());
}

/// Printed batches, the rows of each sorted.
fn rows_sorted(printed: &str) -> Vec<String> {
    let mut batches: Vec<String> = Vec::new();
    for batch in printed.split_inclusive("\n\n") {
        let mut lines: Vec<&str> = batch.lines().collect();
        let head = lines.len().min(3);
        assert!(!lines.contains(&"..."), "rows that are not shown cannot be compared: {batch}");
        lines[head..].sort_unstable();
        batches.push(lines.join("\n"));
    }
    batches
}
