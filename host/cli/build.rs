//! Embeds the SDK and the WIT package, so that `tidemill new` works without the repository: an array of paths and texts.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

/// What a plugin needs, relative to the repository's top folder.
const EMBEDDED: [&str; 2] = ["sdk/rust", "wit"];

/// Folders in them that a plugin does not need.
const LEFT_OUT: [&str; 2] = ["tests", "target"];

fn main() -> io::Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let mut files = Vec::new();
    for folder in EMBEDDED {
        // A folder stands for all that is in it, files that are added later too.
        println!("cargo::rerun-if-changed={}", top.join(folder).display());
        list(&top.join(folder), &mut files)?;
    }
    files.sort();
    let mut code = String::from("[\n");
    for file in files {
        let name = file.strip_prefix(&top).map_err(io::Error::other)?;
        writeln!(code, "    ({:?}, include_str!({:?})),", name.display().to_string(), file.display().to_string())
            .map_err(io::Error::other)?;
    }
    code.push_str("]\n");
    #[allow(clippy::disallowed_methods, reason = "cargo tells a build script where to write by the environment")]
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(PathBuf::from(out).join("embedded.rs"), code)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_left_out = LEFT_OUT.iter().any(|name| path.ends_with(name)) || path.ends_with("Cargo.lock");
        if path.is_dir() && !is_left_out {
            list(&path, files)?;
        } else if path.is_file() && !is_left_out {
            files.push(path);
        }
    }
    Ok(())
}
