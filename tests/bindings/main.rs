//! The bindings that the SDK ships as source are what the generator makes of the WIT package: no plugin has to build the generator.
//!
//! `UPDATE_EXPECT=1` writes them.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use wit_bindgen_core::{Files, WorldGenerator, wit_parser::Resolve};
use wit_bindgen_rust::Opts;

/// What an author gets who reads the file.
const HEAD: &str = "// What wit-bindgen makes of wit/tidemill-0.1.0. Not written by hand: tests/bindings writes it, and holds it to that.\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The source of a world's bindings.
fn generated(wit: &Path, world: &str) -> String {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let options = Opts {
        format: true,
        pub_export_macro: true,
        default_bindings_module: Some("tidemill_sdk::bindings".to_owned()),
        ..Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).unwrap();
    let (_, source) = files.iter().next().unwrap();
    format!("{HEAD}{}", std::str::from_utf8(source).unwrap())
}

#[test]
#[allow(clippy::disallowed_methods, reason = "whether to write expectations is asked of whoever runs the tests")]
fn the_bindings_of_the_sdk_are_those_of_the_wit_package() {
    let path = root().join("sdk/rust/src/bindings/generated.rs");
    let expect = generated(&root().join("wit/tidemill-0.1.0"), "plugin");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &expect).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expect, "sdk/rust/src/bindings/generated.rs is not up to date; `UPDATE_EXPECT=1` writes it");
}
