//! What a function is told and nobody else: its parameters reach no checkpoint, no output and no log.

use std::{fs, path::Path};

use crate::{
    plugins,
    records::{self, Delivered},
    running::Running,
};

/// A password, given on the command line.
const SECRET: &str = "correct-horse-battery-staple";

/// A function that takes whatever parameters it is given.
const CHECKED: &str = r#"
[streams.checked]
from = "lines"
map = "hostile/identity"

[outputs.checked]
from = "checked"
files = { folder = "checked", format = "text" }
"#;

/// Every file below a folder that has the secret in it.
fn leaks(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(leaks(&path));
        } else if fs::read(&path).unwrap().windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn parameters_are_kept_nowhere() {
    let hostile = fs::read(plugins::built("hostile")).unwrap();
    let folder = records::folder().with("hostile.wasm", hostile);
    let pipeline = folder.read("pipeline.toml");
    let folder = folder.with("pipeline.toml", format!("{pipeline}{CHECKED}"));
    let lines = records::add(folder.path(), 0, 50);
    let set = format!("streams.checked.parameters.password={SECRET}");
    let run = ["run", "pipeline.toml", "--log-level", "trace", "--set", "plugins.hostile=hostile.wasm", "--set", &set];
    let mut command = folder.command(&[&run[..], &["--batches", "3"]].concat());
    command.env("XDG_CACHE_HOME", folder.path().join("caches"));
    let first = Running::start(&mut command).end();
    assert_eq!(first.code, 0, "{first:#?}");
    Delivered::read(folder.path()).check(lines);
    fs::remove_dir_all(folder.path().join("totals")).unwrap();
    fs::write(folder.path().join("totals"), "").unwrap();
    let failed = folder.run(&run);
    assert_eq!(failed.code, 1, "{failed:#?}");
    for ended in [first, failed] {
        assert!(!ended.stderr.is_empty() && !ended.stderr.contains(SECRET), "{}", ended.stderr);
        assert!(!ended.stdout.contains(SECRET), "{}", ended.stdout);
    }
    let mut shown = vec![folder.stdout(&["inspect", "checkpoint"])];
    shown.push(folder.stdout(&["inspect", "checkpoint", "--json"]));
    assert!(shown.iter().all(|text| !text.contains(SECRET)));
    assert_eq!(leaks(folder.path()), [""; 0]);
    // The search finds what is there.
    fs::write(folder.path().join("checkpoint/log/note"), format!("the password is {SECRET}")).unwrap();
    assert_eq!(leaks(folder.path()).len(), 1);
}
