//! The list of mutants that do not compile, kept so that the next build begins with it. It holds for the text of a file that
//! it was made with: some are there for the error of another one, and an edit may make any of them compile.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
};

use anyhow::Context;
use serde_json::{Value, json};

use crate::mutants::{
    hash::hash_of,
    mutant::{Identity, Kind},
};

/// Those of files below `sources` that have not changed.
pub fn read(path: &Path, sources: &Path) -> HashSet<Identity> {
    let text = fs::read(path).unwrap_or_default();
    let list: Value = serde_json::from_slice(&text).unwrap_or_default();
    let is_same =
        |identity: &Identity| list["files"][&identity.file].as_str() == text_hash(sources, &identity.file).as_deref();
    let entries = list["mutants"].as_array().into_iter().flatten().filter_map(identity_of);
    entries.filter(is_same).collect()
}

pub fn write(path: &Path, sources: &Path, dropped: &HashSet<Identity>) -> anyhow::Result<()> {
    let mut dropped: Vec<&Identity> = dropped.iter().collect();
    dropped.sort();
    let files: BTreeMap<&str, Option<String>> =
        dropped.iter().map(|identity| (identity.file.as_str(), text_hash(sources, &identity.file))).collect();
    let list = json!({ "files": files, "mutants": dropped.into_iter().map(value_of).collect::<Vec<_>>() });
    fs::write(path, serde_json::to_string_pretty(&list)?).with_context(|| path.display().to_string())
}

fn text_hash(sources: &Path, file: &str) -> Option<String> {
    Some(format!("{:016x}", hash_of(&fs::read(sources.join(file)).ok()?)))
}

fn value_of(identity: &Identity) -> Value {
    let Identity { file, function, kind, change, ordinal } = identity;
    json!({ "file": file, "function": function, "kind": kind.to_string(), "change": change, "ordinal": ordinal })
}

fn identity_of(value: &Value) -> Option<Identity> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Some(Identity {
        file: text("file")?,
        function: text("function")?,
        kind: Kind::named(value["kind"].as_str()?)?,
        change: text("change")?,
        ordinal: value["ordinal"].as_u64()? as usize,
    })
}

#[test]
#[allow(clippy::unwrap_used, reason = "a test")]
fn the_list_holds_for_the_text_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (list, sources) = (folder.path().join("dropped.json"), folder.path());
    let dropped = |file: &str, ordinal| {
        let (function, change) = ("f".to_owned(), "1 -> 2".to_owned());
        Identity { file: file.to_owned(), function, kind: Kind::Literal, change, ordinal }
    };
    assert!(read(&list, sources).is_empty());
    fs::write(sources.join("a.rs"), "one").unwrap();
    fs::write(sources.join("b.rs"), "two").unwrap();
    let all = HashSet::from([dropped("a.rs", 1), dropped("a.rs", 2), dropped("b.rs", 1)]);
    write(&list, sources, &all).unwrap();
    assert_eq!(read(&list, sources), all);
    fs::write(sources.join("a.rs"), "other").unwrap();
    assert_eq!(read(&list, sources), HashSet::from([dropped("b.rs", 1)]));
}
