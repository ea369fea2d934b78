//! A folder a batch, a file a partition: staged beside its place, then renamed.

#[cfg(test)]
mod disk_tests;
mod folders;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use arrow_array::RecordBatch;
use tidemill_model::{
    connector::{FileFormat, FilesSink},
    ports::{Disk, DiskCall, DiskWriter, PortError, Sink, SinkBatch},
    schema::Schema,
    time::Timestamp,
};

use crate::{
    json,
    value::{self, Value},
};
use folders::{make_folder, remove, sync_above, sync_folder};

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
    /// This run has made the folder, and nothing was staged in it yet.
    is_new: bool,
    /// Nothing was delivered yet, and other runs may have left what they staged.
    is_first: bool,
    /// Batches that are ready, and whether they have rows.
    staged: BTreeMap<Timestamp, bool>,
}

impl FileSink {
    /// Makes the folder, and tries whether it can be written to. `run`: letters that no other run has.
    pub fn open(output: &str, spec: &FilesSink, folder: &Path, run: &str, disk: Disk) -> Result<FileSink, PortError> {
        let sink = FileSink {
            output: output.to_owned(),
            folder: folder.to_owned(),
            disk,
            format: spec.format,
            run: run.to_owned(),
            is_new: matches!(folder.try_exists(), Ok(false)),
            is_first: true,
            staged: BTreeMap::new(),
        };
        let trial = folder.join(format!(".staged-trial-{run}"));
        sink.try_out(&trial).map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                let what = format!("output `{output}`: {} is a file, or in one: choose a folder", folder.display());
                PortError::refused(what)
            }
            _ => sink.error("cannot be written to", error),
        })?;
        Ok(sink)
    }

    fn try_out(&self, trial: &Path) -> io::Result<()> {
        make_folder(&self.disk, trial)?;
        self.disk.call(DiskCall::RemoveFolder(trial), || fs::remove_dir(trial))?;
        sync_above(&self.disk, &self.folder)
    }

    fn error(&self, what: &str, error: io::Error) -> PortError {
        let (output, folder, advice) = (&self.output, self.folder.display(), advice(error.kind(), &self.folder));
        PortError::environment(format!("output `{output}`: folder {folder} {what}; {advice}"), error)
    }

    fn staged_folder(&self, time: Timestamp) -> PathBuf {
        self.folder.join(format!(".staged-{:013}-{}", time.millis(), self.run))
    }

    fn final_folder(&self, time: Timestamp) -> PathBuf {
        self.folder.join(format!("batch-{:013}", time.millis()))
    }

    fn write(&self, batch: &SinkBatch<'_>) -> io::Result<bool> {
        let staged = self.staged_folder(batch.time);
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
        if has_rows {
            sync_folder(&self.disk, &staged)?;
        }
        Ok(has_rows)
    }

    fn write_file(&self, path: &Path, schema: &Schema, batches: &[RecordBatch]) -> io::Result<()> {
        let file = self.disk.call(DiskCall::MakeFile(path), || File::create(path))?;
        let mut writer = BufWriter::with_capacity(WRITE_BYTES, DiskWriter { disk: &self.disk, path, file });
        write_rows(&mut writer, self.format, schema, batches)?;
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?.file;
        self.disk.call(DiskCall::SyncFile(path), || file.sync_all())
    }

    fn publish(&self, time: Timestamp) -> io::Result<()> {
        let (staged, place) = (self.staged_folder(time), self.final_folder(time));
        if place.try_exists()? {
            tracing::info!(output = %self.output, path = %place.display(), "the batch is there already; it stays as it is");
            remove(&self.disk, &staged)?;
            // Who made it visible may have been killed before it was durable.
            return sync_folder(&self.disk, &self.folder);
        }
        match self.disk.call(DiskCall::Rename(&staged, &place), || fs::rename(&staged, &place)) {
            // Another run, which this one does not know of yet, was faster; it had the same rows from the same record.
            Err(error) if is_there(&error) => remove(&self.disk, &staged)?,
            renamed => renamed?,
        }
        sync_folder(&self.disk, &self.folder)
    }

    /// Removes what runs that were stopped have staged of this batch and earlier ones: they have been delivered. A run that was
    /// overtaken may be writing there still; what cannot be removed now is removed by a later run.
    fn remove_leftovers(&self, time: Timestamp) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            if name.to_str().and_then(staged_time).is_some_and(|staged| staged <= time) {
                let folder = self.folder.join(name);
                if let Err(error) = remove(&self.disk, &folder) {
                    tracing::warn!("output `{}`: {} is left over: {error}", self.output, folder.display());
                }
            }
        }
        Ok(())
    }
}

impl Sink for FileSink {
    fn stage(&mut self, batch: &SinkBatch<'_>) -> Result<(), PortError> {
        for rows in batch.parts.iter().flatten() {
            value::check(&self.output, batch.schema, rows)?;
        }
        self.is_new = false;
        let has_rows = self.write(batch).map_err(|error| self.error("does not take the batch", error))?;
        self.staged.insert(batch.time, has_rows);
        Ok(())
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        match self.staged.get(&time) {
            Some(true) => self.publish(time).map_err(|error| self.error("does not take the finished batch", error))?,
            Some(false) => {}
            None if self.final_folder(time).exists() => {
                let synced = sync_folder(&self.disk, &self.folder);
                synced.map_err(|error| self.error("does not take the finished batch", error))?;
            }
            None => {
                let output = &self.output;
                return Err(PortError::configuration(format!("output `{output}` has no staged batch of {time}")));
            }
        }
        self.staged.remove(&time);
        if std::mem::take(&mut self.is_first) {
            self.remove_leftovers(time).map_err(|error| self.error("cannot be cleaned", error))?;
        }
        Ok(())
    }

    fn newest(&self) -> Result<Option<Timestamp>, PortError> {
        let entries = fs::read_dir(&self.folder).map_err(|error| self.error("cannot be listed", error))?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        let mut times = names.map(|name| name.map(|name| name.to_str().and_then(batch_time)));
        let newest = times.try_fold(None, |newest: Option<Timestamp>, time| time.map(|time| newest.max(time)));
        newest.map_err(|error| self.error("cannot be listed", error))
    }

    fn is_new(&self) -> bool {
        self.is_new
    }
}

impl Drop for FileSink {
    /// A folder that nothing came to is not left behind: the next run would take it for one that was there.
    fn drop(&mut self) {
        if self.is_new {
            let _ = self.disk.call(DiskCall::RemoveFolder(&self.folder), || fs::remove_dir(&self.folder));
        }
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

/// The time in the name of a delivered batch's folder.
fn batch_time(name: &str) -> Option<Timestamp> {
    let millis: i64 = name.strip_prefix("batch-")?.parse().ok()?;
    millis.checked_mul(1_000).map(Timestamp)
}

/// The time in the name of what a run has staged.
fn staged_time(name: &str) -> Option<Timestamp> {
    let (millis, _) = name.strip_prefix(".staged-")?.split_once('-')?;
    millis.parse::<i64>().ok()?.checked_mul(1_000).map(Timestamp)
}

/// Whether a folder could not be renamed because there is one with files already.
fn is_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty)
}

fn write_rows(file: &mut impl Write, format: FileFormat, schema: &Schema, batches: &[RecordBatch]) -> io::Result<()> {
    let mut line = Vec::new();
    for rows in batches {
        for row in 0..rows.num_rows() {
            line.clear();
            let values = value::row(schema, rows, row);
            match format {
                FileFormat::Jsonl => json::write_row(&values, &mut line),
                FileFormat::Text => write_text(&values, &mut line),
            }
            line.push(b'\n');
            file.write_all(&line)?;
        }
    }
    Ok(())
}

/// Values with tabs between them. Text and bytes stand as they are, a missing value is empty, the rest is as in JSON but
/// without quotes.
fn write_text(row: &[(&str, Value<'_>)], out: &mut Vec<u8>) {
    for (i, (_, value)) in row.iter().enumerate() {
        if i > 0 {
            out.push(b'\t');
        }
        match value {
            Value::Missing => {}
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            Value::Bytes(bytes) => out.extend_from_slice(bytes),
            Value::Timestamp(micros) => out.extend_from_slice(json::timestamp(*micros).as_bytes()),
            Value::Float(value) if !value.is_finite() => out.extend_from_slice(value.to_string().as_bytes()),
            value => json::write_value(value, out),
        }
    }
}
