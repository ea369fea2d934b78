//! Where a new project finds the SDK: in a folder that was named, or in a copy of its own.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use crate::{embedded, failure::Failure};

/// The project's folder for its copy of the SDK.
const COPY: &str = ".tidemill";

/// Which SDK a project uses.
#[derive(Debug)]
pub enum Sdk {
    /// The one that this binary carries, unpacked into the project.
    Copy,
    /// The one in a folder, with every link followed.
    Folder(PathBuf),
}

impl Sdk {
    /// The SDK of `folder`, if one was named.
    pub fn choose(folder: Option<&Path>) -> Result<Sdk, Failure> {
        let Some(folder) = folder else { return Ok(Sdk::Copy) };
        let found = fs::canonicalize(folder).map_err(|error| Failure::unreadable("folder", folder, &error))?;
        let manifest = fs::read_to_string(found.join("Cargo.toml")).unwrap_or_default();
        if !manifest.contains("name = \"tidemill-sdk\"") {
            return Err(Failure::input(format!("`{}` is not the SDK", folder.display()))
                .hint("it is the folder sdk/rust of Tidemill's repository"));
        }
        Ok(Sdk::Folder(found))
    }

    /// Puts it where the project finds it, and gives its path as seen from the project.
    pub fn install(&self, project: &Path) -> Result<String, Failure> {
        match self {
            Sdk::Copy => {
                for (path, text) in embedded::FILES {
                    super::write(&project.join(COPY).join(path), text)?;
                }
                Ok(format!("{COPY}/sdk/rust"))
            }
            Sdk::Folder(folder) => {
                let project = fs::canonicalize(project).map_err(|error| Failure::unwritable(project, &error))?;
                Ok(relative(folder, &project).to_string_lossy().into_owned())
            }
        }
    }

    /// What the project's workspace has to leave out: a copy is no member of it.
    pub fn exclude(&self) -> &'static str {
        match self {
            Sdk::Copy => "exclude = [\".tidemill\"]\n",
            Sdk::Folder(_) => "",
        }
    }
}

/// `path` as seen from `base`; both absolute, without links.
fn relative(path: &Path, base: &Path) -> PathBuf {
    let (path, base): (Vec<Component<'_>>, Vec<_>) = (path.components().collect(), base.components().collect());
    let common = path.iter().zip(&base).take_while(|(a, b)| a == b).count();
    let up = base[common..].iter().map(|_| Component::ParentDir);
    up.chain(path[common..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_from_the_project() {
        let check = |path: &str, base: &str, expect: &str| {
            assert_eq!(relative(Path::new(path), Path::new(base)), Path::new(expect));
        };
        check("/a/sdk/rust", "/a/plugins/words", "../../sdk/rust");
        check("/a/sdk", "/a", "sdk");
        check("/a/sdk", "/b/c", "../../a/sdk");
    }
}
