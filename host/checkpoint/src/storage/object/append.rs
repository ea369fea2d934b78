//! Growing a file: what was appended since the last sync becomes its next object.

use super::{in_flight::InFlight, layout, objects::Objects, reader};
use crate::storage::{Appender, StorageError, SyncWork};

/// With so many parts a file takes a second or two to be read.
const PARTS_MAX: usize = 1_000;

/// The end of a file.
pub(super) struct ObjectAppender {
    file: String,
    part_bytes: usize,
    /// How many parts the file has behind its beginning.
    parts: usize,
    /// Where the buffer begins.
    at: u64,
    buffer: Vec<u8>,
    in_flight: InFlight,
}

impl ObjectAppender {
    /// Looks for the end of a file.
    pub fn open(objects: &Objects, file: &str, part_bytes: usize) -> Result<ObjectAppender, StorageError> {
        let beginning_bytes = objects.size(file)?.ok_or_else(|| objects.missing(file))?;
        let counted = reader::counted(objects, file, beginning_bytes)?;
        Ok(ObjectAppender {
            file: file.to_owned(),
            part_bytes,
            parts: counted.len(),
            at: beginning_bytes + counted.iter().map(|(_, bytes)| bytes).sum::<u64>(),
            buffer: Vec::new(),
            in_flight: InFlight::new(objects, "append to"),
        })
    }

    fn put_part(&mut self) -> Result<(), StorageError> {
        let part = std::mem::take(&mut self.buffer);
        let name = layout::appended_name(&self.file, self.at);
        self.at += part.len() as u64;
        self.parts += 1;
        self.in_flight.put(name, part)
    }
}

impl Appender for ObjectAppender {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.buffer.extend_from_slice(bytes);
        // A part ends where what was appended at once does.
        if self.buffer.len() >= self.part_bytes { self.put_part() } else { Ok(()) }
    }

    fn is_full(&self) -> bool {
        self.parts >= PARTS_MAX
    }

    fn begin_sync(&mut self) -> Result<SyncWork, StorageError> {
        if !self.buffer.is_empty() {
            self.put_part()?;
        }
        let mut begun = self.in_flight.split();
        Ok(Box::new(move || begun.wait_for_all()))
    }
}
