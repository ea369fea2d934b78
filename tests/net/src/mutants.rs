//! `make mutants`: draws small mistakes by seed, puts each into the product, and says which ones no test sees.

mod baseline;
mod build;
mod draw;
mod equivalent;
mod hash;
mod judge;
mod mutant;
mod report;
mod rewrite;
mod switch;
mod tree;

use std::{
    collections::HashSet,
    fs,
    sync::{Mutex, PoisonError},
};

use anyhow::bail;
use clap::Args;
use tidemill_tests::repository;

use crate::{
    process::Runner,
    programs::libraries,
    progress::{Progress, in_parallel},
};
use baseline::Place;
use build::Folders;
use judge::{ByChance, GRACE, Judge, Kept, Verdict};
use mutant::Mutant;
use report::Report;

#[derive(Args)]
pub struct Options {
    /// What the mutants are drawn by.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many are drawn.
    #[arg(long, default_value_t = 100)]
    count: usize,
    /// Only mutants of this crate: engine, or host/engine.
    #[arg(long = "crate", value_name = "NAME")]
    crates: Vec<String>,
    /// Only mutants of files with this in their names.
    #[arg(long, value_name = "SUBSTRING")]
    file: Option<String>,
    /// Only with the tests of programs with this in their names: engine/src. Others might catch what survives.
    #[arg(long = "program", value_name = "SUBSTRING")]
    programs: Vec<String>,
    /// Only this one, with all the tests that fail for it.
    #[arg(long, value_name = "NUMBER")]
    only: Option<u32>,
    /// Lists all mutants that could be drawn, and runs no tests. Builds first, to know which ones compile.
    #[arg(long)]
    list: bool,
}

impl Options {
    fn wants(&self, mutant: &Mutant) -> bool {
        let name = tree::crate_of(&mutant.identity.file).unwrap_or_default();
        let of_crate = |wanted: &String| wanted == name || name.strip_prefix("host/") == Some(wanted);
        (self.crates.is_empty() || self.crates.iter().any(of_crate))
            && self.file.as_ref().is_none_or(|part| mutant.identity.file.contains(part))
            && self.only.is_none_or(|number| number == mutant.number)
    }
}

/// Whether no mutant has survived.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    let folders = Folders { top: repository().join("target/mutants") };
    let (tree, mut programs) = build::build(&folders)?;
    let is_asked = |name: &str| options.programs.iter().any(|part| name.contains(part));
    programs.retain(|program| options.programs.is_empty() || is_asked(&program.name));
    let equivalent = equivalents(&tree.mutants)?;
    let wanted: Vec<&Mutant> = tree.mutants.iter().filter(|mutant| options.wants(mutant)).collect();
    if wanted.is_empty() {
        bail!("there is no such mutant");
    }
    let drawable = wanted.iter().filter(|mutant| options.only.is_some() || !equivalent.contains(&mutant.number));
    let drawable: Vec<&Mutant> = drawable.copied().collect();
    if options.list {
        for mutant in &drawable {
            let Mutant { number, line, column, identity, .. } = mutant;
            println!("{number:>6} {}:{line}:{column}: {}", identity.file, mutant.entry());
        }
        return Ok(true);
    }
    let libraries = libraries()?;
    let runner = Runner::start(&folders.top)?;
    let place = Place { runner: &runner, libraries: &libraries };
    let chunks = baseline::measure(&folders.top, tree.data, &programs, place)?;
    for (program, chunks) in programs.iter().zip(&chunks) {
        for chunk in chunks.iter().filter(|chunk| !chunk.passed) {
            eprintln!("mutants: {} {} fails without a mutant and is left out", program.name, chunk.names.join(" "));
        }
    }
    let judge = Judge {
        programs: &programs,
        chunks: &chunks,
        place,
        kept: Kept::new(folders.target(), folders.top.join("kept")),
        grace: GRACE,
        all_failures: options.only.is_some(),
        by_chance: ByChance::default(),
    };
    let judged = judge_all(&judge, draw::draw(&drawable, options.seed, options.count))?;
    if options.only.is_some() {
        judged.iter().for_each(tell);
    }
    let (equivalent, by_chance) = (wanted.len() - drawable.len(), judge.by_chance.tests());
    let report = Report { seed: options.seed, judged, equivalent, dropped: tree.dropped, by_chance };
    print!("{}", report.table());
    report.write(&repository().join("target/mutants.json"))?;
    Ok(report.survived() == 0)
}

/// What stands in the list, which must be right.
fn equivalents(mutants: &[Mutant]) -> anyhow::Result<HashSet<u32>> {
    let path = "tests/net/equivalent.txt";
    let list = fs::read_to_string(repository().join(path))?;
    equivalent::read(&list, mutants).map_err(|wrong| {
        let lines: Vec<String> = wrong.iter().map(|wrong| format!("{path}:{}: {}", wrong.line, wrong.why)).collect();
        anyhow::anyhow!("{}", lines.join("\n"))
    })
}

/// Those that could spoil something for others come last and one at a time.
fn judge_all(judge: &Judge<'_>, drawn: Vec<Mutant>) -> anyhow::Result<Vec<(Mutant, Verdict)>> {
    let progress = Mutex::new(Progress::new("mutants", drawn.len()));
    let one = |mutant: Mutant| {
        let verdict = judge.judge(&mutant)?;
        let survived = matches!(verdict, Verdict::Survived(_));
        let note = if survived { format!("survived: {}", mutant.entry()) } else { String::new() };
        progress.lock().unwrap_or_else(PoisonError::into_inner).step(&note, !survived);
        Ok((mutant, verdict))
    };
    let (alone, together): (Vec<_>, Vec<_>) = drawn.into_iter().partition(Judge::is_alone);
    let mut judged = in_parallel(together, |_, mutant| one(mutant))?;
    if !alone.is_empty() {
        judge.kept.make()?;
        for mutant in alone {
            judged.push(one(mutant)?);
        }
        judge.kept.remove()?;
    }
    Ok(judged)
}

/// All about one mutant.
fn tell((mutant, verdict): &(Mutant, Verdict)) {
    let Mutant { line, column, identity, after, .. } = mutant;
    println!("{}:{line}:{column} in {}\n- {}\n+ {after}", identity.file, identity.function, mutant.before());
    match verdict {
        Verdict::Caught(tests) => println!("caught by\n  {}\n", tests.join("\n  ")),
        Verdict::CaughtByTime => println!("caught by time: a test does not end\n"),
        Verdict::Survived(0) => println!("survived: no test reaches it\n"),
        Verdict::Survived(tests) => println!("survived: {tests} tests reach it, and none fails\n"),
    }
}
