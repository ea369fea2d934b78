//! Where things stand.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use tidemill_tests::{files, repository};

use crate::{assert_none, texts};

/// What may stand at the top beside dot files.
const TOP: [&str; 11] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "host",
    "plugins",
    "sdk",
    "tests",
    "wit",
];

#[test]
fn the_top_folder_has_only_what_is_listed() {
    let top: BTreeSet<String> = files().unwrap().iter().filter_map(|path| first_part(path)).collect();
    let extra = top.into_iter().filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str()));
    assert_none(extra.collect(), "these do not belong at the top of the repository");
}

fn first_part(path: &Path) -> Option<String> {
    path.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned())
}

/// A file that no `mod` names is not compiled, and its tests do not run.
#[test]
fn no_source_is_forgotten() {
    let sources: BTreeMap<String, String> = texts(".rs").into_iter().collect();
    let mut wrong = Vec::new();
    for path in sources.keys().filter(|path| !is_root(path)) {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let name = file.trim_end_matches(".rs");
        let parents = [format!("{folder}.rs"), format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
        let declared = |parent: &String| sources.get(parent).is_some_and(|text| declares(text, name));
        if !parents.iter().any(declared) {
            wrong.push(path.clone());
        }
    }
    assert_none(wrong, "no `mod` declares these files");
}

/// Files that cargo, or a test over a folder, finds by itself.
fn is_root(path: &str) -> bool {
    let is_named_so = ["lib.rs", "main.rs", "build.rs"].iter().any(|root| path.ends_with(&format!("/{root}")));
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    is_named_so
        || ["tests", "benches", "examples", "bin"].iter().any(|root| folder.ends_with(&format!("/{root}")))
        || ["/compile_fail/", "/template/"].iter().any(|data| path.contains(data))
}

fn declares(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        line.strip_prefix("mod ").is_some_and(|rest| rest.trim_end_matches(';') == name)
    })
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for (path, text) in texts(".md") {
        let folder = repository().join(&path).parent().unwrap_or(repository()).to_owned();
        for target in link_targets(&text) {
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty()
                && !target.contains("://")
                && !target.starts_with("mailto:")
                && !folder.join(file).exists()
            {
                wrong.push(format!("{path}: {target}"));
            }
        }
    }
    assert_none(wrong, "these links lead to no file");
}

/// The targets of `[text](target)`, outside of code.
fn link_targets(markdown: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut targets = Vec::new();
    for line in markdown.lines() {
        in_code ^= line.trim_start().starts_with("```");
        if in_code || line.starts_with("    ") {
            continue;
        }
        let prose = line.split('`').step_by(2);
        targets.extend(prose.flat_map(|part| part.split("](").skip(1)).filter_map(|rest| rest.split(')').next()));
    }
    targets
}

#[test]
fn links_are_found_outside_of_code() {
    let check = |markdown: &str, expect: &[&str]| assert_eq!(link_targets(markdown), expect, "{markdown}");
    check("see [a](b.md) and [c](d/e.md#f)", &["b.md", "d/e.md#f"]);
    check("`[a](b)` stays code", &[]);
    check("```\n[a](b)\n```\n[c](d)", &["d"]);
}
