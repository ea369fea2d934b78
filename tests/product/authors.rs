//! What the author of a plugin is told about the author's own source, outside of this repository.

use std::fs;

use crate::{
    project::{lock, tidemill},
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
