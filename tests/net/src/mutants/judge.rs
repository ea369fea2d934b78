//! Runs the tests that reach a mutant with the mutant on.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    baseline::{Chunk, short},
    mutant::Mutant,
    switch,
    tree::crate_of,
};
use crate::{
    process::{self, How},
    programs::Program,
};

/// What a group of tests may take: this and a multiple of what they took without a mutant, one after the other.
const GRACE: Duration = Duration::from_secs(20);
const FACTOR: f64 = 10.0;
/// Tests that take less are run before all that take more.
const QUICK_SECONDS: f64 = 3.0;
/// Tests of one group at a time.
const THREADS: &str = "2";
/// Mutants in these files can spoil what is kept for later runs: the code of guests, found by what it was compiled of.
const SPOILERS: [&str; 4] =
    ["host/guest/src/build", "host/guest/src/cache", "host/guest/src/component", "host/cli/src/commands/build"];
/// Where that is kept, below the target folder.
const SPOILED: [&str; 3] = ["guests/compiled", "guests/components", "tmp"];

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Which tests failed.
    Caught(Vec<String>),
    /// A test did not end in its time.
    CaughtByTime,
    /// How many tests reached it, none of which failed.
    Survived(usize),
}

/// What is needed to judge.
pub struct Judge<'a> {
    pub programs: &'a [Program],
    /// For each program.
    pub chunks: &'a [Vec<Chunk>],
    pub libraries: &'a Path,
    pub target: PathBuf,
    /// Whether tests go on after a failure.
    pub all_failures: bool,
}

/// Tests of one program that are run in one process.
#[derive(Debug, PartialEq)]
struct Group<'a> {
    program: usize,
    names: Vec<&'a str>,
    seconds: f64,
}

impl Judge<'_> {
    /// Runs the tests that reach a mutant, until one fails.
    pub fn judge(&self, mutant: &Mutant) -> anyhow::Result<Verdict> {
        let reaches = |chunk: &Chunk| chunk.passed && chunk.reached.contains(&mutant.number);
        let all = self.chunks.iter().enumerate().flat_map(|(at, chunks)| chunks.iter().map(move |chunk| (at, chunk)));
        let reaching: Vec<(usize, &Chunk)> = all.filter(|(_, chunk)| reaches(chunk)).collect();
        let own = crate_of(&mutant.identity.file);
        let is_own = |program: usize| own.is_some_and(|own| self.programs[program].folder.ends_with(own));
        let (mut failed, mut late) = (Vec::new(), false);
        for group in groups(&reaching, is_own) {
            match self.run(&group, mutant)? {
                Verdict::Caught(names) => failed.extend(names),
                Verdict::CaughtByTime => late = true,
                Verdict::Survived(_) => continue,
            }
            if !self.all_failures {
                break;
            }
        }
        if SPOILERS.iter().any(|spoiler| mutant.identity.file.starts_with(spoiler)) {
            self.clean()?;
        }
        Ok(match (failed.is_empty(), late) {
            (false, _) => Verdict::Caught(failed),
            (true, true) => Verdict::CaughtByTime,
            (true, false) => Verdict::Survived(reaching.iter().map(|(_, chunk)| chunk.names.len()).sum()),
        })
    }

    fn run(&self, group: &Group<'_>, mutant: &Mutant) -> anyhow::Result<Verdict> {
        let program = &self.programs[group.program];
        let mut command = program.command(self.libraries);
        short(&mut command).env(switch::ACTIVE, mutant.number.to_string());
        command.args(["--test-threads", THREADS, "--exact"]).args(&group.names);
        let limit = GRACE + Duration::from_secs_f64(group.seconds * FACTOR);
        let mut failed = Vec::new();
        let ended = process::run(&mut command, limit, |line| {
            failed.extend(failure_in(line).map(|test| format!("{} {test}", program.name)));
            !failed.is_empty() && !self.all_failures
        })?;
        Ok(match ended.how {
            How::Well => Verdict::Survived(0),
            How::Late => Verdict::CaughtByTime,
            How::Stopped | How::Badly if failed.is_empty() => Verdict::Caught(vec![format!("{} died", program.name)]),
            How::Stopped | How::Badly => Verdict::Caught(failed),
        })
    }

    /// Removes what the mutant may have spoiled; the tests make it again.
    fn clean(&self) -> anyhow::Result<()> {
        for folder in SPOILED.map(|folder| self.target.join(folder)).iter().filter(|folder| folder.exists()) {
            fs::remove_dir_all(folder)?;
            fs::create_dir_all(folder)?;
        }
        Ok(())
    }

    /// Whether other mutants must not be judged at the same time.
    pub fn is_alone(mutant: &Mutant) -> bool {
        SPOILERS.iter().any(|spoiler| mutant.identity.file.starts_with(spoiler))
    }
}

/// Quick tests before slow ones, those of the mutant's own crate before others, small groups before large ones.
fn groups<'a>(chunks: &[(usize, &'a Chunk)], is_own: impl Fn(usize) -> bool) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<(bool, bool, usize), Group<'a>> = BTreeMap::new();
    for &(program, chunk) in chunks {
        let is_slow = chunk.seconds / chunk.names.len() as f64 > QUICK_SECONDS;
        let new = || Group { program, names: Vec::new(), seconds: 0.0 };
        let group = groups.entry((is_slow, !is_own(program), program)).or_insert_with(new);
        group.names.extend(chunk.names.iter().map(String::as_str));
        group.seconds += chunk.seconds;
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|((slow, other, _), a), ((slow_too, other_too, _), b)| {
        (slow, other).cmp(&(slow_too, other_too)).then(a.seconds.total_cmp(&b.seconds))
    });
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The test that a line says has failed.
fn failure_in(line: &str) -> Option<&str> {
    let (test, _) = line.strip_prefix("test ")?.split_once(" ... ")?;
    line.ends_with("FAILED").then_some(test)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
