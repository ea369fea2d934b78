//! Which Rust toolchain can compile guests.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{BuildError, TARGET};

/// A Rust toolchain that has the guests' target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// Its name in rustup; `None`: the one that answers to `cargo` in the folder.
    name: Option<String>,
}

impl Toolchain {
    /// The default toolchain of `folder` if it has the target, else the first of rustup's that has it.
    pub fn find(folder: &Path) -> Result<Toolchain, BuildError> {
        let default = Toolchain { name: None };
        let found = default.has_target(folder);
        if matches!(found, Ok(true)) {
            return Ok(default);
        }
        let others = installed(folder).into_iter().map(|name| Toolchain { name: Some(name) });
        let other = others.into_iter().find(|toolchain| matches!(toolchain.has_target(folder), Ok(true)));
        match (other, found) {
            (Some(toolchain), _) => Ok(toolchain),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(BuildError::NoTarget),
        }
    }

    /// Its name in rustup; `None` for the default one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// One of its programs, to run in `folder`. Flags that are meant for the host are taken away.
    pub(super) fn command(&self, program: &'static str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder);
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER"] {
            command.env_remove(variable);
        }
        if let Some(name) = &self.name {
            command.env("RUSTUP_TOOLCHAIN", name);
        }
        command
    }

    fn has_target(&self, folder: &Path) -> Result<bool, BuildError> {
        let mut rustc = self.command("rustc", folder);
        rustc.args(["--print", "target-libdir", "--target", TARGET]);
        let output = rustc.output().map_err(|source| BuildError::NoProgram { program: "rustc", source })?;
        let libraries = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let there = libraries.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        Ok(output.status.success() && there)
    }
}

/// The names of rustup's toolchains; none where there is no rustup.
fn installed(folder: &Path) -> Vec<String> {
    let listed = Command::new("rustup").args(["toolchain", "list"]).current_dir(folder).output();
    let text = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}
