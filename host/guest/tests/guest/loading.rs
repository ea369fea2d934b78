//! What can be loaded, and what is said of the rest.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use tidemill_guest::{LoadError, Place, Plugin, Runtime, RuntimeSettings, Verdict, encode_component};
use tidemill_model::limits::Limits;

use crate::{
    support::{hostile, only, plugin, runtime},
    verdicts::outcome,
};

#[track_caller]
fn check(bytes: &[u8], expect: &str) {
    let error = runtime().load("orders", bytes, &Limits::default()).unwrap_err().to_string();
    assert!(error.starts_with(expect), "{error}");
}

/// An empty component that imports an instance called `name`.
fn importing(name: &str) -> Vec<u8> {
    let mut import = vec![0x01, 0x00, u8::try_from(name.len()).unwrap()];
    import.extend(name.as_bytes());
    import.extend([0x05, 0x00]);
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    // A type section with one instance type without exports, and an import section with one import of that type.
    bytes.extend([0x07, 0x03, 0x01, 0x42, 0x00, 0x0a, u8::try_from(import.len()).unwrap()]);
    bytes.extend(import);
    bytes
}

#[test]
fn what_is_no_component() {
    check(b"", "plugin `orders` is no Wasm component: the file is empty");
    check(b"#!/bin/sh\necho", "plugin `orders` is no Wasm component: the file is no Wasm at all");
    check(b"(component)", "plugin `orders` is no Wasm component: it is Wasm text");
    check(b"\0asm", "plugin `orders` is no Wasm component: the file ends in the middle of its first line");
    check(b"\0asm\x01\0\0\0", "plugin `orders` is no Wasm component: it is a core module");
    check(b"\0asm\x07\0\0\0", "plugin `orders` is no Wasm component: it is Wasm of an unknown version");
    check(&hostile()[..hostile().len() / 2], "plugin `orders` is no Wasm component: it cannot be compiled (");
    check(b"\0asm\x0d\0\x01\0", "plugin `orders` does not export `tidemill:plugin/operators@0.1.0`");
}

/// A component whose module makes a resource when it starts.
fn with_a_resource() -> Vec<u8> {
    let section = |id: u8, bytes: &[u8]| [&[id, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, b"\x02\x60\x01\x7f\x01\x7f\x60\0\0"),
        section(2, b"\x01\0\x01f\0\0"),
        section(3, b"\x01\x01"),
        section(8, b"\x01"),
        section(10, b"\x01\x07\0\x41\x07\x10\0\x1a\x0b"),
    ]
    .concat();
    [
        b"\0asm\x0d\0\x01\0".to_vec(),
        section(7, b"\x01\x3f\x7f\0"),
        section(8, b"\x01\x02\0"),
        section(1, &module),
        section(2, b"\x02\x01\x01\x01f\0\0\0\0\x01\0\x12\0"),
    ]
    .concat()
}

#[test]
fn a_component_has_no_resources() {
    let error = runtime().load("orders", &with_a_resource(), &Limits::default()).unwrap_err();
    assert!(matches!(&error, LoadError::Describe { verdict: Verdict::Trapped { .. }, .. }), "{error:?}");
}

#[test]
fn imports_that_are_not_granted_are_named() {
    check(
        &importing("wasi:clocks/wall-clock@0.2.0"),
        "plugin `orders` imports `wasi:clocks/wall-clock@0.2.0`, but a plugin gets only `tidemill:plugin/host@0.1.0`",
    );
    check(
        &importing("tidemill:plugin/host@0.2.0"),
        "plugin `orders` was built for tidemill:plugin@0.2.0, and this host has tidemill:plugin@0.1.0",
    );
    // Granted, but nothing is exported.
    check(&importing("tidemill:plugin/host@0.1.0"), "plugin `orders` does not export");
}

#[test]
fn limits_beyond_the_hosts_are_refused() {
    let limits = Limits { memory_bytes: 2 << 30, ..Limits::default() };
    let error = runtime().load("orders", hostile(), &limits).unwrap_err().to_string();
    assert_eq!(
        error,
        "plugin `orders` may not have the limit memory_bytes=2147483648: this host gives at most 1073741824"
    );
    let limits = Limits { component_bytes: 1_000, ..Limits::default() };
    let error = runtime().load("orders", hostile(), &limits).unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { limit: 1_000, .. }), "{error}");
    let limits = Limits { component_bytes: hostile().len() - 1, ..Limits::default() };
    let error = runtime().load("orders", hostile(), &limits).unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { got, .. } if got == hostile().len()), "{error}");
    let limits = Limits { component_bytes: hostile().len(), ..Limits::default() };
    runtime().load("orders", hostile(), &limits).unwrap();
    let limits = Limits { functions: 3, ..Limits::default() };
    let error = runtime().load("orders", hostile(), &limits).unwrap_err();
    assert!(matches!(error, LoadError::Description { .. }), "{error}");
}

#[test]
fn a_plugin_that_does_not_fit_its_limits_cannot_describe_itself() {
    let describe = |limits: &Limits| match runtime().load("orders", hostile(), limits) {
        Err(LoadError::Describe { verdict, .. }) => verdict.placed(Place::default()),
        other => panic!("{other:?}"),
    };
    let small = Limits { memory_bytes: 64 << 10, ..Limits::default() };
    assert_eq!(describe(&small), Verdict::OutOfMemory { limit: 64 << 10, at: Place::default() });
    let flat = Limits { table_elements: 1, ..Limits::default() };
    assert_eq!(describe(&flat), Verdict::OutOfTable { limit: 1, at: Place::default() });
}

#[test]
fn a_plugin_that_loads_says_what_it_is() {
    let plugin = plugin();
    assert_eq!(plugin.name(), "hostile");
    assert_eq!(plugin.digest(), blake3::hash(hostile()).to_hex().as_str());
    assert!(plugin.imports().contains(&"tidemill:plugin/host@0.1.0".to_owned()), "{:?}", plugin.imports());
    assert_eq!(plugin.description().name, "hostile");
    assert_eq!(plugin.description().functions[0].input.to_string(), "line: text");
}

#[test]
fn only_a_module_with_the_packages_types_becomes_a_component() {
    for bytes in [&b""[..], b"(module)", b"\0asm\x01\0\0\0\xff", hostile()] {
        let error = encode_component(bytes).unwrap_err();
        assert!(matches!(error, LoadError::Encode { .. }), "{error}");
    }
}

// === The cache ===

fn caching(folder: &Path) -> Runtime {
    Runtime::try_new(&RuntimeSettings { cache: Some(folder.to_owned()), ..RuntimeSettings::default() }).unwrap()
}

fn load(folder: &Path) -> Plugin {
    let plugin = caching(folder).load("hostile", hostile(), &Limits::default()).unwrap();
    outcome(&plugin, "identity", &only()).unwrap();
    plugin
}

fn only_file(folder: &Path) -> std::path::PathBuf {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn a_component_compiles_once_and_damaged_code_is_not_believed() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/cache");
    assert!(load(&folder).was_compiled());
    let file = only_file(&folder);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    assert!(!load(&folder).was_compiled());
    let good = fs::read(&file).unwrap();
    let mut bytes = good.clone();
    bytes[good.len() / 2] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(load(&folder).was_compiled());
    assert_eq!(fs::read(&file).unwrap(), good);
}

/// The same component with a section that means nothing: another file, and the same plugin.
fn another() -> Vec<u8> {
    [hostile(), &[0, 2, 1, b'x']].concat()
}

#[test]
fn code_of_another_component_under_this_ones_name_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    load(folder.path());
    let ours = only_file(folder.path());
    let good = fs::read(&ours).unwrap();
    fs::remove_file(&ours).unwrap();
    let other = caching(folder.path()).load("other", &another(), &Limits::default()).unwrap();
    assert!(other.was_compiled());
    fs::rename(only_file(folder.path()), &ours).unwrap();
    assert!(load(folder.path()).was_compiled());
    assert_eq!(fs::read(only_file(folder.path())).unwrap(), good);
    assert!(!load(folder.path()).was_compiled());
}
