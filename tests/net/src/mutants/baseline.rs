//! What each test reaches, and how long it takes, with no mutant on.

mod reached;
mod stored;

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    slice,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use super::switch;
use crate::{
    process::{How, Runner},
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
/// The longest that a chunk may take.
const LIMIT: Duration = Duration::from_secs(900);

/// Tests of a program of which each process costs much by itself, because it builds guests, are measured so many together.
const TOGETHER: usize = 6;

/// Tests that are measured together: one, or some.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    pub names: Vec<String>,
    pub passed: bool,
    pub seconds: f64,
    pub reached: BTreeSet<u32>,
}

/// What tests are run with.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub runner: &'a Runner,
    pub libraries: &'a Path,
}

/// The environment of all runs.
pub fn short(command: &mut Command) -> &mut Command {
    command.envs(SHORT).env_remove("TIDEMILL_DAMAGE_STEP").env_remove(switch::ACTIVE).env_remove(switch::REACHED)
}

/// For each program its chunks. Runs the tests of a program unless that was done with the same program and data.
pub fn measure(top: &Path, data: u64, programs: &[Program], place: Place<'_>) -> anyhow::Result<Vec<Vec<Chunk>>> {
    fs::create_dir_all(top.join("baseline"))?;
    programs.iter().map(|program| measure_program(program, top, data, place)).collect()
}

fn measure_program(program: &Program, top: &Path, data: u64, place: Place<'_>) -> anyhow::Result<Vec<Chunk>> {
    if !PACKAGES.contains(&program.package.as_str()) {
        return Ok(Vec::new());
    }
    let file = top.join("baseline").join(format!("{}.json", program.name.replace('/', "-")));
    let key = key(program, data)?;
    if let Some(chunks) = stored::read(&file, &key) {
        return Ok(chunks);
    }
    let names = program.tests(place.libraries)?.into_iter().filter(|name| !is_left_out(name)).collect();
    let jobs = chunks(names, if program.name.ends_with("/src") { 1 } else { TOGETHER });
    eprintln!("baseline: {}", program.name);
    let progress = Mutex::new(Progress::new("baseline", jobs.len()));
    let chunks = in_parallel(jobs, |_, names| {
        let chunks = run(&names, program, place)?;
        let failed: Vec<String> =
            chunks.iter().filter(|chunk| !chunk.passed).map(|chunk| format!("{} FAILED", chunk.names[0])).collect();
        progress.lock().unwrap_or_else(PoisonError::into_inner).step(&failed.join(", "), failed.is_empty());
        Ok(chunks)
    })?;
    let chunks: Vec<Chunk> = chunks.into_iter().flatten().collect();
    stored::write(&file, &key, &chunks)?;
    Ok(chunks)
}

fn is_left_out(name: &str) -> bool {
    LEFT_OUT.iter().any(|(part, _)| name.contains(part))
}

/// What a baseline is valid for: a test program as it was built, the product that it runs, and what both read.
fn key(program: &Program, data: u64) -> anyhow::Result<String> {
    let product = program.path.parent().and_then(Path::parent).map(|folder| folder.join("tidemill"));
    let mut key = data.to_string();
    for path in [Some(program.path.clone()), product.filter(|path| path.exists())].into_iter().flatten() {
        let built = fs::metadata(&path)?.modified()?.duration_since(SystemTime::UNIX_EPOCH)?;
        key += &format!(" {} {}", path.display(), built.as_nanos());
    }
    Ok(key)
}

/// Tests of the same module beside each other, at most so many.
fn chunks(names: Vec<String>, most: usize) -> Vec<Vec<String>> {
    let module = |name: &str| name.rsplit_once("::").map(|(module, _)| module.to_owned());
    let mut chunks: Vec<Vec<String>> = Vec::new();
    for name in names {
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < most && module(&chunk[0]) == module(&name) => chunk.push(name),
            _ => chunks.push(vec![name]),
        }
    }
    chunks
}

/// Runs tests together; each alone if one of them fails.
fn run(names: &[String], program: &Program, place: Place<'_>) -> anyhow::Result<Vec<Chunk>> {
    let mut command = program.command(place.libraries);
    short(&mut command).args(["--test-threads", "1", "--exact"]).args(names);
    let measured = |socket: &str| place.runner.run(command.env(switch::REACHED, socket), LIMIT, |_| false);
    let (ended, reached) = reached::during(measured)?;
    let ended = ended?;
    let passed = ended.how == How::Well;
    if !passed && names.len() > 1 {
        let alone = names.iter().map(|name| run(slice::from_ref(name), program, place));
        return Ok(alone.collect::<Result<Vec<_>, _>>()?.concat());
    }
    Ok(vec![Chunk { names: names.to_vec(), passed, seconds: ended.seconds, reached }])
}

#[test]
fn chunks_have_tests_of_one_module() {
    let names = ["a::x", "a::y", "a::z", "b::x", "x", "y"].map(str::to_owned).to_vec();
    let check = |most, expect: &[&[&str]]| assert_eq!(chunks(names.clone(), most), expect);
    check(2, &[&["a::x", "a::y"], &["a::z"], &["b::x"], &["x", "y"]]);
    check(1, &[&["a::x"], &["a::y"], &["a::z"], &["b::x"], &["x"], &["y"]]);
}
