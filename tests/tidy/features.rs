//! One set of features of each dependency, whichever crates are built: what is compiled for one serves for all.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use tidemill_tests::repository;

use crate::{assert_none, dependencies::packages};

/// Packages that stand apart: plugins and their SDK are built without the host, too, and the house rules within seconds. What
/// they alone make cargo compile again takes some seconds, once.
const APART: [&str; 18] = [
    "brc",
    "clickstream",
    "forms",
    "grep",
    "hostile",
    "learning",
    "numbers",
    "orders",
    "popular",
    "quadrant",
    "recoverable",
    "sentiment",
    "sketches",
    "spark-functions",
    "tidemill-sdk",
    "tidemill-sdk-macros",
    "tidemill-tidy",
    "wordcount",
];
/// What cargo is asked for: everything, and what is compiled for the program, without what runs in the compiler.
const EDGES: [&str; 2] = ["normal,build,dev", "normal,dev,no-proc-macro"];

#[test]
fn every_selection_of_crates_has_the_same_features() {
    let mut wrong = Vec::new();
    for edges in EDGES {
        let all = features(edges, &["--workspace"]);
        for package in packages().iter().filter(|package| !APART.contains(&package.as_str())) {
            let other = features(edges, &["-p", package]).into_iter().filter(|(name, sets)| {
                let known = all.get(name);
                known.is_none_or(|known| !sets.is_subset(known))
            });
            wrong
                .extend(other.map(|(name, sets)| format!("{package}: {name} with {sets:?}, not {:?}", all.get(&name))));
        }
    }
    assert_none(wrong, "name these features in host/features/Cargo.toml, or a dependency is compiled more than once");
}

/// For each dependency of a selection the sets of features that it is compiled with.
fn features(edges: &str, selection: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p}|{f}", "--edges", edges])
        .args(selection)
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&tree.stdout).lines() {
        let Some((package, features)) = line.trim_end_matches(" (*)").split_once('|') else { continue };
        // Our own crates have their paths behind their versions.
        if !package.contains("(/") {
            let package = package.trim_end_matches(" (proc-macro)").to_owned();
            found.entry(package).or_default().insert(features.to_owned());
        }
    }
    assert!(!found.is_empty(), "cargo tree says nothing of {selection:?}");
    found
}
