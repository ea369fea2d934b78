//! What cargo knows of a plugin project.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tidemill_guest::build::BuildError;

use crate::failure::Failure;

/// A project that makes a plugin.
#[derive(Debug)]
pub struct Project {
    /// The package's name, and the plugin's file.
    pub name: String,
    /// Where what cargo makes goes: apart from what it makes for this machine, so that neither waits for the other.
    pub target_folder: PathBuf,
}

impl Project {
    /// The project in a folder.
    pub fn of(folder: &Path) -> Result<Project, Failure> {
        let manifest = folder.join("Cargo.toml");
        if !folder.is_dir() {
            let failure = Failure::input(format!("there is no folder `{}`", folder.display()));
            return Err(failure.hint("make a project with `tidemill new NAME`"));
        }
        if !manifest.is_file() {
            return Err(BuildError::NoProject { folder: folder.to_owned() }.into());
        }
        let manifest = fs::canonicalize(&manifest).map_err(|error| Failure::unreadable("file", &manifest, &error))?;
        Project::from_metadata(&metadata(folder)?, &manifest)
    }

    fn from_metadata(metadata: &Value, manifest: &Path) -> Result<Project, Failure> {
        let is_ours =
            |package: &&Value| package["manifest_path"].as_str().is_some_and(|path| Path::new(path) == manifest);
        let package = metadata["packages"].as_array().into_iter().flatten().find(is_ours).ok_or_else(|| {
            let failure = Failure::input(format!("`{}` is a workspace and no package", manifest.display()));
            failure.hint("name the folder of one of its packages")
        })?;
        let name = package["name"].as_str().unwrap_or_default().to_owned();
        let targets = package["targets"].as_array().into_iter().flatten();
        let mut types = targets.flat_map(|target| target["crate_types"].as_array().into_iter().flatten());
        if !types.any(|crate_type| crate_type == "cdylib") {
            let failure = Failure::input(format!("the package `{name}` makes no Wasm module"));
            return Err(failure.hint("its Cargo.toml needs: [lib] crate-type = [\"cdylib\", \"rlib\"]"));
        }
        let target_folder = Path::new(metadata["target_directory"].as_str().unwrap_or("target")).join("tidemill");
        Ok(Project { name, target_folder })
    }
}

fn metadata(folder: &Path) -> Result<Value, Failure> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--no-deps"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| BuildError::NoProgram { program: "cargo", source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().trim_start_matches("error: ");
        return Err(Failure::input(format!("cargo cannot read `{}`: {said}", folder.join("Cargo.toml").display())));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Failure::run(format!("cargo metadata did not answer with JSON: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test says it by a panic")]

    use super::*;

    #[test]
    fn the_package_of_the_folder_is_chosen() {
        let metadata = serde_json::json!({
            "target_directory": "/t",
            "packages": [
                { "name": "other", "manifest_path": "/w/other/Cargo.toml", "targets": [] },
                { "name": "words", "manifest_path": "/w/words/Cargo.toml", "targets": [
                    { "crate_types": ["cdylib", "rlib"] }, { "crate_types": ["bin"] } ] },
            ],
        });
        let project = |path: &str| Project::from_metadata(&metadata, Path::new(path));
        let words = project("/w/words/Cargo.toml").unwrap();
        assert_eq!((words.name.as_str(), words.target_folder.as_path()), ("words", Path::new("/t/tidemill")));
        assert!(project("/w/other/Cargo.toml").is_err());
        assert!(project("/w/Cargo.toml").is_err());
    }
}
