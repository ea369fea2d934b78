//! What a Cargo.toml says of packages by path: for the command line, which compares a plugin with its sources.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// What is compiled into a package; what is for its tests is not.
const DEPENDENCIES: [&str; 2] = ["dependencies", "build-dependencies"];

/// A Cargo.toml, as far as it names packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CargoManifest {
    /// The name of its package, if it has one.
    pub package: Option<String>,
    /// Paths of packages that it uses, from its folder.
    pub paths: Vec<String>,
    /// Packages whose paths its workspace says.
    pub of_workspace: Vec<String>,
    /// Names and paths that it says itself for the packages of its workspace; none where it is no workspace.
    pub workspace: Option<BTreeMap<String, String>>,
}

impl CargoManifest {
    /// Reads one; of one that is no TOML nothing is known.
    pub fn read(text: &str) -> CargoManifest {
        let table: Table = text.parse().unwrap_or_default();
        let mut manifest = CargoManifest { package: name(&table), ..CargoManifest::default() };
        let targets = table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
        let places = std::iter::once(&table).chain(targets.filter_map(Value::as_table));
        let all = places.flat_map(|place| DEPENDENCIES.iter().filter_map(|kind| place.get(*kind)?.as_table()));
        for (name, entry) in all.flatten() {
            match path(entry) {
                Some(path) => manifest.paths.push(path),
                None if entry.get("workspace").and_then(Value::as_bool) == Some(true) => {
                    manifest.of_workspace.push(name.clone());
                }
                None => {}
            }
        }
        let workspace = table.get("workspace").and_then(Value::as_table);
        manifest.workspace = workspace.map(|workspace| {
            let shared = workspace.get("dependencies").and_then(Value::as_table).into_iter().flatten();
            shared.filter_map(|(name, entry)| Some((name.clone(), path(entry)?))).collect()
        });
        manifest
    }
}

fn name(table: &Table) -> Option<String> {
    Some(table.get("package")?.get("name")?.as_str()?.to_owned())
}

fn path(entry: &Value) -> Option<String> {
    Some(entry.get("path")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_wherever_dependencies_stand() {
        let manifest = CargoManifest::read(
            "[package]\nname = \"words\"\n[dependencies]\nserde = \"1\"\nshared.workspace = true\nnear = { path = \"../near\" }\n\
             [dev-dependencies]\ntests = { path = \"../tests\" }\n[build-dependencies]\nmade = { path = \"../made\" }\n\
             [target.'cfg(unix)'.dependencies]\nonly = { path = \"../only\" }\n[workspace.dependencies]\nin = { path = \"in\" }\nx = \"1\"\n",
        );
        assert_eq!(manifest.package.as_deref(), Some("words"));
        assert_eq!(manifest.paths, ["../near", "../made", "../only"]);
        assert_eq!(manifest.of_workspace, ["shared"]);
        assert_eq!(manifest.workspace, Some(BTreeMap::from([("in".to_owned(), "in".to_owned())])));
        for nothing in ["", "not TOML", "[package]\nname = 7\n", "dependencies = 7\ntarget = 7\n"] {
            assert_eq!(CargoManifest::read(nothing), CargoManifest::default(), "{nothing}");
        }
    }
}
