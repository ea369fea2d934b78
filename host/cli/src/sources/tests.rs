#![allow(clippy::unwrap_used, reason = "a test may fail")]

use super::*;

#[test]
fn a_component_is_older_than_what_was_written_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, seconds: u64| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds);
        fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        path
    };
    let component = write("words.wasm", 100);
    write("src/lib.rs", 200);
    assert_eq!(changed(&component, b""), None, "no project: somebody put a component beside a folder");
    let manifest = write("Cargo.toml", 90);
    assert_eq!(changed(&component, b""), Some(folder.path().join("src/lib.rs")));
    write("src/lib.rs", 102);
    assert_eq!(changed(&component, b""), None, "written with it");
    let deep = write("src/deep/er/parse.rs", 103);
    assert_eq!(changed(&component, b""), Some(deep));
    write("words.wasm", 200);
    assert_eq!(changed(&component, b""), None, "built");
    write("target/debug/made.rs", 300);
    assert_eq!(changed(&component, b""), None, "what a build makes is no source");
    for name in ["build.rs", "Cargo.toml"] {
        let path = write(name, 300);
        assert_eq!(changed(&component, b""), Some(path));
        write(name, 90);
    }
    assert_eq!(changed(&manifest.with_file_name("none.wasm"), b""), None);
}

#[test]
fn a_component_that_says_its_sources_is_compared_with_them_and_not_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    let manifest =
        |name: &str| format!("[package]\nname = \"{name}\"\n[dependencies]\nshared = {{ path = \"../shared\" }}\n");
    write("words/Cargo.toml", &manifest("words"));
    write("words/src/lib.rs", "mod deep;");
    write("words/src/deep/mod.rs", "");
    write("shared/Cargo.toml", "[package]\nname = \"shared\"\n");
    write("shared/src/lib.rs", "fn a() {}");
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    hash_of(&folder.path().join("words")).unwrap().add_to(&mut component);
    let path = folder.path().join("words/words.wasm");
    fs::write(&path, &component).unwrap();
    let is_changed = || changed(&path, &component).is_some();
    assert!(!is_changed());
    for (name, text) in [
        ("words/src/lib.rs", "mod deep; "),
        ("words/src/deep/mod.rs", "fn b() {}"),
        ("words/build.rs", "fn main() {}"),
        ("words/src/new.rs", ""),
        ("shared/src/lib.rs", "fn a() { }"),
        ("shared/Cargo.toml", "[package]\nname = \"shared\"\nversion = \"2.0.0\"\n"),
    ] {
        let before = fs::read_to_string(folder.path().join(name)).ok();
        let at = write(name, text);
        assert!(is_changed(), "{name} was edited, however soon");
        match before {
            Some(text) => drop(write(name, &text)),
            None => fs::remove_file(at).unwrap(),
        }
        assert!(!is_changed(), "{name} is what it was, and newer than the component");
    }
    write("words/src/lib.rs", "other");
    write("words/Cargo.toml", &manifest("other"));
    assert!(!is_changed(), "another plugin's project");
}

#[test]
fn sources_of_packages_by_path_are_looked_at_where_only_times_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, seconds: u64| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds);
        fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        path
    };
    write("words/Cargo.toml", "[dependencies]\nshared = { path = \"../shared\" }\n", 1);
    write("shared/Cargo.toml", "", 1);
    let component = write("words/words.wasm", "", 100);
    assert_eq!(changed(&component, b""), None);
    write("shared/src/lib.rs", "", 200);
    assert_eq!(changed(&component, b""), Some(folder.path().join("words/../shared/src/lib.rs")));
}
