//! A failure says where in the author's source it was.

use std::path::Path;

use tidemill_guest::{Plugin, Verdict};
use tidemill_model::limits::Limits;

use crate::{
    support::{hostile, only, plugin_with, quick_limits, runtime},
    verdicts::outcome,
};

/// The name of the section that has the lines.
const SECTION: &[u8] = b"tidemill:lines";

fn failed(plugin: &Plugin, function: &str) -> Verdict {
    outcome(plugin, function, &only()).unwrap_err()
}

/// `src/file.rs:12` of the only line of the hostile plugin's file that has this text.
fn line_of(file: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/hostile").join(file);
    let source = std::fs::read_to_string(path).unwrap();
    let lines: Vec<usize> =
        (1..).zip(source.lines()).filter(|(_, line)| line.contains(text)).map(|(at, _)| at).collect();
    let [line] = lines[..] else { panic!("{text} stands in the lines {lines:?} of {file}") };
    format!("{file}:{line}")
}

/// The optimiser puts ends of functions that are alike into one: then it is a line of whoever called them.
#[test]
fn every_failure_inside_of_a_function_names_its_line() {
    let limits = Limits { fuel_per_call: 1_000_000, fuel_per_row: 500, ..quick_limits() };
    let (frugal, plugin) = (plugin_with(&limits), plugin_with(&quick_limits()));
    let looping = line_of("src/trouble.rs", "black_box(())");
    for (plugin, function, lines) in [
        (&frugal, "loop-forever", vec![looping.clone(), line_of("src/map.rs", "\"loop-forever\" =>")]),
        (&frugal, "loops-in-open", vec![looping.clone(), line_of("src/open.rs", "trouble::loop_forever()")]),
        (&frugal, "reduce-loops", vec![looping, line_of("src/reduce.rs", "trouble::loop_forever()")]),
        (&plugin, "memory-bomb", vec![line_of("src/trouble.rs", "vec![1_u8; 1 << 20]")]),
        (&plugin, "deep-recursion", vec![line_of("src/trouble.rs", "deep_recursion(depth + 1)")]),
        (&plugin, "traps", vec![line_of("src/map.rs", "or_else(|| too_much(name, &rows))")]),
        (&plugin, "traps-after", vec![line_of("src/trouble.rs", "wasm32::unreachable()")]),
        (&frugal, "log-flood", vec![line_of("src/trouble.rs", "log(Level::Info, &line)")]),
    ] {
        let verdict = failed(plugin, function);
        let expect = lines.join(", called at ");
        assert!(verdict.to_string().contains(&format!("at {expect}")), "{function}: {verdict}, not {expect}");
    }
}

/// A panic says its own place, which may be in what the author uses.
#[test]
fn a_panic_that_names_another_file_is_told_with_the_authors() {
    let verdict = failed(&plugin_with(&quick_limits()), "panics").to_string();
    let line = line_of("src/map.rs", "\"panics\" =>");
    assert!(verdict.starts_with("the function panicked: the sky fell at src/sky.rs:7:1 (at "), "{verdict}");
    assert!(verdict.contains(&format!(", called at {line}")), "{verdict}");
}

#[test]
fn a_component_without_lines_fails_as_one_with_them() {
    let at = hostile().windows(SECTION.len()).rposition(|bytes| bytes == SECTION).unwrap();
    let mut other = hostile().to_vec();
    other[at] = b'T';
    let plugin = runtime().load("hostile", &other, &quick_limits()).unwrap();
    let verdict = failed(&plugin, "traps");
    assert_eq!(verdict.to_string(), "the function trapped: wasm trap: wasm `unreachable` instruction executed");
}
