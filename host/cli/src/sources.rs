//! Whether a component was made of what stands beside it: who changes a plugin and forgets to build it runs the old one.
//!
//! `tidemill build` writes into the component what its sources were (COMPONENT.md), so that an edit is seen however soon it comes,
//! and a checkout is none. Of a component without that only times are known.

mod packages;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tidemill_guest::SourcesHash;

/// Files are written one after the other, by git too.
const LATER: Duration = Duration::from_secs(2);

/// Files of a project that are looked at, folders in one another, and bytes of a file.
const FILES_MAX: usize = 2_000;
const DEPTH_MAX: usize = 8;
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A source of the component that lies in a project's folder, where that is not what the component was made of: the newest one.
/// Nothing where there is no project, or another one, or where the system does not say.
pub fn changed(path: &Path, component: &[u8]) -> Option<PathBuf> {
    let project = match path.parent()? {
        folder if folder.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    modified(&project.join("Cargo.toml"))?;
    let built = modified(path)?;
    let sources = sources(project);
    let is_changed = match tidemill_guest::sources_hash(component) {
        Some(told) => {
            let project = packages::name(project)?;
            told.of_package(&project) && told != hash(&project, &sources)
        }
        None => sources.last().is_some_and(|newest| newest.at > built + LATER),
    };
    is_changed.then(|| sources.into_iter().next_back().map(|newest| newest.path)).flatten()
}

/// What a component's sources are.
pub fn hash_of(project: &Path) -> Option<SourcesHash> {
    Some(hash(&packages::name(project)?, &sources(project)))
}

/// A file that a plugin is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    at: SystemTime,
    path: PathBuf,
    /// Of which package, and what it is called there.
    package: usize,
    name: PathBuf,
}

/// The sources of a project, of the packages too that it uses by path, the newest last.
pub fn sources(project: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    for (package, folder) in packages::folders(project).iter().enumerate() {
        let mut files = vec![folder.join("Cargo.toml"), folder.join("build.rs")];
        list(&folder.join("src"), DEPTH_MAX, FILES_MAX.saturating_sub(found.len()), &mut files);
        found.extend(files.into_iter().filter_map(|path| {
            let name = path.strip_prefix(folder).ok()?.to_owned();
            Some(Source { at: modified(&path)?, path, package, name })
        }));
    }
    found.sort();
    found
}

fn hash(project: &str, sources: &[Source]) -> SourcesHash {
    let mut sources: Vec<&Source> = sources.iter().collect();
    sources.sort_by_key(|source| (source.package, &source.name));
    let mut hasher = blake3::Hasher::new();
    for source in sources {
        let text = content(&source.path);
        for part in [source.package.to_string().as_bytes(), source.name.as_os_str().as_encoded_bytes(), &text] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
    }
    SourcesHash::new(project, *hasher.finalize().as_bytes())
}

/// The beginning of a file; of one that cannot be read it is empty.
fn content(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut text));
    read.map(|_| text).unwrap_or_default()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?.modified().ok()
}

fn list(folder: &Path, depth: usize, files_max: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<fs::DirEntry> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if found.len() >= files_max {
            return;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth > 0 => list(&entry.path(), depth - 1, files_max, found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
