//! The list of mutants that do not compile, kept so that the next build begins with it.

use std::{collections::HashSet, fs, path::Path};

use anyhow::Context;
use serde_json::{Value, json};

use crate::mutants::mutant::{Identity, Kind};

pub fn read(path: &Path) -> HashSet<Identity> {
    let text = fs::read(path).unwrap_or_default();
    let entries: Vec<Value> = serde_json::from_slice(&text).unwrap_or_default();
    entries.iter().filter_map(identity_of).collect()
}

pub fn write(path: &Path, dropped: &HashSet<Identity>) -> anyhow::Result<()> {
    let mut dropped: Vec<&Identity> = dropped.iter().collect();
    dropped.sort();
    let entries: Vec<Value> = dropped.into_iter().map(value_of).collect();
    fs::write(path, serde_json::to_string_pretty(&entries)?).with_context(|| path.display().to_string())
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
