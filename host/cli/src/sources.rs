//! Whether a component was made of what stands beside it: who changes a plugin and forgets to build it runs the old one.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Files are written one after the other, by git too.
const LATER: Duration = Duration::from_secs(2);

/// Files of a project that are looked at, and folders in one another.
const FILES_MAX: usize = 2_000;
const DEPTH_MAX: usize = 8;

/// The newest source of a component that lies in a project's folder, if it is newer than that. Nothing where there is no project,
/// or where the system does not say.
pub fn newer(component: &Path) -> Option<PathBuf> {
    let project = component.parent()?;
    let built = modified(component)?;
    modified(&project.join("Cargo.toml"))?;
    let newest = sources(project).pop()?;
    (newest.0 > built + LATER).then_some(newest.1)
}

/// The sources of a project and when each was written, the newest last.
pub fn sources(project: &Path) -> Vec<(SystemTime, PathBuf)> {
    let mut sources = vec![project.join("Cargo.toml"), project.join("build.rs")];
    list(&project.join("src"), DEPTH_MAX, &mut sources);
    let mut found: Vec<_> = sources.into_iter().filter_map(|path| Some((modified(&path)?, path))).collect();
    found.sort();
    found
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?.modified().ok()
}

fn list(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if found.len() >= FILES_MAX {
            return;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => list(&entry.path(), depth - 1, found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    #[test]
    fn a_component_is_older_than_what_was_written_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, seconds: u64| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds);
            fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
            path
        };
        let component = write("words.wasm", 100);
        write("src/lib.rs", 200);
        assert_eq!(newer(&component), None, "no project: somebody put a component beside a folder");
        let manifest = write("Cargo.toml", 90);
        assert_eq!(newer(&component), Some(folder.path().join("src/lib.rs")));
        write("src/lib.rs", 102);
        assert_eq!(newer(&component), None, "written with it");
        let deep = write("src/deep/er/parse.rs", 103);
        assert_eq!(newer(&component), Some(deep));
        write("words.wasm", 200);
        assert_eq!(newer(&component), None, "built");
        write("target/debug/made.rs", 300);
        assert_eq!(newer(&component), None, "what a build makes is no source");
        for name in ["build.rs", "Cargo.toml"] {
            let path = write(name, 300);
            assert_eq!(newer(&component), Some(path));
            write(name, 90);
        }
        assert_eq!(newer(&manifest.with_file_name("none.wasm")), None);
    }
}
