//! Runs `cases/*.txt`, each case in every mode. A case is
//!
//! ```text
//! === what it shows
//! --partitions 4         (if it is not to be run with several numbers of them)
//! the pipeline's text
//! ---
//! what came out: an output, the second of the batch, and its rows
//! ```
//!
//! Rows are sorted, because their order depends on the number of partitions; a case whose title ends with `(ordered)` has
//! them as they come. What a run rejected and counted, or failed with, stands below. `UPDATE_EXPECT=1` writes it.

use std::{fmt::Write, fs, path::Path};

use tidemill_model::testing::{Value, without_source_lines};
use tidemill_plan::Functions as _;

use crate::{
    expect, guests,
    harness::{self, Outcome},
    mode::{self, Mode},
    show,
    sink::Delivered,
};

/// Every case file, so that each is a test of its own.
macro_rules! case_files {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { check_file(stringify!($name)); })*
        const FILES: &[&str] = &[$(stringify!($name)),*];
    };
}

case_files!(absent, beside, filters, groups, guests, joins, on_error, orders, reduces, state, unions, windows);

#[test]
fn no_case_file_is_forgotten() {
    let mut there: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    there.sort();
    assert_eq!(there, FILES);
}

/// Functions in every form that the SDK has, from the list that its test kit is walked through too.
#[test]
fn functions_do_in_the_host_what_they_do_in_the_test_kit() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust/tests/forms/cases.txt");
    let cases = fs::read_to_string(&file).unwrap();
    for function in &guests::guests().description("forms").unwrap().functions {
        let used = format!("\"forms/{}\"", function.name);
        assert!(cases.contains(&used), "{used} has no case in {}", file.display());
    }
    expect::check_file(&file, run_in_all_modes);
}

/// What a pipeline gives to functions that they do not take is a mistake in it, and not one of the first row.
#[test]
fn parameters_that_a_function_does_not_take_are_mistakes_of_the_pipeline() {
    let mistake = |function: &str, parameters: &str| {
        let text = format!(
            "[streams.in]\nqueue = {{ schema = \"word: text\", batches = [] }}\n\
             [streams.out]\nfrom = \"in\"\nmap = \"forms/{function}\"\nparameters = {{ {parameters} }}\n"
        );
        harness::try_plan(&text, 2).err()
    };
    assert_eq!(mistake("map-parameters", "put-before = 7, weight = 2, after = true"), None);
    assert_eq!(mistake("map-context", "limit = 1, whatever = 2"), None, "it asks its context by name");
    for (function, parameters, says) in [
        ("map-parameters", "minimum = 2", "the function needs the parameter `put-before`, text"),
        ("map-parameters", "put-before = '', minimum = 2.5", "`minimum` has to be integer, and is not"),
        (
            "map-parameters",
            "put-before = '', maximum = 2",
            "there is no parameter `maximum`: the function takes minimum",
        ),
        ("map-row", "limit = 1", "there is no parameter `limit`: the function takes none"),
    ] {
        let said = mistake(function, parameters).unwrap_or_default();
        assert!(said.contains(says) && said.contains(&format!("forms/{function}")), "{parameters}: {said}");
    }
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/cases")
}

fn check_file(name: &str) {
    expect::check_file(&folder().join(format!("{name}.txt")), run_in_all_modes);
}

/// Outputs for dead letters have names that begin like this.
const LETTERS: &str = "dead letters of ";

/// Fields of a dead letter before this one say where it was in this mode, or stand in the case already.
const LETTER_FIRST: usize = 5;

/// What comes out in every mode.
fn run_in_all_modes(title: &str, input: &str) -> String {
    let (options, text): (Vec<&str>, Vec<&str>) = input.lines().partition(|line| line.starts_with("--"));
    let text = text.join("\n");
    let partitions = options.iter().find_map(|option| option.strip_prefix("--partitions "));
    let partitions = partitions.map(|number| number.parse().unwrap());
    let ordered = title.ends_with("(ordered)");
    let mut first: Option<(String, Mode)> = None;
    for group in mode::groups(partitions) {
        let mut exact: Option<String> = None;
        for mode in group {
            let outcome = harness::run(&text, mode);
            let got = shown(&outcome, true);
            let exact = exact.get_or_insert_with(|| got.clone());
            assert_eq!(*exact, got, "{title}: {mode:?} gives the rows in another order");
            let got = shown(&outcome, ordered);
            let (expect, other) = first.get_or_insert_with(|| (got.clone(), mode));
            assert_eq!(*expect, got, "{title}: {mode:?} gives other rows than {other:?}");
        }
    }
    first.unwrap().0
}

fn shown(outcome: &Outcome, ordered: bool) -> String {
    let mut text = String::new();
    for batch in &outcome.delivered {
        let _ = writeln!(text, "{}", shown_batch(batch, ordered).trim_end());
    }
    match &outcome.result {
        Ok(summary) => {
            if summary.skipped > 0 {
                let _ = writeln!(text, "skipped {}", summary.skipped);
            }
            if summary.rejected > 0 {
                let _ = writeln!(text, "rejected {}", summary.rejected);
            }
            for (name, count) in &summary.counters {
                let _ = writeln!(text, "counted {name} {count}");
            }
        }
        Err(error) => {
            let _ = writeln!(text, "error: {error}");
        }
    }
    without_source_lines(&text)
}

fn shown_batch(batch: &Delivered, ordered: bool) -> String {
    let row = |row: &Vec<Value>| show::row(if batch.output.starts_with(LETTERS) { &row[LETTER_FIRST..] } else { row });
    let mut rows: Vec<String> = batch.parts.iter().flatten().map(row).collect();
    if !ordered {
        rows.sort();
    }
    format!("{} {}: {}", batch.output, batch.time.0 / 1_000_000, rows.join(", "))
}
