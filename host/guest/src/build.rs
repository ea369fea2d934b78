//! Builds guests: a cargo project becomes a component. For `tidemill build`, and for tests.
//!
//! The project may stand anywhere. What makes a guest small and quick is said on cargo's command line, so the project
//! needs no profile for it.

mod lines;
mod module;
mod toolchain;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::{component::encode_component, error::LoadError};
use lines::Sources;
use module::Module;

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
    // For the lines of a component; nothing else of it stays there.
    "profile.release.debug=\"line-tables-only\"",
    "profile.release.strip=false",
    // The compilers of macros have no lines that anybody asks for.
    "profile.release.build-override.debug=false",
    "profile.release.incremental=false",
    "target.wasm32-unknown-unknown.rustflags=[\"-Ctarget-feature=+simd128\"]",
];

/// How cargo's name of a package begins that lies on this machine.
const BY_PATH: &str = "path+file:";
/// Packages that are no author's, wherever they lie.
const SDK: &str = "#tidemill-sdk";

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
    let made = Made::of(&built.stdout, &manifest);
    let module = made.module.ok_or(BuildError::NoModule { folder: folder.clone() })?;
    let bytes = fs::read(&module).map_err(|source| BuildError::File { path: module.clone(), source })?;
    let mut sources = made.sources;
    sources.others.push(whole_path(target_dir));
    let component = component_of(&bytes, &sources).map_err(|source| BuildError::Encode { folder, source })?;
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

/// A component of a module, with the lines of its author's source and nothing else of how it was made.
fn component_of(module: &[u8], sources: &Sources) -> Result<Vec<u8>, LoadError> {
    let not_read = |error| LoadError::Encode { reason: format!("it is no valid module: {error}") };
    let module = Module::read(module).map_err(not_read)?;
    let mut component = encode_component(&module.stripped())?;
    lines::add(&mut component, &module, sources);
    Ok(component)
}

/// What cargo says that it has made.
#[derive(Default)]
struct Made {
    /// The Wasm file of the package itself.
    module: Option<PathBuf>,
    /// Of the packages that lie on this machine: the package itself, and what it uses by path.
    sources: Sources,
}

impl Made {
    /// Reads cargo's messages, one a line.
    fn of(messages: &[u8], manifest: &Path) -> Made {
        let mut made = Made::default();
        let lines = messages.split(|&byte| byte == b'\n');
        let messages = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        for message in messages.filter(|message| message["reason"] == "compiler-artifact") {
            let id = message["package_id"].as_str().unwrap_or_default();
            let of = message["manifest_path"].as_str().map(|path| whole_path(Path::new(path)));
            let Some(of) = of.filter(|_| id.starts_with(BY_PATH)) else { continue };
            let folder = of.parent().unwrap_or(&of).to_owned();
            if of == whole_path(manifest) {
                let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let module = files.map(PathBuf::from).find(|file| file.extension().is_some_and(|end| end == "wasm"));
                made.module = module.or(made.module);
                made.sources.ours.insert(0, folder);
            } else if id.contains(SDK) {
                made.sources.others.push(folder);
            } else {
                made.sources.ours.push(folder);
            }
        }
        made
    }
}

/// Without links, as compilers say it, if it is there.
fn whole_path(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
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
