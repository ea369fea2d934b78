//! What went wrong with a run of a test program.

use std::fmt;

use serde_json::{Value, json};

use crate::process::{Ended, How};

/// A run that did not end well.
#[derive(Debug, PartialEq)]
pub struct Failure {
    pub program: String,
    /// From 1.
    pub run: usize,
    /// It did not end in its time.
    pub is_hang: bool,
    /// Those that failed; of a run that hung, those that had begun and not ended.
    pub tests: Vec<String>,
    seconds: f64,
}

impl Failure {
    /// The file where the run's output is kept.
    pub fn output_name(&self) -> String {
        format!("{}-{}.txt", self.program.replace('/', "-"), self.run)
    }

    pub fn value(&self) -> Value {
        json!({
            "program": self.program,
            "run": self.run,
            "hang": self.is_hang,
            "tests": self.tests,
            "seconds": self.seconds,
            "output": format!("target/flakes/{}", self.output_name()),
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { program, run, is_hang, tests, seconds } = self;
        let what = if *is_hang { format!("not ended after {seconds:.0} s") } else { "failed".to_owned() };
        let tests = if tests.is_empty() { "the program died".to_owned() } else { tests.join(", ") };
        write!(f, "{program} run {run}: {what}: {tests}")
    }
}

/// What went wrong, if anything did. `expected` are the tests in their order, of which `threads` run at a time.
pub fn failure(program: &str, run: usize, ended: &Ended, expected: &[&str], threads: usize) -> Option<Failure> {
    let results = ended.lines.iter().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "));
    let results: Vec<(&str, &str)> = results.collect();
    let tests: Vec<&str> = match ended.how {
        How::Well => return None,
        How::Badly | How::Stopped => {
            results.iter().filter(|(_, result)| result.ends_with("FAILED")).map(|(test, _)| *test).collect()
        }
        // They begin in their order, so that the first of those without a result have begun.
        How::Late => {
            let left = expected.iter().filter(|test| !results.iter().any(|(ended, _)| ended == *test));
            left.take(threads).copied().collect()
        }
    };
    Some(Failure {
        program: program.to_owned(),
        run,
        is_hang: ended.how == How::Late,
        tests: tests.into_iter().map(str::to_owned).collect(),
        seconds: ended.seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(how: How, lines: &[&str], expect: Option<(bool, &[&str])>) {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        let ended = Ended { how, seconds: 7.0, lines };
        let found = failure("some/tests", 3, &ended, &["a", "b", "c", "d"], 2);
        let found = found.map(|failure| (failure.is_hang, failure.tests));
        assert_eq!(found, expect.map(|(hang, tests)| (hang, tests.iter().map(|test| (*test).to_owned()).collect())));
    }

    #[test]
    fn failures_and_hangs_are_told_apart() {
        check(How::Well, &["test a ... ok"], None);
        check(How::Badly, &["test a ... ok", "test b ... FAILED", "test result: FAILED."], Some((false, &["b"])));
        check(How::Badly, &["test a ... ok"], Some((false, &[])));
        check(How::Late, &["test a ... ok", "test c ... ok"], Some((true, &["b", "d"])));
        check(How::Late, &[], Some((true, &["a", "b"])));
    }

    #[test]
    fn a_failure_says_what_happened() {
        let failed = |is_hang, tests: &[&str]| Failure {
            program: "some/tests".to_owned(),
            run: 3,
            is_hang,
            tests: tests.iter().map(|test| (*test).to_owned()).collect(),
            seconds: 7.0,
        };
        assert_eq!(failed(true, &["a", "b"]).to_string(), "some/tests run 3: not ended after 7 s: a, b");
        assert_eq!(failed(false, &[]).to_string(), "some/tests run 3: failed: the program died");
        assert_eq!(failed(false, &["a"]).output_name(), "some-tests-3.txt");
    }
}
