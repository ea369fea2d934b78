//! The files that appear in a folder.

use std::path::{Path, PathBuf};

use tidemill_model::{
    connector::FilesSource,
    ports::{Irregularity, PortError, Repeatable, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};

use crate::ConnectorSettings;

use super::{
    Lines,
    listing::{Entry, Seen},
    pin::{self, FolderPin, Name, ReadFile},
    reading::{Reading, Waiting},
    scan::{Odd, scan},
};

/// Lines of the files of a folder, each file once.
#[derive(Debug)]
pub(super) struct FolderLines {
    stream: String,
    path: PathBuf,
    until_done: bool,
    lines: Lines,
    seen: Seen,
    odd: Odd,
    /// The batch to be given again: the next one.
    repeated: Option<Vec<Waiting>>,
    sealed: bool,
    /// A batch was sealed, in an earlier run perhaps.
    begun: bool,
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
        let scan = scan(&path).map_err(|error| {
            PortError::environment(
                format!("stream `{stream}` cannot list {}: see its permissions", path.display()),
                error,
            )
        })?;
        let mut odd = Odd::default();
        odd.note(stream, scan.odd);
        Ok(FolderLines {
            stream: stream.to_owned(),
            until_done,
            lines: Lines::new(spec, Reading::new(stream, &spec.text)),
            seen: Seen::open(&scan.files, spec.existing || until_done, settings.clock.now()),
            odd,
            repeated: None,
            sealed: false,
            begun: false,
            told_missing: false,
            path,
        })
    }

    /// The files of the batch that is sealed at `at`.
    fn choose(&mut self, at: Timestamp) -> Vec<Waiting> {
        let chosen = match self.list() {
            Some(listing) if self.until_done => self.seen.choose_all(listing, at),
            Some(listing) => self.seen.choose(listing, at),
            None => Vec::new(),
        };
        let waiting = |Entry { name, modified, len }: Entry| {
            let path = self.path.join(&name);
            Waiting { name, path, len, modified, expected: None }
        };
        chosen.into_iter().map(waiting).collect()
    }

    fn given_path(&self) -> &Path {
        &self.lines.spec.path
    }

    fn read_pin(&self, pin: &str) -> Result<FolderPin, PortError> {
        let pin: FolderPin = crate::pin::read(&self.stream, pin)?;
        pin::check_path(&self.stream, &pin.path, self.given_path())?;
        Ok(pin)
    }

    /// A file that was read before, if it is as it was then.
    fn again(&self, file: &ReadFile) -> Result<Waiting, PortError> {
        // The pin was checked: every name is one.
        let name = file.name.to_os().unwrap_or_default();
        let path = self.path.join(&name);
        pin::check_content(&self.stream, &path, &file.content)?;
        Ok(Waiting::again(name, path, &file.content))
    }

    /// What is there now; nothing, told once, when the folder cannot be listed.
    fn list(&mut self) -> Option<Vec<Entry>> {
        match scan(&self.path) {
            Ok(scan) => {
                self.told_missing = false;
                self.odd.note(&self.stream, scan.odd);
                Some(scan.files)
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
        let files = self.repeated.take().unwrap_or_else(|| self.choose(at));
        self.lines.reading.forget_finished();
        self.lines.reading.append(files);
        (self.sealed, self.begun) = (true, true);
        Ok(Sealed { present: true, last: self.until_done })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        let mut told = self.lines.irregularities();
        told.extend(self.odd.take());
        told
    }

    fn stop(&mut self) {
        self.lines.reading.stop();
    }

    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        self.lines.reading.pins = true;
        Some(self)
    }
}

impl Repeatable for FolderLines {
    fn pin(&mut self) -> Result<String, PortError> {
        if self.sealed {
            return Err(crate::pin::not_taken(&self.stream));
        }
        let pin = FolderPin {
            path: Name::new(self.given_path().as_os_str()),
            begun: self.begun,
            files: self.lines.reading.finished()?.to_vec(),
            seen: self.seen.pin(),
        };
        crate::pin::write(&self.stream, &pin)
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        let pin = self.read_pin(pin)?;
        self.seen = Seen::pinned(&pin.seen);
        self.begun = pin.begun;
        Ok(())
    }

    fn repeat(&mut self, pin: &str) -> Result<(), PortError> {
        let pin = self.read_pin(pin)?;
        if !pin.begun {
            return Err(crate::pin::no_batch(&self.stream));
        }
        self.repeated = Some(pin.files.iter().map(|file| self.again(file)).collect::<Result<_, _>>()?);
        self.seen = Seen::pinned(&pin.seen);
        Ok(())
    }
}
