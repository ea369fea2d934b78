//! Projects that cannot become plugins, outside of any workspace.

use std::fs;

use tidemill_guest::build::{BuildError, build_component};

#[track_caller]
fn check(library: &str, code: &str, expect: fn(&BuildError) -> bool) {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!("[package]\nname = \"out\"\nedition = \"2024\"\n[lib]\n{library}\n[workspace]\n");
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.path().join("src/lib.rs"), code).unwrap();
    let error = build_component(folder.path(), &folder.path().join("target")).unwrap_err();
    assert!(expect(&error), "{error}");
}

#[test]
fn what_is_wrong_with_a_project_is_said() {
    check("", "", |error| matches!(error, BuildError::NoModule { .. }));
    check("crate-type = [\"cdylib\"]", "fn f( {}", |error| matches!(error, BuildError::Failed { .. }));
    let importing =
        "unsafe extern \"C\" { fn none(); }\n#[unsafe(no_mangle)] extern \"C\" fn f() { unsafe { none() } }";
    check("crate-type = [\"cdylib\"]", importing, |error| matches!(error, BuildError::Encode { .. }));
    let empty = tempfile::tempdir().unwrap();
    let error = build_component(empty.path(), empty.path()).unwrap_err();
    assert!(matches!(error, BuildError::NoProject { .. }), "{error}");
}
