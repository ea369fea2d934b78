//! Embeds the SDK and the WIT package, so that `tidemill new` works without the repository: an array of paths and texts. And says
//! what a release is built of.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// What a plugin needs, relative to the repository's top folder.
const EMBEDDED: [&str; 2] = ["sdk/rust", "wit"];

/// Folders in them that a plugin does not need.
const LEFT_OUT: [&str; 2] = ["tests", "target"];

fn main() -> io::Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    println!(
        "cargo::rustc-env=TIDEMILL_BUILT_OF={}",
        commit(&top).map(|commit| format!(" {commit}")).unwrap_or_default()
    );
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

/// The commit that a release is built of, where it is built in a repository. Others are built with every change.
#[allow(clippy::disallowed_methods, reason = "cargo tells a build script what it builds by the environment")]
fn commit(top: &Path) -> Option<String> {
    if std::env::var("PROFILE").ok()? != "release" {
        return None;
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(top).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let heads = PathBuf::from(git(&["rev-parse", "--absolute-git-dir"])?).join("logs/HEAD");
    if heads.is_file() {
        println!("cargo::rerun-if-changed={}", heads.display());
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let is_changed = git(&["status", "--porcelain", "--untracked-files=no"])?.lines().next().is_some();
    Some(if is_changed { format!("{commit}+") } else { commit })
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
