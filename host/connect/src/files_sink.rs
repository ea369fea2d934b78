//! A folder a batch, a file a partition: staged beside its place, then renamed. The order stands in [`mark`].

#[cfg(test)]
mod disk_tests;
mod folders;
mod mark;
mod place;
mod rows;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use arrow_array::RecordBatch;
use tidemill_model::{
    connector::{FileFormat, FilesSink},
    ports::{Disk, DiskCall, DiskWriter, Owner, PortError, Sink, SinkBatch},
    schema::Schema,
    time::Timestamp,
};

use crate::value;
use folders::{is_same, list, make_folder, remove, sync_above, sync_folder};
use mark::{MARK, Mark};
use rows::write_rows;

/// Bytes that are collected before they are written to a file.
const WRITE_BYTES: usize = 256 << 10;

/// Writes files.
#[derive(Debug)]
pub(crate) struct FileSink {
    output: String,
    folder: PathBuf,
    disk: Disk,
    format: FileFormat,
    /// In the names of what this run stages, and no other: one that wakes up late has nothing of a later one's to publish.
    run: String,
    /// The place's mark as this run has written it last, once it has begun.
    mark: Option<Mark>,
    /// The newest batch that this run has delivered.
    delivered: Option<Timestamp>,
    /// Batches that are ready.
    staged: BTreeMap<Timestamp, Staged>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Staged {
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
            staged: BTreeMap::new(),
        };
        place::check(folder).map_err(|error| sink.unusable(error))?;
        Ok(sink)
    }

    fn unusable(&self, error: io::Error) -> PortError {
        match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                let (output, folder) = (&self.output, self.folder.display());
                PortError::refused(format!("output `{output}`: {folder} is a file, or in one: choose a folder"))
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

    fn staged_folder(&self, time: Timestamp, run: &str) -> PathBuf {
        self.folder.join(format!(".staged-{:013}-{run}", time.millis()))
    }

    fn final_folder(&self, time: Timestamp) -> PathBuf {
        self.folder.join(format!("batch-{:013}", time.millis()))
    }

    /// Stages the rows, durably, if there are any.
    fn write(&self, batch: &SinkBatch<'_>) -> io::Result<Staged> {
        let staged = self.staged_folder(batch.time, &self.run);
        remove(&self.disk, &staged)?;
        let mut has_rows = false;
        for (partition, rows) in batch.parts.iter().enumerate() {
            if rows.iter().all(|rows| rows.num_rows() == 0) {
                continue;
            }
            if !has_rows {
                // Not the folders above it: one that has vanished is brought back by a person, with what is in it.
                self.disk.call(DiskCall::MakeFolder(&staged), || fs::create_dir(&staged))?;
                has_rows = true;
            }
            let extension = match self.format {
                FileFormat::Text => "txt",
                FileFormat::Jsonl => "jsonl",
            };
            self.write_file(&staged.join(format!("part-{partition:05}.{extension}")), batch.schema, rows)?;
        }
        if !has_rows {
            return Ok(Staged::Empty);
        }
        sync_folder(&self.disk, &staged)?;
        // Once the mark knows the batch, what is staged must not be lost.
        sync_folder(&self.disk, &self.folder)?;
        Ok(Staged::Rows)
    }

    fn write_file(&self, path: &Path, schema: &Schema, batches: &[RecordBatch]) -> io::Result<()> {
        let file = self.disk.call(DiskCall::MakeFile(path), || File::create(path))?;
        let mut writer = BufWriter::with_capacity(WRITE_BYTES, DiskWriter { disk: &self.disk, path, file });
        write_rows(&mut writer, self.format, schema, batches)?;
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?.file;
        self.disk.call(DiskCall::SyncFile(path), || file.sync_all())
    }
}

impl Sink for FileSink {
    fn look(&self, pipeline: &str, is_kept: bool) -> Result<(), PortError> {
        self.read_mark("cannot be read")?.map_or(Ok(()), |mark| self.check_mark(&mark, pipeline, is_kept))
    }

    fn begin(&mut self, owner: &Owner<'_>) -> Result<(), PortError> {
        self.own(owner)
    }

    fn stage(&mut self, batch: &SinkBatch<'_>) -> Result<(), PortError> {
        for rows in batch.parts.iter().flatten() {
            value::check(&self.output, batch.schema, rows)?;
        }
        let staged = match self.was_delivered(batch.time)? {
            true => Staged::Delivered,
            false => self.write(batch).map_err(|error| self.error("does not take the batch", error))?,
        };
        self.staged.insert(batch.time, staged);
        Ok(())
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        match self.staged.get(&time) {
            Some(Staged::Rows) => self.publish(time)?,
            Some(Staged::Empty | Staged::Delivered) => {}
            None if self.was_delivered(time)? => {}
            None => {
                let output = &self.output;
                return Err(PortError::configuration(format!("output `{output}` has no staged batch of {time}")));
            }
        }
        self.staged.remove(&time);
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
