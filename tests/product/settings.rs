//! Every setting has an effect, and each of these tests sees one: from what is written in a pipeline, or typed, to what the
//! program does. Which settings there are the program says itself, so that a new one is missing here until it has a test.

mod choices;
mod operators;
mod options;
mod outputs;
mod pipelines;
mod plugins;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    plugins::built,
    tool::{Ended, Folder},
};

/// The settings of a place, as a message names the place, each with a test that sees its effect.
type Settings = (&'static str, &'static [(&'static str, fn())]);

/// Rows of two batches.
const BATCHES: &str = "[
    [{ line = \"a b\", n = 1, other = \"x\", ok = true }, { line = \"b\", n = 2, other = \"y\" }, { line = \"c\", n = 0, other = \"x\" }],
    [{ line = \"panic\", n = 5, other = \"y\", ok = true }, { line = \"b\", n = 2, other = \"y\", ok = false }],
]";

/// A pipeline over those rows; `streams` and `outputs` have what comes behind `[streams.out]` and `[outputs.out]`.
fn pipeline(stream: &str, output: &str) -> String {
    format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n\
         [plugins]\nhostile = \"{}\"\nwordcount = \"{}\"\n\
         [streams.rows.queue]\nschema = \"line: text, n: integer, other: text, ok: boolean?\"\nbatches = {BATCHES}\n\
         [streams.out]\nfrom = \"rows\"\n{stream}\n[outputs.out]\nfrom = \"out\"\n{output}\n",
        built("hostile").display(),
        built("wordcount").display()
    )
}

const SHOWN: &str = "print = { style = \"json\", rows = 100 }";

/// Runs a pipeline on a clock that waits for nothing, with values that replace some of its own.
fn run(folder: &Folder, set: &[&str]) -> Ended {
    let set = set.iter().flat_map(|value| ["--set", value]);
    folder.run(&["run", "p.toml", "--clock", "manual", "--until-done"].into_iter().chain(set).collect::<Vec<_>>())
}

/// The rows that a stream prints, as JSON.
#[track_caller]
fn rows(stream: &str) -> Vec<String> {
    let folder = Folder::new().with("p.toml", pipeline(stream, SHOWN));
    let ended = run(&folder, &[]);
    assert_eq!(ended.code, 0, "{ended:#?}");
    ended.stdout.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect()
}

/// What is wrong with a stream.
#[track_caller]
fn refused(stream: &str, output: &str, says: &str) {
    let folder = Folder::new().with("p.toml", pipeline(stream, output));
    folder.fails(&["check", "p.toml"], 2, &[says]);
}

/// A pipeline with an unknown key wherever there are keys. Each kind of stream has its own name.
fn with_unknown_keys(kinds: &BTreeSet<String>) -> String {
    let unknown = "zzzz = 1";
    let mut text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n{unknown}\ncheckpoint = {{ {unknown} }}\non-error = {{ {unknown} }}\n\
         limits = {{ {unknown} }}\n\
         [plugins]\nplugin = {{ {unknown}, limits = {{ {unknown} }} }}\n\
         [outputs.out]\nfrom = \"count\"\n{unknown}\nprint = {{ {unknown} }}\n\
         [outputs.disk]\nfrom = \"count\"\nfiles = {{ {unknown} }}\n"
    );
    for kind in kinds {
        text += &format!("[streams.{kind}]\n{kind} = {{ {unknown} }}\n{unknown}\n");
    }
    text
}

/// The keys of each place, as `tidemill check` tells them to who has written another one.
fn known_keys(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let said = Folder::new().with("p.toml", text).run(&["check", "p.toml"]).stderr;
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for message in said.split("error: ").filter_map(|message| message.strip_prefix("unknown key `zzzz` in ")) {
        let (place, rest) = message.split_once('\n').unwrap();
        let keys = rest.split_once("keys here: ").unwrap().1.lines().next().unwrap();
        known.entry(place.to_owned()).or_default().extend(keys.split(", ").map(str::to_owned));
    }
    known
}

/// All kinds of stream, as they are told to who has written none.
fn kinds() -> BTreeSet<String> {
    let none =
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n[streams.rows]\n[outputs.out]\nfrom = \"rows\"\nprint = true\n";
    let said = Folder::new().with("p.toml", none).run(&["check", "p.toml"]).stderr;
    let lists = said.split("sources: ").nth(1).unwrap_or_else(|| panic!("{said}")).lines().next().unwrap();
    lists.replace("; operators: ", ", ").split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_of_a_pipeline_has_a_test_of_its_effect() {
    let kinds = kinds();
    assert!(kinds.len() >= 13, "{kinds:?}");
    let known = known_keys(&with_unknown_keys(&kinds));
    let tested = [pipelines::KEYS, plugins::KEYS, sources::KEYS, operators::KEYS, outputs::KEYS].concat();
    check(&known, &tested);
}

/// Each setting of each place is in the table, and nothing else.
#[track_caller]
fn check(known: &BTreeMap<String, BTreeSet<String>>, tested: &[Settings]) {
    let mut table: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (place, settings) in tested {
        table.entry((*place).to_owned()).or_default().extend(settings.iter().map(|(key, _)| (*key).to_owned()));
    }
    assert_eq!(&table, known, "left: settings with a test of their effect, right: those that there are");
}
