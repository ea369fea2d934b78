//! The files that appear in a folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use tidemill_model::{
    connector::FilesSource,
    ports::{Irregularity, PortError, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};

use crate::ConnectorSettings;

use super::{
    Lines,
    listing::{Entry, Seen},
    reading::Reading,
};

/// Files that a folder may have: a listing of more would hold up every batch.
pub const FOLDER_FILES_MAX: usize = 1_000_000;

/// Lines of the files of a folder, each file once.
#[derive(Debug)]
pub(super) struct FolderLines {
    stream: String,
    path: PathBuf,
    until_done: bool,
    lines: Lines,
    seen: Seen,
    sealed: bool,
    /// It was told that the folder cannot be listed.
    told_missing: bool,
}

impl FolderLines {
    pub fn open(
        stream: &str,
        spec: &FilesSource,
        path: PathBuf,
        settings: &ConnectorSettings,
    ) -> Result<FolderLines, PortError> {
        let until_done = settings.until_done;
        let listing = list(&path).map_err(|error| {
            PortError::environment(
                format!("stream `{stream}` cannot list {}: see its permissions", path.display()),
                error,
            )
        })?;
        Ok(FolderLines {
            stream: stream.to_owned(),
            until_done,
            lines: Lines::new(spec, Reading::new(stream, &spec.text)),
            seen: Seen::open(&listing, spec.existing || until_done, settings.clock.now()),
            sealed: false,
            told_missing: false,
            path,
        })
    }

    /// What is there now; nothing, told once, when the folder cannot be listed.
    fn list(&mut self) -> Option<Vec<Entry>> {
        match list(&self.path) {
            Ok(listing) => {
                self.told_missing = false;
                Some(listing)
            }
            Err(error) => {
                if !self.told_missing {
                    let path = self.path.display();
                    tracing::warn!(stream = %self.stream, %path, %error, "the folder cannot be listed; batches are empty");
                }
                self.told_missing = true;
                None
            }
        }
    }
}

impl Source for FolderLines {
    fn schema(&self) -> &Schema {
        &self.lines.schema
    }

    /// Between batches nothing is read: which files are in the next one is known when it is sealed.
    fn take(&mut self, bytes_max: usize) -> Result<Taken, PortError> {
        self.lines.take(bytes_max, &mut self.sealed)
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        let chosen = match self.list() {
            Some(listing) if self.until_done => self.seen.choose_all(listing, at),
            Some(listing) => self.seen.choose(listing, at),
            None => Vec::new(),
        };
        self.lines.reading.append(chosen.into_iter().map(|entry| (self.path.join(entry.name), entry.len)));
        self.sealed = true;
        Ok(Sealed { present: true, last: self.until_done })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        self.lines.irregularities()
    }

    fn stop(&mut self) {
        self.lines.reading.stop();
    }
}

/// The files of a folder whose names do not begin with `.`, in no order.
fn list(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut listing = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Follows links. What went away since it was listed is not there.
        match fs::metadata(folder.join(&name)) {
            Ok(about) if about.is_file() => {
                listing.push(Entry { name, modified: modified(&about)?, len: about.len() });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if listing.len() > FOLDER_FILES_MAX {
            return Err(io::Error::other(format!("it has more than {FOLDER_FILES_MAX} files; move old ones away")));
        }
    }
    Ok(listing)
}

fn modified(about: &fs::Metadata) -> io::Result<Timestamp> {
    let modified = about.modified()?;
    let micros = match modified.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    };
    Ok(Timestamp(micros))
}
