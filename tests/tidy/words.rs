//! Words that must not stand in certain places.

use crate::{
    assert_none, read,
    source::{code_of, without_tests},
    texts,
};

/// Crates that only compute.
const PURE: [&str; 3] = ["host/model/src/", "host/plan/src/", "host/state/src/"];
/// Part of tests alone: how many cases they have is asked of whoever runs them, what they wait for has a thread, and a disk that
/// forgets has a folder.
const OF_TESTS: [&str; 3] =
    ["host/model/src/testing/cases.rs", "host/model/src/testing/within.rs", "host/model/src/testing/disk/place.rs"];
/// What computing does not need.
const IMPURE_WORDS: [&str; 8] =
    ["std::fs", "std::net", "std::env", "std::process", "std::thread", "SystemTime", "Instant", "tokio"];
/// What no code has: unfinished work, tests that do not run or that hope for the best.
const FORBIDDEN_WORDS: [&str; 6] = ["todo!", "unimplemented!", "#[ignore", "#[should_panic", "thread::sleep(", "dbg!("];
/// Who may write to a terminal, or to a log: all others hand what they say to these, which show it so that it is seen.
const DOORS: [&str; 6] = [
    "host/cli/src/stdout.rs",
    "host/cli/src/stdout/closed.rs",
    "host/cli/src/stderr.rs",
    "host/cli/src/logging.rs",
    // What it makes up itself, and what a process says to the one that started it.
    "host/cli/src/commands/generate.rs",
    "host/cli/src/commands/compile.rs",
];
/// How it is done.
const TO_TERMINALS: [&str; 6] = ["stdout()", "stderr()", "println!", "print!(", "eprint!(", "io::stderr"];
/// Registries and folders of one machine, in two halves so that this file has none of them.
const PLACES: [(&str, &str); 13] = [
    ("index.crates", ".io"),
    ("static.crates", ".io"),
    ("deb.debian", ".org"),
    ("proxy.golang", ".org"),
    ("registry.npmjs", ".org"),
    ("pypi", ".org"),
    ("files.pythonhosted", ".org"),
    ("repo.maven", ".apache.org"),
    ("static.rust-lang", ".org"),
    ("/ro", "ot/"),
    ("/ho", "me/"),
    ("/Us", "ers/"),
    ("/wo", "rk/"),
];

#[test]
fn pure_crates_touch_nothing() {
    let is_pure = |path: &str| !OF_TESTS.contains(&path) && PURE.iter().any(|folder| path.starts_with(folder));
    let pure = texts(".rs").into_iter().filter(|(path, _)| is_pure(path));
    assert_none(
        found(pure, &IMPURE_WORDS, |code| without_tests(code).to_owned()),
        "model, plan and state have no clock, no files, no threads: hand the facts in",
    );
}

#[test]
fn text_reaches_terminals_through_few_doors() {
    let is_program = |path: &str| path.starts_with("host/cli/src/") && !DOORS.contains(&path);
    let others = texts(".rs").into_iter().filter(|(path, _)| is_program(path));
    assert_none(
        found(others, &TO_TERMINALS, |code| without_tests(code).to_owned()),
        "say it through `stdout` or `stderr`, which show text of plugins, peers and rows so that it is seen",
    );
}

/// What is counted in what people read. One of it is one.
const COUNTED: [&str; 15] = [
    "rows",
    "lines",
    "keys",
    "batches",
    "chunks",
    "files",
    "columns",
    "fields",
    "functions",
    "partitions",
    "streams",
    "errors",
    "rejections",
    "groups",
    "panics",
];

#[test]
fn one_is_not_said_to_be_many() {
    let mut wrong = Vec::new();
    let product = texts(".rs").into_iter().filter(|(path, _)| {
        let is_for_tests =
            ["/tests", "tests.rs", "/testing", "host/sim/", "host/conform/"].iter().any(|part| path.contains(part));
        path.starts_with("host/") && path.contains("/src/") && !is_for_tests
    });
    for (path, text) in product {
        for (number, line) in without_tests(&text).lines().enumerate() {
            // What is for who debugs, and bounds, which are more than one.
            let is_exempt = line.contains("write!(f") || line.contains("MAX") || line.contains("assert");
            let is_many = |word: &&&str| {
                line.split(&format!("}} {word}")).skip(1).any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
            };
            if !is_exempt && let Some(word) = COUNTED.iter().find(is_many) {
                wrong.push(format!("{path}:{}: {word}", number + 1));
            }
        }
    }
    assert_none(wrong, "say how many there are with `tidemill_model::text::counted`: 1 row, 2 rows");
}

#[test]
fn code_is_finished_and_tests_are_definite() {
    assert_none(found(texts(".rs").into_iter(), &FORBIDDEN_WORDS, str::to_owned), "finish it, or wait for an event");
}

#[test]
fn no_machine_is_named() {
    let mut wrong = Vec::new();
    for path in tidemill_tests::files().unwrap() {
        if path.ends_with("Cargo.lock") {
            continue;
        }
        for (number, line) in read(&path).lines().enumerate() {
            for (first, second) in PLACES {
                if line.contains(&format!("{first}{second}")) {
                    wrong.push(format!("{}:{}: {first}{second}", path.display(), number + 1));
                }
            }
        }
    }
    assert_none(wrong, "the project runs anywhere: name no registry's host and no machine's folder");
}

/// Where words stand in the code of files, comments and literals left out.
fn found(files: impl Iterator<Item = (String, String)>, words: &[&str], part: impl Fn(&str) -> String) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, source) in files {
        for (number, line) in part(&code_of(&source)).lines().enumerate() {
            wrong.extend(
                words.iter().filter(|word| line.contains(*word)).map(|word| format!("{path}:{}: {word}", number + 1)),
            );
        }
    }
    wrong
}
