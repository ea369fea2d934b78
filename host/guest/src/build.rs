//! Builds guests: a cargo project becomes a component. For `tidemill build`, and for tests.
//!
//! The project may stand anywhere. What makes a guest small and quick is said on cargo's command line, so the project
//! needs no profile for it.

mod toolchain;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::{component::encode_component, error::LoadError};

pub use toolchain::Toolchain;

/// The target that guests are compiled for: nothing of an operating system, so nothing can be imported from one.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Cargo's settings for guests, as arguments of `--config`.
const SETTINGS: &[&str] = &[
    "profile.release.opt-level=3",
    // As in the tests that authors run: a number that does not fit is a failure, and never another number.
    "profile.release.overflow-checks=true",
    "profile.release.lto=\"fat\"",
    "profile.release.codegen-units=1",
    "profile.release.panic=\"abort\"",
    "profile.release.debug=false",
    "profile.release.strip=true",
    "profile.release.incremental=false",
    "target.wasm32-unknown-unknown.rustflags=[\"-Ctarget-feature=+simd128\"]",
];

/// Why a guest could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A program that is not there.
    #[error("cannot run `{program}`: install Rust (https://rustup.rs)")]
    NoProgram {
        /// Which.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// No toolchain can compile for the target.
    #[error("no Rust toolchain here compiles for {TARGET}: run `rustup target add {TARGET}`")]
    NoTarget,
    /// There is no project.
    #[error("there is no Cargo.toml in `{}`", .folder.display())]
    NoProject {
        /// Where there should be one.
        folder: PathBuf,
    },
    /// Cargo has said why.
    #[error("`{}` was not built: cargo's messages above say why", .folder.display())]
    Failed {
        /// The project.
        folder: PathBuf,
    },
    /// The project makes no module.
    #[error("`{}` builds no Wasm module: its Cargo.toml needs `[lib] crate-type = [\"cdylib\"]`", .folder.display())]
    NoModule {
        /// The project.
        folder: PathBuf,
    },
    /// The module is not one that can become a component.
    #[error("the module of `{}` cannot become a plugin", .folder.display())]
    Encode {
        /// The project.
        folder: PathBuf,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// A file could not be read or written.
    #[error("cannot access `{}`", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Builds the project in `manifest_dir` with all that cargo makes in `target_dir`, and gives the path of the component.
/// Cargo's messages go to stderr as they come.
pub fn build_component(manifest_dir: &Path, target_dir: &Path) -> Result<PathBuf, BuildError> {
    let folder = manifest_dir.to_owned();
    let manifest = folder.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(BuildError::NoProject { folder });
    }
    let toolchain = Toolchain::find(&folder)?;
    let built = run_cargo(&toolchain, &folder, target_dir)?;
    if !built.status.success() {
        return Err(BuildError::Failed { folder });
    }
    let module = module_of(&built.stdout, &manifest).ok_or(BuildError::NoModule { folder: folder.clone() })?;
    let bytes = fs::read(&module).map_err(|source| BuildError::File { path: module.clone(), source })?;
    let component = encode_component(&bytes).map_err(|source| BuildError::Encode { folder, source })?;
    let name = module.file_name().unwrap_or_default();
    write_whole(&target_dir.join("components").join(name), &component)
}

fn run_cargo(toolchain: &Toolchain, folder: &Path, target_dir: &Path) -> Result<Output, BuildError> {
    let mut cargo = toolchain.command("cargo", folder);
    cargo.args(["build", "--lib", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    cargo.arg("--target-dir").arg(target_dir);
    for setting in SETTINGS {
        cargo.args(["--config", setting]);
    }
    cargo.stdin(Stdio::null()).stderr(Stdio::inherit());
    cargo.output().map_err(|source| BuildError::NoProgram { program: "cargo", source })
}

/// The Wasm file of the package itself among cargo's messages, one a line.
fn module_of(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    let manifest = fs::canonicalize(manifest).ok()?;
    let lines = messages.split(|&byte| byte == b'\n');
    let artifacts = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let ours = artifacts.filter(|message| {
        let of = message["manifest_path"].as_str().and_then(|path| fs::canonicalize(path).ok());
        message["reason"] == "compiler-artifact" && of.is_some_and(|path| path == manifest)
    });
    let modules = ours.filter_map(|message| {
        let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
        files.map(PathBuf::from).find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
    });

    modules.fold(None, |_, module| Some(module))
}

/// Writes a file so that nobody sees half of it: two builds may run at once.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<PathBuf, BuildError> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&temporary, bytes)?;
        fs::rename(&temporary, path)
    };
    write().map_err(|source| BuildError::File { path: path.to_owned(), source })?;
    Ok(path.to_owned())
}
