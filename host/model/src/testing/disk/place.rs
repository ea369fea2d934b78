//! Where the folder of a disk that forgets lies, and what it is made to hold.

#![allow(clippy::unwrap_used, reason = "part of tests, and no part of a pipeline")]

use std::{fs, path::Path};

use tempfile::TempDir;

use super::Contents;

/// An empty folder where syncs cost nothing, if there is such a place: a hundred thousand are made.
///
/// # Panics
/// The system gives none.
pub fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Makes a folder hold this and nothing else.
///
/// # Panics
/// The system does not let it.
pub fn lay(root: &Path, contents: &Contents) {
    fs::remove_dir_all(root).unwrap();
    fs::create_dir(root).unwrap();
    for (path, bytes) in contents {
        match bytes {
            None => fs::create_dir(root.join(path)).unwrap(),
            Some(bytes) => fs::write(root.join(path), bytes).unwrap(),
        }
    }
}

#[test]
fn a_folder_holds_what_it_is_made_to_hold() {
    let root = scratch();
    let contents = |words: &[(&str, Option<&[u8]>)]| {
        words.iter().map(|(path, bytes)| (path.into(), bytes.map(<[u8]>::to_vec))).collect()
    };
    lay(root.path(), &contents(&[("a", None), ("a/file", Some(b"old")), ("b", Some(b""))]));
    lay(root.path(), &contents(&[("a", None), ("a/other", Some(b"new"))]));
    assert_eq!(fs::read(root.path().join("a/other")).unwrap(), b"new");
    assert_eq!(
        [fs::read_dir(root.path()).unwrap().count(), fs::read_dir(root.path().join("a")).unwrap().count()],
        [1, 1]
    );
}
