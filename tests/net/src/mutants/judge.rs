//! Runs the tests that reach a mutant with the mutant on. What fails must be well without it, or it has failed by chance.

mod kept;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError, RwLock},
    time::Duration,
};

use super::{
    baseline::{Chunk, Place, short},
    mutant::Mutant,
    switch,
    tree::crate_of,
};
use crate::{process::How, programs::Program};
pub use kept::Kept;

/// What a group of tests may take: this and a multiple of what they took without a mutant, one after the other.
pub const GRACE: Duration = Duration::from_secs(20);
const FACTOR: f64 = 10.0;
/// Tests that take less are run before all that take more.
const QUICK_SECONDS: f64 = 3.0;
/// Tests of one group at a time.
const THREADS: &str = "2";
/// Mutants in these files can spoil what is kept for later runs: the code of guests, found by what it was compiled of.
const SPOILERS: [&str; 4] =
    ["host/guest/src/build", "host/guest/src/cache", "host/guest/src/component", "host/cli/src/commands/build"];
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
    pub place: Place<'a>,
    pub kept: Kept,
    pub grace: Duration,
    /// Whether tests go on after a failure.
    pub all_failures: bool,
    pub by_chance: ByChance,
}

/// What failed of itself.
#[derive(Default)]
pub struct ByChance {
    tests: Mutex<Vec<String>>,
    /// Held for writing by what must run alone to be judged.
    alone: RwLock<()>,
}

impl ByChance {
    /// Tests, one for each time that it failed.
    pub fn tests(&self) -> Vec<String> {
        self.tests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, program: &Program, tests: &[String]) {
        let mut all = self.tests.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(tests.iter().map(|test| format!("{} {test}", program.name)));
    }
}

/// Tests of one program that are run in one process.
#[derive(Debug, PartialEq)]
struct Group<'a> {
    program: usize,
    names: Vec<&'a str>,
    seconds: f64,
}

/// How a group ended.
#[derive(Debug)]
enum Outcome {
    Well,
    Failed(Vec<String>),
    /// Not by the failure of a test.
    Died,
    Late,
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
            match self.meet(group, mutant)? {
                Verdict::Caught(names) => failed.extend(names),
                Verdict::CaughtByTime => late = true,
                Verdict::Survived(_) => continue,
            }
            if !self.all_failures {
                break;
            }
        }
        self.mend(mutant)?;
        Ok(match (failed.is_empty(), late) {
            (false, _) => Verdict::Caught(failed),
            (true, true) => Verdict::CaughtByTime,
            (true, false) => Verdict::Survived(reaching.iter().map(|(_, chunk)| chunk.names.len()).sum()),
        })
    }

    /// What a group says of a mutant, without the tests that fail by chance.
    fn meet(&self, mut group: Group<'_>, mutant: &Mutant) -> anyhow::Result<Verdict> {
        let program = &self.programs[group.program];
        while !group.names.is_empty() {
            let suspects = match self.outcome(&group, mutant)? {
                Outcome::Well => break,
                Outcome::Late => return Ok(Verdict::CaughtByTime),
                Outcome::Failed(tests) => Some(tests),
                Outcome::Died => None,
            };
            self.mend(mutant)?;
            let is_suspect = |name: &&str| suspects.as_ref().is_none_or(|tests| tests.iter().any(|test| test == name));
            let names: Vec<&str> = group.names.iter().copied().filter(is_suspect).collect();
            let without = Group { names: names.clone(), ..group };
            let chance: Vec<String> = match self.run_beside(&without, None)? {
                Outcome::Well => Vec::new(),
                Outcome::Failed(tests) => tests,
                Outcome::Died | Outcome::Late => names.into_iter().map(str::to_owned).collect(),
            };
            self.by_chance.add(program, &chance);
            let caught = match suspects {
                Some(tests) => tests.into_iter().filter(|test| !chance.contains(test)).collect(),
                None if chance.is_empty() => vec!["died".to_owned()],
                None => Vec::new(),
            };
            if !caught.is_empty() {
                return Ok(Verdict::Caught(caught.iter().map(|test| format!("{} {test}", program.name)).collect()));
            }
            group.names.retain(|name| !chance.iter().any(|test| test == name));
        }
        Ok(Verdict::Survived(0))
    }

    /// How a group ends with the mutant on. What others may have made late is run once more, alone.
    fn outcome(&self, group: &Group<'_>, mutant: &Mutant) -> anyhow::Result<Outcome> {
        let outcome = self.run_beside(group, Some(mutant))?;
        if !matches!(outcome, Outcome::Late) {
            return Ok(outcome);
        }
        let _alone = self.by_chance.alone.write().unwrap_or_else(PoisonError::into_inner);
        self.mend(mutant)?;
        let again = self.run(group, Some(mutant))?;
        if matches!(again, Outcome::Well) {
            self.by_chance.add(&self.programs[group.program], &["(late)".to_owned()]);
        }
        Ok(again)
    }

    fn run_beside(&self, group: &Group<'_>, mutant: Option<&Mutant>) -> anyhow::Result<Outcome> {
        let _beside = self.by_chance.alone.read().unwrap_or_else(PoisonError::into_inner);
        self.run(group, mutant)
    }

    fn run(&self, group: &Group<'_>, mutant: Option<&Mutant>) -> anyhow::Result<Outcome> {
        let mut command = self.programs[group.program].command(self.place.libraries);
        short(&mut command).args(["--test-threads", THREADS, "--exact"]).args(&group.names);
        if let Some(mutant) = mutant {
            command.env(switch::ACTIVE, mutant.number.to_string());
        }
        let limit = self.grace + Duration::from_secs_f64(group.seconds * FACTOR);
        let is_enough = mutant.is_some() && !self.all_failures;
        let mut failed = Vec::new();
        let ended = self.place.runner.run(&mut command, limit, |line| {
            // A program that a test runs may print something like it.
            failed.extend(failure_in(line).filter(|test| group.names.contains(test)).map(str::to_owned));
            !failed.is_empty() && is_enough
        })?;
        Ok(match ended.how {
            How::Well => Outcome::Well,
            How::Late => Outcome::Late,
            How::Stopped | How::Badly if failed.is_empty() => Outcome::Died,
            How::Stopped | How::Badly => Outcome::Failed(failed),
        })
    }

    /// Takes back what the mutant may have spoiled.
    fn mend(&self, mutant: &Mutant) -> anyhow::Result<()> {
        if Self::is_alone(mutant) { self.kept.restore() } else { Ok(()) }
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
