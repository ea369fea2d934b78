//! Lines of files: one file, or those that appear in a folder.

mod current;
mod facts;
mod folder;
mod listing;
mod memory;
mod noted;
mod pin;
#[cfg(test)]
mod race_tests;
mod reading;
#[cfg(test)]
mod repeat_tests;
mod scan;
mod settings;
mod single;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod watch;

use std::{fs, io};

use arrow_schema::SchemaRef;
use tidemill_model::{
    connector::World,
    ports::{Chunk, Irregularity, PortError, Source, Taken},
    schema::Schema,
    text::by_count,
};

use crate::text::{self, CHUNK_BYTES};
use folder::FolderLines;
use reading::Reading;
pub use settings::{FILES, FilesSource};
use single::FileLines;

/// Bytes that are read before any are taken.
const AHEAD_BYTES_MAX: usize = 4 << 20;

/// Opens the file or the folder.
pub(crate) fn open_files(stream: &str, spec: &FilesSource, world: &World) -> Result<Box<dyn Source>, PortError> {
    text::check_options(stream, &spec.text)?;
    let path = world.folder.join(&spec.path);
    let shown = path.display();
    let about = fs::metadata(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            PortError::refused(format!("stream `{stream}` reads {shown}: there is no such file or folder"))
        }
        _ => PortError::environment(format!("stream `{stream}` reads {shown}: it cannot be looked at"), error),
    })?;
    if about.is_dir() {
        return Ok(Box::new(FolderLines::open(stream, spec, path, world)?));
    }
    if !about.is_file() {
        return Err(PortError::configuration(format!(
            "stream `{stream}` reads {shown}: that is no file and no folder"
        )));
    }
    Ok(Box::new(FileLines::open(stream, spec, path)?))
}

/// Lines of files that are being read, as rows.
#[derive(Debug)]
struct Lines {
    spec: FilesSource,
    schema: Schema,
    arrow: SchemaRef,
    reading: Reading,
}

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
            let files = by_count(count, "file", "files");
            let what = format!("{files} that could not be opened, passed over");
            told.push(Irregularity { what, count, is_rejected: false });
        }
        told
    }
}
