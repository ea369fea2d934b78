//! Growing a file: what was appended since the last sync becomes its next object.

use std::collections::VecDeque;

use super::{
    calls::Put,
    draft::IN_FLIGHT_MAX,
    layout,
    objects::{Answer, Objects},
    reader,
};
use crate::storage::{Appender, StorageError};

/// With so many parts a file takes a second or two to be read.
const PARTS_MAX: usize = 1_000;

/// The end of a file.
pub(super) struct ObjectAppender {
    objects: Objects,
    file: String,
    part_bytes: usize,
    /// How many parts the file has behind its beginning.
    parts: usize,
    /// Where the buffer begins.
    at: u64,
    buffer: Vec<u8>,
    in_flight: VecDeque<(String, Answer<Put>)>,
}

impl ObjectAppender {
    /// Looks for the end of a file.
    pub fn open(objects: &Objects, file: &str, part_bytes: usize) -> Result<ObjectAppender, StorageError> {
        let beginning_bytes = objects.size(file)?.ok_or_else(|| objects.missing(file))?;
        let counted = reader::counted(objects, file, beginning_bytes)?;
        Ok(ObjectAppender {
            objects: objects.clone(),
            file: file.to_owned(),
            part_bytes,
            parts: counted.len(),
            at: beginning_bytes + counted.iter().map(|(_, bytes)| bytes).sum::<u64>(),
            buffer: Vec::new(),
            in_flight: VecDeque::new(),
        })
    }

    fn put_part(&mut self) -> Result<(), StorageError> {
        while self.in_flight.len() >= IN_FLIGHT_MAX {
            self.wait_for_one()?;
        }
        let part = std::mem::take(&mut self.buffer);
        let name = layout::appended_name(&self.file, self.at);
        self.at += part.len() as u64;
        self.parts += 1;
        let answer = self.objects.begin_put(&name, part.into());
        self.in_flight.push_back((name, answer));
        Ok(())
    }

    fn wait_for_one(&mut self) -> Result<(), StorageError> {
        let Some((name, answer)) = self.in_flight.pop_front() else { return Ok(()) };
        match self.objects.wait("append to", &name, answer)? {
            Put::Ours => Ok(()),
            // Somebody else grows the file, or had grown it and it was not seen.
            Put::Taken => Err(self.objects.exists_already(&name)),
        }
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

    fn sync(&mut self) -> Result<(), StorageError> {
        if !self.buffer.is_empty() {
            self.put_part()?;
        }
        while !self.in_flight.is_empty() {
            self.wait_for_one()?;
        }
        Ok(())
    }
}
