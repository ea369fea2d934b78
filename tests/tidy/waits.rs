//! No test waits without end: where a defect makes something not happen, the test fails and says what.

use crate::{
    assert_none,
    source::{code_of, without_tests},
    texts,
};

/// Calls that wait as long as it takes.
const ENDLESS: [&str; 11] = [
    ".output()",
    ".status()",
    ".wait()",
    ".wait(None)",
    ".wait_with_output()",
    ".join()",
    ".recv()",
    ".accept()",
    ".incoming()",
    "TcpStream::connect(",
    "thread::scope(",
];

/// Where one may stand all the same, and why nobody waits for ever there.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("tests/product/limit.rs", ".accept()", "the kit: of a listener that does not block"),
    ("tests/product/running.rs", ".wait()", "the kit: of a child that was killed"),
    ("tests/product/running.rs", ".status()", "the kit: of a command that kills"),
    ("tests/product/real.rs", ".wait()", "of a server that was killed"),
    ("tests/product/real.rs", ".output()", "of a thread that has the limit of the kit"),
    ("tests/product/s3.rs", ".incoming()", "a server, which nobody waits for"),
    ("tests/src/lib.rs", ".output()", "git lists files and ends"),
    ("tests/tidy/dependencies.rs", ".output()", "cargo reads manifests and ends"),
    ("tests/tidy/features.rs", ".output()", "cargo reads manifests and ends"),
    ("host/model/src/testing/within.rs", ".join()", "the kit: of a thread that has ended"),
    ("host/model/src/ports/wake.rs", ".wait(None)", "of a thread that has the limit of the kit"),
    ("host/connect/src/testing.rs", ".accept()", "the kit: of a thread that has the limit of another kit"),
    ("host/connect/src/feed/tests.rs", ".recv()", "of a sender that goes with the test"),
    ("host/connect/tests/conform/sockets.rs", ".accept()", "of a listener that does not block"),
    ("host/sim/tests/sim/seeds.rs", "thread::scope(", "of simulations, which have so many steps at most"),
];

#[test]
fn tests_wait_with_a_limit() {
    let mut wrong = Vec::new();
    for (path, source) in texts(".rs") {
        let code = code_of(&source);
        let first_line = of_tests(&path, &code);
        for (number, line) in code.lines().enumerate().skip(first_line) {
            for word in ENDLESS.iter().filter(|word| line.contains(*word)) {
                if !ALLOWED.iter().any(|(file, allowed, _)| *file == path && allowed == word) {
                    wrong.push(format!("{path}:{}: {word}", number + 1));
                }
            }
        }
    }
    assert_none(wrong, "wait through tests/product/limit.rs, or tidemill_model::testing::within, or with a time-out");
}

/// The first line that belongs to tests, from 0.
fn of_tests(path: &str, code: &str) -> usize {
    let is_test = path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("tests.rs");
    let is_kit = path.contains("/testing/") || path.ends_with("/testing.rs");
    match path {
        // Measurements, and what runs the tests, with a limit of its own.
        _ if path.starts_with("tests/bench/") || path.starts_with("tests/net/") => usize::MAX,
        _ if is_test || is_kit => 0,
        _ => without_tests(code).lines().count(),
    }
}

#[test]
fn tests_are_told_from_what_they_test() {
    let code = "fn f() {}\n#[cfg(test)]\nmod tests {\n    fn t() {}\n}\n";
    assert_eq!(of_tests("host/a/src/b.rs", code), 1);
    assert_eq!(of_tests("host/a/src/b.rs", "fn f() {}\n"), 1);
    assert_eq!(of_tests("host/a/src/b/tests.rs", code), 0);
    assert_eq!(of_tests("host/a/tests/a/b.rs", code), 0);
    assert_eq!(of_tests("host/a/src/testing.rs", code), 0);
    assert_eq!(of_tests("host/a/src/testing/b.rs", code), 0);
    assert_eq!(of_tests("tests/product/b.rs", code), 0);
}
