//! Judges mutants by programs of the shell that look like test programs.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{fs, path::Path, process::Command, sync::atomic::Ordering};

use super::*;
use crate::{
    mutants::mutant::{Identity, Kind},
    process::Runner,
};

/// Reads the names of tests behind the options, and fails those that it is told to.
const PROGRAM: &str = r#"#!/bin/sh
shift 3
code=0
echo $TIDEMILL_MUTANT "$@" >> LOG
for test in "$@"; do
    [ "FAILING" = hang ] && tail -f /dev/null
    for failing in FAILING; do
        if [ "$failing" = "$test" ] || [ "$failing" = "$test/$TIDEMILL_MUTANT" ]; then
            echo "test $test ... FAILED"
            code=1
        fi
    done
done
exit $code
"#;

/// Judges mutant 7, which tests `a`, `b` and `c` reach. Those that fail are named: `b/7` fails with the mutant alone. What is
/// given is the verdict, what failed by chance, and each run: the mutant that was on, and the tests.
fn judge(failing: &str, all_failures: bool) -> (Verdict, Vec<String>, Vec<String>) {
    // Limits that no machine reaches.
    let (verdict, by_chance, runs, _) = judge_within(failing, all_failures, Duration::from_secs(1200));
    (verdict, by_chance, runs)
}

fn judge_within(failing: &str, all_failures: bool, grace: Duration) -> (Verdict, Vec<String>, Vec<String>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let (path, log) = (folder.path().join("program"), folder.path().join("log"));
    let text = PROGRAM.replace("FAILING", failing).replace("LOG", log.to_str().unwrap());
    // Written by another process: this one may start others at the same time, to which the open file would go.
    let mut shell = Command::new("sh");
    shell.args(["-c", "printf %s \"$1\" > \"$2\"; chmod +x \"$2\"", "sh", &text]).arg(&path);
    let runner = Runner::new(folder.path());
    let long = Duration::from_secs(1200);
    assert_eq!(runner.run(&mut shell, long, |_| false).unwrap().how, How::Well);
    let package = "p".to_owned();
    let program = Program { name: "p/src".to_owned(), package, path, folder: folder.path().to_owned() };
    let chunk =
        Chunk { names: ["a", "b", "c"].map(str::to_owned).to_vec(), passed: true, seconds: 0.0, reached: [7].into() };
    let judge = Judge {
        programs: &[program],
        chunks: &[vec![chunk]],
        place: Place { runner: &runner, libraries: Path::new("") },
        kept: Kept::default(),
        grace,
        all_failures,
        by_chance: ByChance::default(),
    };
    let (file, function, change) = ("a.rs".to_owned(), "f".to_owned(), "1 -> 2".to_owned());
    let identity = Identity { file, function, kind: Kind::Literal, change, ordinal: 1 };
    let mutant = Mutant { number: 7, identity, line: 1, column: 1, after: "2".to_owned(), function_hash: 0 };
    let verdict = judge.judge(&mutant).unwrap();
    let log = fs::read_to_string(log).unwrap_or_default();
    let started = runner.runs.load(Ordering::Relaxed) - 1;
    (verdict, judge.by_chance.tests(), log.lines().map(str::to_owned).collect(), started)
}

#[test]
fn what_is_late_is_run_again() {
    let (verdict, chance, _, started) = judge_within("hang", false, Duration::from_millis(50));
    assert_eq!((verdict, chance, started), (Verdict::CaughtByTime, texts(&[]), 2));
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_is_well_without_the_mutant_catches_it() {
    let (verdict, chance, runs) = judge("b/7", true);
    assert_eq!((verdict, chance), (Verdict::Caught(texts(&["p/src b"])), texts(&[])));
    assert_eq!(runs, ["7 a b c", "b"], "what failed is run without the mutant");
    let (verdict, chance, _) = judge("b/7", false);
    assert_eq!((verdict, chance), (Verdict::Caught(texts(&["p/src b"])), texts(&[])), "it is not run to its end");
}

#[test]
fn what_fails_without_the_mutant_too_does_not_count() {
    let (verdict, chance, runs) = judge("b", true);
    assert_eq!((verdict, chance), (Verdict::Survived(3), texts(&["p/src b"])));
    assert_eq!(runs, ["7 a b c", "b", "7 a c"], "the others are run again");
    let (verdict, chance, _) = judge("a c/7", false);
    assert_eq!((verdict, chance), (Verdict::Caught(texts(&["p/src c"])), texts(&["p/src a"])), "the others catch it");
    let (verdict, chance, _) = judge("a b/7", true);
    assert_eq!((verdict, chance), (Verdict::Caught(texts(&["p/src b"])), texts(&["p/src a"])));
}

#[test]
fn a_failure_is_told_from_what_a_test_prints() {
    assert_eq!(failure_in("test a::b ... FAILED"), Some("a::b"));
    assert_eq!(failure_in("test a::b ... ok"), None);
    assert_eq!(failure_in("running 2 tests"), None);
    assert_eq!(failure_in("test result: FAILED. 1 passed; 1 failed"), None);
}

#[test]
fn quick_and_own_tests_are_first() {
    let chunk = |names: &[&str], seconds| Chunk {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        passed: true,
        seconds,
        reached: Default::default(),
    };
    let chunks = [
        (0, chunk(&["a"], 1.0)),
        (1, chunk(&["b", "b2"], 4.0)),
        (1, chunk(&["c"], 9.0)),
        (2, chunk(&["d"], 0.1)),
        (1, chunk(&["e"], 0.2)),
    ];
    let chunks: Vec<(usize, &Chunk)> = chunks.iter().map(|(program, chunk)| (*program, chunk)).collect();
    let groups = groups(&chunks, |program| program == 1);
    let names: Vec<Vec<&str>> = groups.into_iter().map(|group| group.names).collect();
    assert_eq!(names, [vec!["b", "b2", "e"], vec!["d"], vec!["a"], vec!["c"]]);
}
