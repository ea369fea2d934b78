//! What is in a folder, as the system shows it.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use tidemill_model::{
    ports::{Clock, Irregularity},
    text::by_count,
};

use super::{
    facts::{self, Facts},
    listing::{Entry, Listing},
    watch::Look,
};

/// Files that a folder may have: a listing of more would hold up every batch.
pub const FOLDER_FILES_MAX: usize = 1_000_000;

/// A folder at one instant.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// With the files whose names do not begin with `.`.
    pub listing: Listing,
    /// What cannot be looked at: links that lead nowhere or in a circle, or to where this program may not go.
    pub odd: Vec<(PathBuf, io::Error)>,
}

/// Entries that cannot be looked at, each told of once while it is like that.
#[derive(Debug, Default)]
pub(super) struct Odd {
    known: HashSet<OsString>,
    count: u64,
}

/// Lists a folder. Links are followed.
pub(super) fn scan(folder: &Path, clock: &dyn Clock) -> io::Result<Scan> {
    let began = clock.steady();
    let which = which(folder)?;
    let mut scan = list(folder)?;
    if self::which(folder)? != which {
        return Err(io::Error::other("another folder came in its place while it was listed"));
    }
    scan.listing.folder = which;
    scan.listing.look = began.zip(clock.steady()).map(|(began, ended)| Look { began, ended });
    Ok(scan)
}

/// Which folder stands under this path now, where the system tells.
fn which(folder: &Path) -> io::Result<Option<u64>> {
    let facts = Facts::of(&fs::metadata(folder)?)?;
    Ok(facts.place.map(|(device, number)| facts::mix(number, device as i64)))
}

fn list(folder: &Path) -> io::Result<Scan> {
    let mut scan = Scan::default();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = folder.join(&name);
        match fs::metadata(&path) {
            Ok(about) if about.is_file() => {
                scan.listing.files.push(Entry { name, facts: Facts::of(&about)? });
            }
            Ok(_) => {}
            // What went away since it was listed is not there; a link that is there leads nowhere.
            Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(&path).is_err() => {}
            Err(error) => scan.odd.push((path, error)),
        }
        if scan.listing.files.len() + scan.odd.len() > FOLDER_FILES_MAX {
            return Err(io::Error::other(format!("it has more than {FOLDER_FILES_MAX} files; move old ones away")));
        }
    }
    Ok(scan)
}

impl Odd {
    /// Counts and tells of those that were not odd the last time.
    pub fn note(&mut self, stream: &str, odd: Vec<(PathBuf, io::Error)>) {
        let is_new = |path: &Path| !self.known.contains(path.as_os_str());
        let mut new = odd.iter().filter(|(path, _)| is_new(path));
        if let Some((path, error)) = new.next() {
            let more = new.count() as u64;
            self.count += 1 + more;
            let path = path.display();
            tracing::warn!(stream = %stream, %path, %error, more, "a folder's entry cannot be looked at; passed over");
        }
        self.known = odd.into_iter().map(|(path, _)| path.into_os_string()).collect();
    }

    /// What was counted since the last time.
    pub fn take(&mut self) -> Option<Irregularity> {
        let count = std::mem::take(&mut self.count);
        let entries = by_count(count, "entry", "entries");
        let what = format!("{entries} of the folder that could not be looked at, passed over");
        (count > 0).then_some(Irregularity { what, count, is_rejected: false })
    }
}
