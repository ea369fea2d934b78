//! What the author of a plugin is told about the author's own source, outside of this repository.

use std::fs;

use crate::{
    project::{TARGET, lock, tidemill},
    running::Running,
    tool::{Ended, Folder},
};

/// A plugin with these files in its `src`, built.
fn built(name: &str, files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    folder.stdout(&["new", name]);
    let project = folder.path().join(name);
    lock(&project);
    for (file, text) in files {
        fs::write(project.join("src").join(file), text).unwrap();
    }
    build(&folder, name);
    folder
}

#[track_caller]
fn build(folder: &Folder, name: &str) -> Ended {
    let built = tidemill(folder, &["build", name]);
    assert_eq!(built.code, 0, "{built:#?}");
    built
}

/// Reads what is nowhere, divides by nothing, and so on: what a row asks for, in another file than the function.
const DEEP: &str = r#"
#[inline(never)]
pub fn doing(what: &str) -> i64 {
    match what {
        "read" => unsafe { ((usize::MAX >> 4) as *const i64).read_unaligned() },
        "unwrap" => what.parse().unwrap(),
        "loop" => loop {
            std::hint::black_box(());
        },
        "call" => std::hint::black_box(doing(what)) + 1,
        "trap" => core::arch::wasm32::unreachable(),
        _ => 7,
    }
}
"#;
const LIBRARY: &str = "use tidemill_sdk::prelude::*;\n\nmod deep;\n\n#[map]\npub fn does(line: &str) -> i64 {\n    \
    deep::doing(line) + 1\n}\n\nplugin!(does);\n";
const PIPELINE: &str = r#"
[pipeline]
name = "p"
interval = "1s"
[plugins]
lost = "lost/lost.wasm"
[streams.lines]
queue = { schema = "line: text", batches = [["read", "well", "unwrap", "loop", "call", "trap"]] }
[streams.done]
from = "lines"
map = "lost/does"
on-error = "dead-letter"
[outputs.done]
from = "done"
print = true
"#;

#[test]
fn a_row_that_a_function_fails_over_is_told_with_the_line_of_the_source() {
    let folder = built("lost", &[("deep.rs", DEEP), ("lib.rs", LIBRARY)]).with("p.toml", PIPELINE);
    let component = fs::read(folder.path().join("lost/lost.wasm")).unwrap();
    for left in [".debug_info", ".debug_line", ".debug_str"] {
        assert!(!component.windows(left.len()).any(|bytes| bytes == left.as_bytes()), "{left} stands in the component");
    }
    let ended = folder.run(&["run", "p.toml", "--until-done", "--clock", "manual"]);
    assert_eq!(ended.code, 0, "{ended:#?}");
    let letters = fs::read_dir(folder.path().join("dead-letters/p/done")).unwrap().map(|batch| batch.unwrap().path());
    let letters: String = letters.filter_map(|batch| fs::read_to_string(batch.join("part-00000.jsonl")).ok()).collect();
    for (row, told) in [
        ("read", "out of bounds memory access (at src/deep.rs:5, called at src/lib.rs:7"),
        ("unwrap", "src/deep.rs:6"),
        ("loop", "needs more (at src/deep.rs:"),
        ("call", "too deeply (at src/deep.rs:"),
        // The compiler says no line of an end that several functions may share.
        ("trap", "instruction executed (at src/lib.rs:7"),
    ] {
        let letter = letters.lines().find(|letter| letter.contains(&format!("{{\"line\":\"{row}\"}}")));
        assert!(letter.is_some_and(|letter| letter.contains(told)), "{row}: {told}: {letter:?}");
    }
}

const EDITED: &str = "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n[plugins]\nedited = \"edited/edited.wasm\"\n\
    [streams.lines]\nqueue = { schema = \"line: text\", batches = [[\"to be\"]] }\n\
    [streams.done]\nfrom = \"lines\"\nmap = \"edited/does\"\n[outputs.done]\nfrom = \"done\"\nprint = true\n";

/// However soon after the build, and in whatever package that the plugin uses by its path.
#[test]
fn an_edit_of_a_package_that_a_plugin_uses_by_path_is_seen() {
    let folder = Folder::new().with("p.toml", EDITED);
    folder.stdout(&["new", "edited"]);
    let project = folder.path().join("edited");
    lock(&project);
    let manifest = folder.read("edited/Cargo.toml");
    let shared = "[dependencies]\nshared = { path = \"../shared\" }";
    fs::write(project.join("Cargo.toml"), manifest.replace("[dependencies]", shared)).unwrap();
    fs::create_dir_all(folder.path().join("shared/src")).unwrap();
    let package = "[package]\nname = \"shared\"\nedition = \"2024\"\n";
    let folder = folder.with("shared/Cargo.toml", package).with("shared/src/lib.rs", "pub fn one() -> i64 { 1 }\n");
    let source = "use tidemill_sdk::prelude::*;\n#[map]\nfn does(line: &str) -> i64 { line.len() as i64 + shared::one() }\n\
        plugin!(does);\n";
    let folder = folder.with("edited/src/lib.rs", source);

    let mut command = folder.command(&["build", "edited", "--watch"]);
    let mut watching = Running::start(command.env("CARGO_TARGET_DIR", TARGET));
    watching.wait_for_printed("edited.wasm: edited 0.1.0");
    watching.wait_for("waiting for a change of the sources");
    let is_told =
        |folder: &Folder| folder.run(&["check", "p.toml"]).stderr.contains("the component is older than its source");
    assert!(!is_told(&folder));
    let folder = folder.with("shared/src/lib.rs", "pub fn one() -> i64 { 2 }\n");
    watching.wait_for_printed("edited.wasm: edited 0.1.0");
    watching.wait_for("waiting for a change of the sources");
    drop(watching);
    assert!(!is_told(&folder));
    let folder = folder.with("shared/src/lib.rs", "pub fn one() -> i64 { 3 }\n");
    let told = folder.run(&["check", "p.toml"]).stderr;
    assert!(told.contains("the component is older than its source") && told.contains("shared/src/lib.rs"), "{told}");
}
