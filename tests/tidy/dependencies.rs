//! Who depends on whom: the arrows of host/ARCHITECTURE.md.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;
use tidemill_tests::repository;

use crate::{assert_none, texts};

/// For each crate of the host the ones that it may depend on.
const ARROWS: [(&str, &[&str]); 10] = [
    ("tidemill-features", &[]),
    ("tidemill-model", &["tidemill-features"]),
    ("tidemill-plan", &["tidemill-model"]),
    ("tidemill-guest", &["tidemill-model"]),
    ("tidemill-state", &["tidemill-model"]),
    ("tidemill-checkpoint", &["tidemill-model"]),
    ("tidemill-conform", &["tidemill-model", "tidemill-plan"]),
    ("tidemill-connect", &["tidemill-model", "tidemill-plan"]),
    (
        "tidemill-engine",
        &["tidemill-model", "tidemill-plan", "tidemill-guest", "tidemill-state", "tidemill-checkpoint"],
    ),
    ("tidemill-sim", &["tidemill-model", "tidemill-plan", "tidemill-guest", "tidemill-checkpoint", "tidemill-engine"]),
];
/// Crates that are fenced in, and the one that may use them.
const FENCED: [(&str, &str); 5] = [
    ("wasmtime", "tidemill-guest"),
    ("wit-component", "tidemill-guest"),
    ("toml", "tidemill-plan"),
    ("bincode", "tidemill-checkpoint"),
    ("object_store", "tidemill-checkpoint"),
];
/// Crates of plugin authors, which know nothing of the host.
const OUTSIDE: [&str; 2] = ["tidemill-sdk", "tidemill-sdk-macros"];
/// Packages in Cargo.lock. To raise it, say in host/ARCHITECTURE.md what the new ones are for.
const PACKAGES_MAX: usize = 400;

#[test]
fn crates_depend_on_what_they_may() {
    let mut wrong = Vec::new();
    for (name, dependencies) in dependencies() {
        let allowed = ARROWS.iter().find(|(from, _)| *from == name).map(|(_, to)| *to);
        for (dependency, is_for_tests) in dependencies {
            let is_ours = dependency.starts_with("tidemill");
            let is_host = is_ours && !OUTSIDE.contains(&dependency.as_str());
            let is_forbidden = match allowed {
                _ if OUTSIDE.contains(&name.as_str()) => is_host,
                Some(allowed) => is_ours && !is_for_tests && !allowed.contains(&dependency.as_str()),
                None => false,
            };
            let fence = FENCED.iter().find(|(fenced, _)| *fenced == dependency);
            if is_forbidden || fence.is_some_and(|(_, owner)| *owner != name) {
                wrong.push(format!("{name} -> {dependency}"));
            }
        }
    }
    assert_none(wrong, "these dependencies go against the arrows");
}

#[test]
fn only_the_listed_crates_make_the_host() {
    let known: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).chain(["tidemill"]).collect();
    let manifests = texts("Cargo.toml").into_iter().filter(|(path, _)| path.starts_with("host/"));
    let unknown =
        manifests.filter(|(_, text)| !known.iter().any(|name| text.contains(&format!("name = \"{name}\"\n"))));
    assert_none(unknown.map(|(path, _)| path).collect(), "add the crate and its arrows to tests/tidy/dependencies.rs");
}

#[test]
fn packages_stay_within_their_budget() {
    let lock = std::fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let packages = lock.lines().filter(|line| *line == "[[package]]").count();
    assert!(packages <= PACKAGES_MAX, "Cargo.lock has {packages} packages, and the budget is {PACKAGES_MAX}");
}

/// The packages of the workspace.
pub fn packages() -> Vec<String> {
    dependencies().into_keys().collect()
}

/// For each package of the workspace what it depends on, and whether for its tests alone.
fn dependencies() -> BTreeMap<String, Vec<(String, bool)>> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let dependency = |value: &Value| (text(&value["name"]), value["kind"] == "dev");
    let package = |value: &Value| {
        (text(&value["name"]), value["dependencies"].as_array().into_iter().flatten().map(dependency).collect())
    };
    metadata["packages"].as_array().into_iter().flatten().map(package).collect()
}
