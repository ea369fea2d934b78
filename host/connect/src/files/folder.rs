//! The files that appear in a folder.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tidemill_model::{
    connector::World,
    ports::{Clock, Irregularity, PortError, Repeatable, Sealed, Source, SourceRows, Taken},
    schema::Schema,
    table::TableSpec,
    time::Timestamp,
};

use super::{
    FilesSource, Lines,
    listing::{Entry, Folders, Listing, Seen},
    pin::{self, FilesPin, FolderPin, Name, ReadFile, SeenPin},
    reading::{AsKnown, NotRead, Reading, Waiting},
    scan::{Odd, scan},
    table::{self, Rows},
    watch::Rest,
};

/// Lines of the files of a folder, each file once.
pub(super) struct FolderLines {
    stream: String,
    clock: Arc<dyn Clock>,
    path: PathBuf,
    until_done: bool,
    lines: Lines,
    seen: Seen,
    /// What a checkpoint has of the files that were seen, as long as nothing has been told to it: from then on changes are noted.
    told: Option<Rows>,
    odd: Odd,
    /// The batch to be given again: the next one.
    repeated: Option<Repeated>,
    sealed: bool,
    /// The last batch was sealed as the last one that has anything.
    last: bool,
    /// A batch was sealed, in an earlier run perhaps.
    begun: bool,
    /// It was told that the folder cannot be listed.
    told_missing: bool,
    /// It was told that the end waits for a file.
    told_waiting: bool,
}

/// A batch to be given again.
#[derive(Debug)]
struct Repeated {
    files: Vec<Waiting>,
    /// It was the last one of a run that ended with what was there.
    last: bool,
}

impl FolderLines {
    pub fn open(stream: &str, spec: &FilesSource, path: PathBuf, world: &World) -> Result<FolderLines, PortError> {
        let until_done = world.until_done;
        let clock = Arc::clone(&world.clock);
        let scan = scan(&path, &*clock).map_err(|error| {
            PortError::environment(
                format!("stream `{stream}` cannot list {}: see its permissions", path.display()),
                error,
            )
        })?;
        let mut odd = Odd::default();
        odd.note(stream, scan.odd);
        let rest = Rest::new(spec.settled_after, world.interval);
        let seen = Seen::open(&scan.listing, spec.existing || until_done, clock.now(), rest);
        let seen = seen.beside(Folders::one_more(world)?);
        Ok(FolderLines {
            stream: stream.to_owned(),
            until_done,
            lines: Lines::new(spec, Reading::new(stream, &spec.text)),
            seen: if until_done { seen.awaiting(&scan.listing) } else { seen },
            told: Some(Rows::new()),
            clock,
            odd,
            repeated: None,
            sealed: false,
            last: false,
            begun: false,
            told_missing: false,
            told_waiting: false,
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
        let waiting = |Entry { name, facts }: Entry| {
            let path = self.path.join(&name);
            Waiting { name, path, as_known: AsKnown::Listed(facts) }
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

    /// A file that was read before, if it is as it was then: under its name, or under the one that it got since.
    fn again(&self, file: &ReadFile, seen: &SeenPin) -> Result<Waiting, PortError> {
        // The pin was checked: every name is one.
        let name = file.name.to_os().unwrap_or_default();
        let path = self.path.join(&name);
        let Err(error) = pin::check_content(&self.stream, &path, &file.content) else {
            return Ok(Waiting::again(name, path, &file.content));
        };
        let mark_before = |files: &FilesPin| {
            let mut marked = files.done.iter().zip(&files.marks.0);
            marked.find(|(done, _)| **done == file.name).map(|(_, mark)| *mark)
        };
        let mark = file.mark.0.first().copied().or_else(|| seen.files.as_ref().and_then(mark_before));
        let listing = scan(&self.path, &*self.clock).map(|scan| scan.listing.files).unwrap_or_default();
        let is_it = |entry: &Entry| mark.is_some_and(|mark| entry.name != name && entry.facts.is_known_as(mark, false));
        let mut renamed = listing.iter().filter(|entry| is_it(entry)).map(|entry| self.path.join(&entry.name));
        match renamed.find(|path| pin::check_content(&self.stream, path, &file.content).is_ok()) {
            Some(path) => Ok(Waiting::again(name, path, &file.content)),
            None => Err(error),
        }
    }

    /// What is there now; nothing, told once, when the folder cannot be listed.
    fn list(&mut self) -> Option<Listing> {
        match scan(&self.path, &*self.clock) {
            Ok(scan) => {
                self.told_missing = false;
                self.odd.note(&self.stream, scan.odd);
                Some(scan.listing)
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

    /// Whether a run that ends with what is there has chosen all of that. What is still being written is waited for.
    fn has_all(&mut self) -> bool {
        let Some(name) = self.seen.awaited() else { return self.until_done };
        if !std::mem::replace(&mut self.told_waiting, true) {
            let path = self.path.join(name);
            let path = path.display();
            tracing::info!(stream = %self.stream, %path, "waiting until a file has been unchanged for a while");
        }
        false
    }

    /// Files that were chosen and not read are met again by a later batch, if there is one.
    fn put_back(&mut self) -> Result<(), PortError> {
        for NotRead { name, path, has_changed } in std::mem::take(&mut self.lines.reading.not_read) {
            self.seen.not_read(&name, has_changed);
            if has_changed && self.last {
                return Err(pin::replaced(&self.stream, &path));
            }
            if has_changed {
                let path = path.display();
                tracing::info!(stream = %self.stream, %path, "a file has changed since it was listed; left for a later batch");
            }
        }
        Ok(())
    }
}

impl Source for FolderLines {
    fn schema(&self) -> &Schema {
        &self.lines.schema
    }

    /// Between batches nothing is read: which files are in the next one is known when it is sealed.
    fn take(&mut self, bytes_max: usize) -> Result<Taken, PortError> {
        let taken = self.lines.take(bytes_max, &mut self.sealed)?;
        self.put_back()?;
        Ok(taken)
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        let (files, last) = match self.repeated.take() {
            Some(Repeated { files, last }) => (files, last),
            None => (self.choose(at), self.has_all()),
        };
        self.lines.reading.forget_finished();
        self.lines.reading.append(files);
        (self.sealed, self.begun, self.last) = (true, true, last);
        Ok(Sealed { present: true, last })
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
            waits: self.until_done.then_some(!self.last),
            seen: self.seen.pin(),
        };
        crate::pin::write(&self.stream, &pin)
    }

    fn table(&self) -> Option<TableSpec> {
        Some(table::spec())
    }

    fn changes(&mut self) -> Result<Vec<SourceRows>, PortError> {
        Ok(table::written(&self.seen.changes(self.told.take())))
    }

    fn restore(&mut self, rows: &[SourceRows]) -> Result<(), PortError> {
        let restored = table::read(rows).map_err(|reason| crate::pin::damaged(&self.stream, reason))?;
        self.told = Some(restored);
        Ok(())
    }

    fn check(&self, pin: &str) -> Result<(), PortError> {
        self.read_pin(pin).map(drop)
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        let pin = self.read_pin(pin)?;
        self.seen.resume(&pin.seen, self.told.as_ref());
        self.begun = pin.begun;
        Ok(())
    }

    fn repeat(&mut self, pin: &str) -> Result<(), PortError> {
        let pin = self.read_pin(pin)?;
        if !pin.begun {
            return Err(crate::pin::no_batch(&self.stream));
        }
        let files = pin.files.iter().map(|file| self.again(file, &pin.seen)).collect::<Result<_, _>>()?;
        // What another run left for later ones this one has to look for.
        self.repeated = Some(Repeated { files, last: self.until_done && pin.waits == Some(false) });
        self.seen.resume(&pin.seen, self.told.as_ref());
        Ok(())
    }
}
