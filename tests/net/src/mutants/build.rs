//! Builds the copy; mutants that do not compile are left out.

mod dropped;
mod errors;

use std::{collections::HashSet, path::PathBuf};

use anyhow::bail;
use serde_json::Value;
use tidemill_tests::repository;

use super::tree::{self, Tree};
use crate::programs::{Program, cargo, programs};

/// Packages without tests of the product.
const WITHOUT: [&str; 3] = ["tidemill-bench", "tidemill-net", "tidemill-tidy"];
const ROUNDS_MAX: usize = 60;

/// Where everything of the mutants is.
pub struct Folders {
    pub top: PathBuf,
}

impl Folders {
    pub fn tree(&self) -> PathBuf {
        self.top.join("tree")
    }

    pub fn target(&self) -> PathBuf {
        self.top.join("target")
    }

    fn dropped(&self) -> PathBuf {
        self.top.join("dropped.json")
    }
}

/// Makes the copy and its test programs. Mutants that do not compile are not among the tree's.
pub fn build(folders: &Folders) -> anyhow::Result<(Tree, Vec<Program>)> {
    let mut left_out = dropped::read(&folders.dropped(), repository());
    for round in 1..=ROUNDS_MAX {
        let mut tree = tree::write(&folders.tree(), &left_out)?;
        eprintln!(
            "mutants: {} in {} files, {} left out that do not compile; building (round {round})",
            tree.mutants.len(),
            tree.mutants.iter().map(|mutant| &mutant.identity.file).collect::<HashSet<_>>().len(),
            tree.mutants.iter().filter(|mutant| left_out.contains(&mutant.identity)).count(),
        );
        let errors = errors_of(folders)?;
        if errors.is_empty() {
            let all = tree.mutants.len();
            tree.mutants.retain(|mutant| !left_out.contains(&mutant.identity));
            tree.dropped = all - tree.mutants.len();
            return Ok((tree, test_programs(folders)?));
        }
        let guilty = errors::guilty(&errors, &folders.tree(), &tree.mutants, &left_out);
        if guilty.is_empty() {
            let texts: Vec<&str> = errors.iter().filter_map(|error| error["rendered"].as_str()).collect();
            bail!("the copy does not compile, and no mutant is at fault:\n{}", texts.join("\n"));
        }
        left_out.extend(guilty);
        dropped::write(&folders.dropped(), repository(), &left_out)?;
    }
    bail!("the copy does not compile after {ROUNDS_MAX} rounds")
}

fn arguments<'a>(first: &[&'a str]) -> Vec<&'a str> {
    let without = WITHOUT.into_iter().flat_map(|package| ["--exclude", package]);
    first.iter().copied().chain(["--locked", "--workspace", "--message-format", "json"]).chain(without).collect()
}

/// What the compiler says against the copy.
fn errors_of(folders: &Folders) -> anyhow::Result<Vec<Value>> {
    let arguments = arguments(&["build", "--lib", "--bins", "--tests", "--keep-going"]);
    let built = cargo(&folders.tree(), Some(&folders.target()), &arguments)?;
    let messages = built.messages.into_iter().filter(|message| message["reason"] == "compiler-message");
    let errors = messages.map(|mut message| message["message"].take());
    let errors: Vec<Value> = errors.filter(|message| message["level"] == "error").collect();
    if !built.well && errors.is_empty() {
        bail!("cargo builds no copy, and the compiler does not say why");
    }
    Ok(if built.well { Vec::new() } else { errors })
}

fn test_programs(folders: &Folders) -> anyhow::Result<Vec<Program>> {
    let built = cargo(&folders.tree(), Some(&folders.target()), &arguments(&["test", "--no-run"]))?;
    if !built.well {
        bail!("cargo builds no test programs");
    }
    Ok(programs(&built.messages))
}
