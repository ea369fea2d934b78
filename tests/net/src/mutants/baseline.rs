//! What each test reaches, and how long it takes, with no mutant on.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use anyhow::Context;
use serde_json::{Value, json};

use super::{switch, tree::Tree};
use crate::{
    process::{self, How},
    programs::Program,
    progress::{Progress, in_parallel},
};

/// Tests that are left out, by a part of their names, and why.
pub const LEFT_OUT: [(&str, &str); 5] = [
    ("project::", "compiles projects from nothing, for minutes"),
    ("compile_errors::", "compiles what must not compile, for minutes, and nothing of the host"),
    ("building::", "compiles projects from nothing"),
    ("docs::", "compiles and runs what the documentation says, for minutes"),
    ("any_call_of_the_storage", "fails each call of the storage in turn, for minutes"),
];
/// Packages whose tests reach mutants.
const PACKAGES: [&str; 10] = [
    "tidemill",
    "tidemill-checkpoint",
    "tidemill-connect",
    "tidemill-engine",
    "tidemill-guest",
    "tidemill-model",
    "tidemill-plan",
    "tidemill-sim",
    "tidemill-state",
    "tidemill-tests",
];
/// Suites that are as long as one wants, made short.
const SHORT: [(&str, &str); 3] =
    [("TIDEMILL_SIM_SEEDS", "30"), ("TIDEMILL_KILLS", "5"), ("TIDEMILL_CASES_FACTOR", "1")];
/// The longest that a test may take.
const LIMIT: Duration = Duration::from_secs(900);

/// A test, alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// Which of the programs.
    pub program: usize,
    pub name: String,
    pub passed: bool,
    pub seconds: f64,
    pub reached: BTreeSet<u32>,
}

/// The environment of all runs.
pub fn short(command: &mut std::process::Command) -> &mut std::process::Command {
    command.envs(SHORT).env_remove("TIDEMILL_DAMAGE_STEP").env_remove(switch::ACTIVE).env_remove(switch::REACHED)
}

/// Runs each test alone, unless that was done with the same sources.
pub fn measure(top: &Path, tree: &Tree, programs: &[Program], libraries: &Path) -> anyhow::Result<Vec<Test>> {
    let file = top.join("baseline.json");
    if let Some(tests) = read(&file, tree.hash, programs) {
        return Ok(tests);
    }
    let mut jobs = Vec::new();
    for (at, program) in programs.iter().enumerate() {
        if PACKAGES.contains(&program.package.as_str()) {
            let names = program.tests(libraries)?;
            jobs.extend(names.into_iter().filter(|name| !is_left_out(name)).map(|name| (at, name)));
        }
    }
    let progress = Mutex::new(Progress::new("baseline", jobs.len()));
    let tests = in_parallel(jobs, |worker, (program, name)| {
        let folder = top.join("reached").join(worker.to_string());
        let test = run(program, &name, &programs[program], &folder, libraries)?;
        let note = if test.passed { String::new() } else { format!("{} FAILED", test.name) };
        progress.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).step(&note, test.passed);
        Ok(test)
    })?;
    fs::write(&file, serde_json::to_vec(&value_of(tree.hash, programs, &tests))?)
        .with_context(|| file.display().to_string())?;
    Ok(tests)
}

fn is_left_out(name: &str) -> bool {
    LEFT_OUT.iter().any(|(part, _)| name.contains(part))
}

fn run(at: usize, name: &str, program: &Program, folder: &PathBuf, libraries: &Path) -> anyhow::Result<Test> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let mut command = program.command(libraries);
    short(&mut command).args(["--exact", name]).env(switch::REACHED, folder);
    let ended = process::run(&mut command, LIMIT, |_| false)?;
    let mut reached = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let text = fs::read_to_string(entry?.path())?;
        // The last line may be cut off if its process was killed.
        reached.extend(text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse::<u32>().ok()));
    }
    let passed = ended.how == How::Well;
    Ok(Test { program: at, name: name.to_owned(), passed, seconds: ended.seconds, reached })
}

fn value_of(hash: u64, programs: &[Program], tests: &[Test]) -> Value {
    let test = |test: &Test| {
        json!({
            "program": test.program,
            "name": test.name,
            "passed": test.passed,
            "seconds": test.seconds,
            "reached": ranges_of(&test.reached),
        })
    };
    json!({
        "hash": hash.to_string(),
        "programs": programs.iter().map(|program| &program.name).collect::<Vec<_>>(),
        "tests": tests.iter().map(test).collect::<Vec<_>>(),
    })
}

fn read(file: &Path, hash: u64, programs: &[Program]) -> Option<Vec<Test>> {
    let value: Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let names: Vec<&str> = value["programs"].as_array()?.iter().filter_map(Value::as_str).collect();
    let same = value["hash"].as_str() == Some(hash.to_string().as_str())
        && names == programs.iter().map(|p| &p.name).collect::<Vec<_>>();
    value["tests"].as_array().filter(|_| same)?.iter().map(test_of).collect()
}

fn test_of(value: &Value) -> Option<Test> {
    Some(Test {
        program: value["program"].as_u64()? as usize,
        name: value["name"].as_str()?.to_owned(),
        passed: value["passed"].as_bool()?,
        seconds: value["seconds"].as_f64()?,
        reached: set_of(value["reached"].as_str()?)?,
    })
}

/// Numbers as text: `1-3,7`.
fn ranges_of(numbers: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = |&(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

fn set_of(ranges: &str) -> Option<BTreeSet<u32>> {
    let mut numbers = BTreeSet::new();
    for range in ranges.split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        numbers.extend(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?);
    }
    Some(numbers)
}

#[test]
fn numbers_are_written_as_ranges() {
    let check = |numbers: &[u32], expect: &str| {
        let set: BTreeSet<u32> = numbers.iter().copied().collect();
        assert_eq!(ranges_of(&set), expect);
        assert_eq!(set_of(expect), Some(set));
    };
    check(&[], "");
    check(&[5], "5");
    check(&[1, 2, 3, 7, 9, 10], "1-3,7,9-10");
}
