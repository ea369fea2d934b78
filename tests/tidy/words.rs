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
