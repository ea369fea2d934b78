//! `tidemill new` and `tidemill build`, outside the repository, as a plugin author does it.

use std::{fs, path::Path, process::Command, time::Duration};

use crate::{
    plugins::built,
    running::{Running, end_of},
    tool::{Ended, Folder, repository},
};

/// What cargo makes for the tests' projects: kept, so that the next run of the tests is quick.
pub const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/projects");

/// Runs the binary; what cargo builds for it lies in one place for all tests.
pub fn tidemill(folder: &Folder, arguments: &[&str]) -> Ended {
    end_of(folder.command(arguments).env("CARGO_TARGET_DIR", TARGET))
}

/// The versions of this repository, so that nothing has to be fetched.
pub fn lock(project: &Path) {
    fs::copy(repository().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
}

#[test]
fn a_new_project_tests_builds_and_runs() {
    let folder = Folder::new();
    let made = folder.stdout(&["new", "my-words"]);
    assert!(made.contains("cd my-words"), "{made}");
    let project = folder.path().join("my-words");
    lock(&project);

    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--quiet"]).current_dir(&project).env("CARGO_TARGET_DIR", TARGET);
    let tested = end_of(&mut cargo);
    assert_eq!(tested.code, 0, "{tested:#?}");
    assert!(tested.stdout.contains("4 passed"), "{tested:#?}");

    let built = tidemill(&folder, &["build", "my-words"]);
    assert_eq!(built.code, 0, "{built:#?}");
    for part in ["my-words/my-words.wasm: my-words 0.1.0, ", "map ", "reduce ", "update-state ", "output "] {
        assert!(built.stdout.contains(part), "{part}: {built:#?}");
    }

    assert!(folder.stdout(&["check", "my-words/pipeline.toml"]).contains("stream totals"));
    let printed = folder.stdout(&["run", "my-words/pipeline.toml", "--batches", "3", "--clock", "manual"]);
    assert_eq!(printed.matches("Time: ").count(), 6, "{printed}");
    assert!(printed.contains(" so far"), "{printed}");
}

#[test]
pub fn a_project_can_use_the_sdk_of_the_repository() {
    let folder = Folder::new();
    let sdk = repository().join("sdk/rust");
    folder.stdout(&["new", "words", "--sdk", sdk.to_str().unwrap()]);
    assert!(!folder.path().join("words/.tidemill").exists());
    lock(&folder.path().join("words"));
    let built = tidemill(&folder, &["build", "words"]);
    assert_eq!(built.code, 0, "{built:#?}");
}

/// The component is written where it is said, and anew when a source has changed.
#[test]
pub fn a_project_is_built_again_when_it_changes() {
    let folder = Folder::new();
    folder.stdout(&["new", "watched"]);
    let project = folder.path().join("watched");
    lock(&project);
    let mut command = folder.command(&["build", "watched", "--watch", "-o", "here.wasm"]);
    let mut watching = Running::start(command.env("CARGO_TARGET_DIR", TARGET));
    watching.wait_for_printed("here.wasm: watched 0.1.0");
    watching.wait_for("waiting for a change of the sources");
    let (source, first) = (project.join("src/lib.rs"), fs::read(folder.path().join("here.wasm")).unwrap());
    let good = fs::read_to_string(&source).unwrap();
    fs::write(&source, format!("{good}\nfn broken(")).unwrap();
    watching.wait_for("error: ");
    watching.wait_for("waiting for a change of the sources");
    fs::write(&source, good.replace("/// The words of a line.", "/// Another text.")).unwrap();
    watching.wait_for_printed("here.wasm: watched 0.1.0");
    assert_ne!(fs::read(folder.path().join("here.wasm")).unwrap(), first);
    assert!(!project.join("watched.wasm").exists());
    drop(watching);
    let built = tidemill(&folder, &["build", "watched", "--output", "there.wasm"]);
    assert_eq!((built.code, built.stdout.starts_with("there.wasm: ")), (0, true), "{built:#?}");
}

/// Who changes a plugin and forgets to build it is told, whatever looks at the pipeline.
#[test]
fn a_component_that_is_older_than_its_source_is_told() {
    const PIPELINE: &str = "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n[plugins]\nwordcount = \"wordcount.wasm\"\n\
        [streams.lines]\nqueue = { schema = \"line: text\", batches = [[\"to be\"]] }\n\
        [streams.words]\nfrom = \"lines\"\nmap = \"wordcount/split\"\n[outputs.words]\nfrom = \"words\"\nprint = true\n";
    // One that another tool has made, which does not say of what.
    const SOURCES: &[u8] = b"tidemill:sources";
    let mut component = fs::read(built("wordcount")).unwrap();
    let at = component.windows(SOURCES.len()).rposition(|bytes| bytes == SOURCES).unwrap();
    component[at] = b'T';
    let folder = Folder::new().with("pipeline.toml", PIPELINE).with("Cargo.toml", "").with("wordcount.wasm", component);
    let written = fs::metadata(folder.path().join("Cargo.toml")).unwrap().modified().unwrap();
    let component = fs::File::options().write(true).open(folder.path().join("wordcount.wasm")).unwrap();
    for (is_old, arguments) in [(true, &["check"][..]), (true, &["run", "--batches", "1"]), (false, &["check"])] {
        let age = Duration::from_secs(if is_old { 3_600 } else { 0 });
        component.set_modified(written - age).unwrap();
        let ended = folder.run(&[&arguments[..1], &["pipeline.toml"], &arguments[1..]].concat());
        assert_eq!(ended.code, 0, "{ended:#?}");
        assert_eq!(ended.stderr.contains("the component is older than its source"), is_old, "{ended:#?}");
    }
}

#[test]
fn nothing_is_written_over() {
    let folder = Folder::new().with("file", "mine");
    fs::create_dir_all(folder.path().join("full/src")).unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    folder.fails(&["new", "file"], 2, &["`file` is there already"]);
    folder.fails(&["new", "full"], 2, &["`full` is there already"]);
    folder.fails(&["new", "Words"], 2, &["`Words` cannot be a plugin's name", "hint: "]);
    folder.fails(&["new", "fn"], 2, &["it means something to Rust"]);
    folder.fails(&["new", "words", "--sdk", "none"], 2, &["there is no folder `none`"]);
    folder.fails(&["new", "words", "--sdk", "."], 2, &["`.` is not the SDK"]);
    assert!(!folder.path().join("words").exists());
    folder.stdout(&["new", "empty"]);
    assert_eq!(folder.read("file"), "mine");
}

#[test]
fn projects_that_cannot_be_built() {
    let folder = Folder::new();
    let project = |name: &str, manifest: &str, source: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.join("src")).unwrap();
        fs::write(path.join("Cargo.toml"), manifest).unwrap();
        fs::write(path.join("src/lib.rs"), source).unwrap();
    };
    let package = |name: &str, types: &str| {
        format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n[lib]\ncrate-type = [{types}]\n[workspace]\n")
    };
    fs::create_dir(folder.path().join("bare")).unwrap();
    project("torn", "[package", "");
    project("workspace", "[workspace]\n", "");
    project("library", &package("library", "\"rlib\""), "");
    project("broken", &package("broken", "\"cdylib\""), "fn f() -> u8 { \"text\" }");
    project("empty", &package("empty", "\"cdylib\""), "");
    let check = |name: &str, code: i32, says: &str| {
        let ended = tidemill(&folder, &["build", name]);
        assert_eq!(ended.code, code, "{name}: {ended:#?}");
        assert!(ended.stderr.contains(says), "{name}: {ended:#?}");
        assert!(!folder.path().join(name).join(format!("{name}.wasm")).exists());
    };
    check("none", 2, "there is no folder `none`");
    check("bare", 2, "there is no Cargo.toml in `bare`");
    check("torn", 2, "cargo cannot read `torn/Cargo.toml`");
    check("workspace", 2, "is a workspace and no package");
    check("library", 2, "crate-type = [\"cdylib\", \"rlib\"]");
    check("broken", 1, "mismatched types");
    check("broken", 1, "error: `broken` was not built: cargo's messages above say why\n  hint: mend the first");
    check("empty", 1, "hint: list its functions at the end of src/lib.rs");
}
