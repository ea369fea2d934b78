//! Lines of files: one file, or those that appear in a folder.

mod folder;
mod listing;
mod reading;
#[cfg(test)]
mod tests;

use std::{fs, path::PathBuf};

use arrow_schema::SchemaRef;
use tidemill_model::{
    connector::FilesSource,
    ports::{Chunk, Irregularity, PortError, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};

use crate::{
    ConnectorSettings,
    connectors::resolve,
    text::{self, CHUNK_BYTES},
};
use folder::FolderLines;
use reading::Reading;

/// Bytes that are read before any are taken.
const AHEAD_BYTES_MAX: usize = 4 << 20;

/// Opens the file or the folder.
pub(crate) fn open_files(
    stream: &str,
    spec: &FilesSource,
    settings: &ConnectorSettings,
) -> Result<Box<dyn Source>, PortError> {
    text::check_options(stream, &spec.text)?;
    let path = resolve(&settings.folder, &spec.path);
    let shown = path.display();
    let about = fs::metadata(&path).map_err(|error| {
        let what = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file or folder",
            _ => "it cannot be looked at",
        };
        PortError::environment(format!("stream `{stream}` reads {shown}: {what}"), error)
    })?;
    if about.is_dir() {
        return Ok(Box::new(FolderLines::open(stream, spec, path, settings)?));
    }
    if !about.is_file() {
        return Err(PortError::configuration(format!(
            "stream `{stream}` reads {shown}: that is no file and no folder"
        )));
    }
    Ok(Box::new(FileLines::open(stream, spec, path, about.len())?))
}

/// All lines of a file, in the first batch.
#[derive(Debug)]
struct FileLines {
    lines: Lines,
    sealed: bool,
}

/// Lines of files that are being read, as rows.
#[derive(Debug)]
struct Lines {
    spec: FilesSource,
    schema: Schema,
    arrow: SchemaRef,
    reading: Reading,
}

// === impl FileLines ===

impl FileLines {
    fn open(stream: &str, spec: &FilesSource, path: PathBuf, len: u64) -> Result<FileLines, PortError> {
        let shown = path.display().to_string();
        let file = fs::File::open(&path).map_err(|error| {
            PortError::environment(format!("stream `{stream}` cannot read {shown}: see its permissions"), error)
        })?;
        let mut reading = Reading::new(stream, &spec.text);
        reading.begin(path, file, len);
        Ok(FileLines { lines: Lines::new(spec, reading), sealed: false })
    }
}

impl Source for FileLines {
    fn schema(&self) -> &Schema {
        &self.lines.schema
    }

    fn take(&mut self, bytes_max: usize) -> Result<Taken, PortError> {
        self.lines.take(bytes_max, &mut self.sealed)
    }

    fn seal(&mut self, _at: Timestamp) -> Result<Sealed, PortError> {
        self.sealed = true;
        Ok(Sealed { present: true, last: true })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        self.lines.irregularities()
    }

    fn stop(&mut self) {
        self.lines.reading.stop();
    }
}

// === impl Lines ===

impl Lines {
    fn new(spec: &FilesSource, reading: Reading) -> Lines {
        let schema = text::schema();
        Lines { spec: spec.clone(), arrow: schema.to_arrow(), schema, reading }
    }

    /// Reads a little and takes what is complete. A batch that is `sealed` ends with the last file.
    fn take(&mut self, bytes_max: usize, sealed: &mut bool) -> Result<Taken, PortError> {
        let done = self.reading.read(bytes_max.min(AHEAD_BYTES_MAX).saturating_add(CHUNK_BYTES))?;
        if done && std::mem::take(sealed) {
            self.reading.lines.seal(u64::MAX);
        }
        let taken = self.reading.lines.take(bytes_max);
        let rows = |lines| Chunk { partition: None, rows: text::rows(&self.arrow, lines) };
        Ok(Taken { chunks: taken.chunks.into_iter().map(rows).collect(), bytes: taken.bytes, end: taken.end })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        let mut told = self.reading.lines.irregular.drain(&self.spec.text);
        let count = std::mem::take(&mut self.reading.unreadable);
        if count > 0 {
            let what = "files that could not be opened, passed over".to_owned();
            told.push(Irregularity { what, count, is_rejected: false });
        }
        told
    }
}
