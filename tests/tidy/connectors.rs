//! Who knows which connectors there are: each one's own file, and the table. What others must know of one it says itself, in its
//! settings (`SourceSettings`, `SinkSettings`).

use crate::{assert_none, source, texts};

/// Where connectors live, and where their table is.
const CRATE: &str = "host/connect/src/";
const TABLE: &str = "host/connect/src/connectors.rs";

/// Names of keys that may stand elsewhere: those of a later version.
const LATER: &str = "host/plan/src/keys.rs";

/// A name that only its own room may say.
struct Own {
    /// The folder or file without its ending.
    room: String,
    name: String,
}

/// The keys, tables and settings of the connectors, by the lines that make them.
fn names(files: &[(String, String)]) -> Vec<Own> {
    let mut names = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.starts_with(CRATE)) {
        let module = path[CRATE.len()..].trim_end_matches(".rs").split('/').next().unwrap_or_default();
        let mut own = |name: String| names.push(Own { room: format!("{CRATE}{module}"), name });
        let mut is_connector = false;
        for line in text.lines() {
            let word = |before: &str, after: &str| {
                let rest = line.trim_start().strip_prefix(before)?;
                rest.split_once(after).map(|(word, _)| word.to_owned())
            };
            if let Some(name) = word("pub static ", ": Connector =") {
                own(format!("{module}::{name}"));
                is_connector = true;
            }
            if is_connector && let Some((_, key)) = line.split_once("key: \"") {
                own(format!("\"{}\"", key.split('"').next().unwrap_or_default()));
                is_connector = false;
            }
            for of in ["impl SourceSettings for ", "impl SinkSettings for "] {
                word(of, " {").into_iter().for_each(&mut own);
            }
        }
    }
    names
}

#[test]
fn only_connectors_know_connectors() {
    let files: Vec<_> = texts(".rs").into_iter().filter(|(path, _)| path.starts_with("host/")).collect();
    let names = names(&files);
    assert!(names.len() >= 5 * 3, "a connector has a key, a place in the table and settings");
    let mut wrong = Vec::new();
    for (path, text) in &files {
        let is_test = path.ends_with("tests.rs") || path.contains("/tests/");
        if !path.contains("/src/") || is_test || path == TABLE || path == LATER || path.starts_with("host/sim/") {
            continue;
        }
        let code = source::code_of(text);
        let lines = source::without_tests(&code).lines().zip(text.lines()).enumerate();
        for (number, (code, line)) in lines {
            let says = |own: &&Own| match own.name.starts_with('"') {
                true => !line.trim_start().starts_with("//") && line.contains(&own.name),
                false if own.name.contains("::") => code.contains(&own.name),
                false => code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == own.name),
            };
            let others = names.iter().filter(|own| !path.starts_with(&own.room)).filter(says);
            wrong.extend(others.map(|own| format!("{path}:{}: {}", number + 1, own.name)));
        }
    }
    assert_none(wrong, "ask the settings, which the plan holds, and have the connector answer in its own file");
}
