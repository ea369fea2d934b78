//! What tests of the whole repository share: where it is, and what files are in it.
//!
//! It is not a place for test helpers of a single crate, and nothing else may depend on it.
//!
//! ```
//! assert!(tidemill_tests::repository().join("wit").is_dir());
//! ```

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The repository's top folder.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in a folder of the repository")
}

/// The repository's files as git knows them, relative to its top folder, those included that are about to be added.
pub fn files() -> Result<Vec<PathBuf>, String> {
    let listing = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(repository())
        .output()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    if !listing.status.success() {
        return Err(format!("git lists no files: {}", String::from_utf8_lossy(&listing.stderr)));
    }
    let names = String::from_utf8(listing.stdout).map_err(|error| format!("a file name is not UTF-8: {error}"))?;
    let paths = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    // One that is removed, but not yet for git, is still in its list.
    Ok(paths.filter(|path| repository().join(path).exists()).collect())
}
