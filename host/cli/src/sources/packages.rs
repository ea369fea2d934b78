//! The packages that a plugin is made of and that lie on this machine: its own, and those that it names by path.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tidemill_plan::CargoManifest;

/// Packages that are looked at.
const PACKAGES_MAX: usize = 64;
/// Folders above a package where its workspace may be.
const ABOVE_MAX: usize = 16;

/// The folders of a project's packages, the project's own first. What cannot be read names no others.
pub fn folders(project: &Path) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let (mut found, mut next) = (Vec::new(), vec![project.to_owned()]);
    while let Some(folder) = next.pop() {
        let is_new = fs::canonicalize(&folder).is_ok_and(|whole| seen.insert(whole));
        if !is_new || found.len() >= PACKAGES_MAX {
            continue;
        }
        let manifest = manifest(&folder);
        next.extend(manifest.paths.iter().map(|path| folder.join(path)));
        next.extend(of_workspace(&folder, &manifest));
        found.push(folder);
    }
    found
}

/// The name of the package in a folder.
pub fn name(folder: &Path) -> Option<String> {
    manifest(folder).package
}

fn manifest(folder: &Path) -> CargoManifest {
    CargoManifest::read(&fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default())
}

/// The folders of packages whose paths the workspace above says.
fn of_workspace(folder: &Path, manifest: &CargoManifest) -> Vec<PathBuf> {
    if manifest.of_workspace.is_empty() {
        return Vec::new();
    }
    let mut above = folder.to_owned();
    for _ in 0..ABOVE_MAX {
        if let Some(shared) = self::manifest(&above).workspace {
            let paths = manifest.of_workspace.iter().filter_map(|name| shared.get(name));
            return paths.map(|path| above.join(path)).collect();
        }
        above.push("..");
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    #[test]
    fn packages_by_path_are_found_however_they_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |package: &str, text: &str| {
            fs::create_dir_all(folder.path().join(package)).unwrap();
            fs::write(folder.path().join(package).join("Cargo.toml"), text).unwrap();
        };
        write("", "[workspace]\n[workspace.dependencies]\nshared = { path = \"shared\" }\nserde = \"1\"\n");
        write(
            "plugins/words",
            "[package]\nname = \"words\"\n[dependencies]\nserde = \"1\"\nshared.workspace = true\nserde_json = { workspace = true }\n\
             near = { path = \"../near\" }\n[dev-dependencies]\ntests = { path = \"../tests\" }\n[build-dependencies]\n\
             made = { path = \"../made\", version = \"1\" }\n[target.'cfg(unix)'.dependencies]\nonly = { path = \"../only\" }\n",
        );
        write("plugins/near", "[dependencies]\ndeep = { path = \"deep\" }\nwords = { path = \"../words\" }\n");
        for package in ["shared", "plugins/made", "plugins/only", "plugins/near/deep", "plugins/tests"] {
            write(package, "not even TOML");
        }
        let found = folders(&folder.path().join("plugins/words"));
        let whole = |path: &PathBuf| fs::canonicalize(path).unwrap();
        let found: BTreeSet<PathBuf> = found.iter().map(whole).collect();
        let expect = ["plugins/words", "shared", "plugins/made", "plugins/only", "plugins/near", "plugins/near/deep"];
        assert_eq!(found, expect.iter().map(|package| whole(&folder.path().join(package))).collect());
        assert_eq!(name(&folder.path().join("plugins/words")).as_deref(), Some("words"));
        assert_eq!(name(&folder.path().join("shared")), None);
        assert_eq!(folders(&folder.path().join("none")), Vec::<PathBuf>::new());
    }
}
