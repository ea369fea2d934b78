//! A folder a batch, a file a part: written beside its place, then renamed. The order stands in [`mark`].

#[cfg(test)]
mod disk_tests;
mod folders;
mod mark;
mod place;
mod rows;
mod settings;
#[cfg(test)]
mod tests;
mod writing;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use tidemill_model::{
    ports::{Disk, Owner, PortError, Sink, SinkParts, SinkRows},
    time::Timestamp,
};

use crate::value;
use folders::{check, is_same, list, make_folder, remove, sync_above, sync_folder};
use mark::{MARK, Mark};
use rows::write_rows;
pub(crate) use settings::{FORM, letters};
pub use settings::{FileFormat, FilesSink};
use writing::Writing;

/// Writes files.
#[derive(Debug)]
pub(crate) struct FileSink {
    output: String,
    folder: PathBuf,
    disk: Disk,
    format: FileFormat,
    /// In the names of what this run prepares, and no other: one that wakes up late has nothing of a later one's to publish.
    run: String,
    /// The place's mark as this run has written it last, once it has begun.
    mark: Option<Mark>,
    /// The newest batch that this run has delivered.
    delivered: Option<Timestamp>,
    /// The batch that rows are written of, unless it was delivered before.
    writing: Option<Writing>,
    /// Batches that are ready.
    prepared: BTreeMap<Timestamp, Prepared>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prepared {
    /// It has rows.
    Rows,
    /// It has none.
    Empty,
    /// It was delivered before.
    Delivered,
}

impl FileSink {
    /// Looks whether the folder can be one, and changes nothing. `run`: letters that no other run has.
    pub fn open(output: &str, spec: &FilesSink, folder: &Path, run: &str, disk: Disk) -> Result<FileSink, PortError> {
        let sink = FileSink {
            output: output.to_owned(),
            folder: folder.to_owned(),
            disk,
            format: spec.format,
            run: run.to_owned(),
            mark: None,
            delivered: None,
            writing: None,
            prepared: BTreeMap::new(),
        };
        check(folder).map_err(|error| sink.unusable(error))?;
        Ok(sink)
    }

    fn unusable(&self, error: io::Error) -> PortError {
        match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                let (output, folder) = (&self.output, self.folder.display());
                let what = match fs::symlink_metadata(&self.folder).is_ok_and(|found| found.is_symlink())
                    && !self.folder.exists()
                {
                    true => "is a link to what is not there: make what it leads to, or choose another folder",
                    false => "is a file, or in one: choose a folder",
                };
                PortError::refused(format!("output `{output}`: {folder} {what}"))
            }
            _ => self.error("cannot be written to", error),
        }
    }

    fn error(&self, what: &str, error: io::Error) -> PortError {
        let (output, folder, advice) = (&self.output, self.folder.display(), advice(error.kind(), &self.folder));
        PortError::environment(format!("output `{output}`: folder {folder} {what}; {advice}"), error)
    }

    fn refused(&self, what: &str) -> PortError {
        PortError::refused(format!("output `{}`: folder {} {what}", self.output, self.folder.display()))
    }

    /// What this run has marked the place with.
    fn mark(&self) -> Result<&Mark, PortError> {
        let not_begun = || PortError::configuration(format!("output `{}` was not begun", self.output));
        self.mark.as_ref().ok_or_else(not_begun)
    }

    fn prepared_folder(&self, time: Timestamp, run: &str) -> PathBuf {
        self.folder.join(format!(".staged-{:013}-{run}", time.millis()))
    }

    fn final_folder(&self, time: Timestamp) -> PathBuf {
        self.folder.join(format!("batch-{:013}", time.millis()))
    }

    /// The batch of which rows are written from now on, or all have been. Another one that was not prepared is not wanted. `None`:
    /// it was delivered before.
    fn begin_batch(&mut self, time: Timestamp) -> Result<Option<&mut Writing>, PortError> {
        if self.was_delivered(time)? {
            return Ok(None);
        }
        let writing = match self.writing.take() {
            Some(writing) if writing.time == time => writing,
            other => {
                let discarded = other.map_or(Ok(()), |other| other.discard(&self.disk));
                let folder = self.prepared_folder(time, &self.run);
                let begun = discarded.and_then(|()| Writing::begin(&self.disk, time, folder, self.format));
                begun.map_err(|error| self.untaken_rows(error))?
            }
        };
        Ok(Some(self.writing.insert(writing)))
    }

    /// Makes what was written of a batch durable, if there is anything.
    fn finish_batch(&mut self, batch: &SinkParts<'_>) -> Result<Prepared, PortError> {
        if self.begin_batch(batch.time)?.is_none() {
            return Ok(Prepared::Delivered);
        }
        let finished = self.writing.take().map_or(Ok(false), |writing| writing.finish(&self.disk, batch.parts));
        match finished.map_err(|error| self.untaken_rows(error))? {
            false => Ok(Prepared::Empty),
            true => {
                // Once the mark knows the batch, what is prepared must not be lost.
                sync_folder(&self.disk, &self.folder).map_err(|error| self.untaken_rows(error))?;
                Ok(Prepared::Rows)
            }
        }
    }

    fn untaken_rows(&self, error: io::Error) -> PortError {
        self.error("does not take the batch", error)
    }
}

impl Sink for FileSink {
    fn look(&self, pipeline: &str, is_kept: bool) -> Result<(), PortError> {
        self.read_mark("cannot be read")?.map_or(Ok(()), |mark| self.check_mark(&mark, pipeline, is_kept))
    }

    fn begin(&mut self, owner: &Owner<'_>) -> Result<(), PortError> {
        self.own(owner)
    }

    fn write(&mut self, rows: &SinkRows<'_>) -> Result<(), PortError> {
        value::check(&self.output, rows.schema, rows.rows)?;
        let disk = self.disk.clone();
        let Some(writing) = self.begin_batch(rows.batch)? else { return Ok(()) };
        writing.write(&disk, rows).map_err(|error| self.untaken_rows(error))
    }

    fn prepare(&mut self, batch: &SinkParts<'_>) -> Result<(), PortError> {
        let prepared = self.finish_batch(batch)?;
        self.prepared.insert(batch.time, prepared);
        Ok(())
    }

    fn discard(&mut self, batch: Timestamp) -> Result<(), PortError> {
        let writing = self.writing.take_if(|writing| writing.time == batch);
        writing.map_or(Ok(()), |writing| writing.discard(&self.disk)).map_err(|error| self.untaken_rows(error))
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        match self.prepared.get(&time) {
            Some(Prepared::Rows) => self.publish(time)?,
            Some(Prepared::Empty | Prepared::Delivered) => {}
            None if self.was_delivered(time)? => {}
            None => {
                let output = &self.output;
                return Err(PortError::configuration(format!("output `{output}` has no prepared batch of {time}")));
            }
        }
        self.prepared.remove(&time);
        Ok(())
    }

    fn newest(&self) -> Result<Option<Timestamp>, PortError> {
        // In this order: a batch is known to the mark before its folder has its name.
        let there = match list(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.mark.is_none() => return Ok(None),
            listed => listed.map_err(|error| self.error("cannot be listed", error))?,
        };
        let mark = self.read_mark("cannot be read")?;
        Ok(there.newest.max(mark.and_then(|mark| mark.newest())))
    }

    fn is_new(&self) -> bool {
        self.mark.is_none() && matches!(self.folder.try_exists(), Ok(false))
    }
}

/// What to do about a folder that cannot be used.
fn advice(kind: io::ErrorKind, folder: &Path) -> &'static str {
    let is_covered = folder.ancestors().any(|part| fs::metadata(part).is_ok_and(|found| !found.is_dir()));
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "its disk is full: make room and run again",
        io::ErrorKind::FileTooLarge => "the system allows no file of that length (ulimit -f): raise that and run again",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "see its permissions and its mount and run again, or choose another"
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if is_covered => {
            "a file stands in its place: bring the folder back, or choose another, and run again"
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            "it has vanished: bring it back (is its disk mounted?) and run again"
        }
        _ => "see what the system says, correct it and run again",
    }
}
