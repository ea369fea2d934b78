//! A file that is written in parts: they are put while it is written, and count when an index names them.

use super::{calls::Put, in_flight::InFlight, index::Index, layout, objects::Objects};
use crate::storage::{Draft, StorageError};

/// How long parts get, before the next one is begun.
pub(super) const PART_BYTES: usize = 8 << 20;

/// The parts of a file that has no name yet.
pub(super) struct ObjectDraft {
    objects: Objects,
    file: String,
    /// No other draft's.
    id: String,
    part_bytes: usize,
    buffer: Vec<u8>,
    lengths: Vec<u64>,
    in_flight: InFlight,
    /// Whether an index may name the parts: then they stay.
    may_be_named: bool,
}

impl ObjectDraft {
    pub fn new(objects: &Objects, file: &str, id: String, part_bytes: usize) -> ObjectDraft {
        ObjectDraft {
            objects: objects.clone(),
            file: file.to_owned(),
            id,
            part_bytes,
            buffer: Vec::new(),
            lengths: Vec::new(),
            in_flight: InFlight::new(objects, "write"),
            may_be_named: false,
        }
    }

    /// Adds bytes, and puts what makes a part.
    pub fn add(&mut self, mut bytes: &[u8]) -> Result<(), StorageError> {
        while self.buffer.len() + bytes.len() >= self.part_bytes {
            let (first, rest) = bytes.split_at(self.part_bytes - self.buffer.len());
            self.buffer.extend_from_slice(first);
            self.put_part()?;
            bytes = rest;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Makes the file appear. `false`: its name is taken.
    pub fn finish(&mut self) -> Result<bool, StorageError> {
        if self.lengths.is_empty() && !Index::is_meant(&self.buffer) {
            let content = std::mem::take(&mut self.buffer);
            return Ok(self.objects.put(&self.file, content.into())? == Put::Ours);
        }
        if !self.buffer.is_empty() {
            self.put_part()?;
        }
        self.in_flight.wait_for_all()?;
        let index = Index { draft: self.id.clone(), lengths: self.lengths.clone() };
        // From here on it may be there whatever the answer is, and however late it comes.
        self.may_be_named = true;
        let put = self.objects.put(&self.file, index.encode().into())?;
        self.may_be_named = put == Put::Ours;
        Ok(self.may_be_named)
    }

    fn put_part(&mut self) -> Result<(), StorageError> {
        let part = std::mem::take(&mut self.buffer);
        let name = layout::part_name(&self.file, &self.id, self.lengths.len() as u32);
        self.lengths.push(part.len() as u64);
        self.in_flight.put(name, part)
    }
}

impl Draft for ObjectDraft {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.add(bytes)
    }

    fn publish(mut self: Box<Self>) -> Result<(), StorageError> {
        if self.finish()? { Ok(()) } else { Err(self.objects.exists_already(&self.file)) }
    }
}

impl Drop for ObjectDraft {
    fn drop(&mut self) {
        if !self.may_be_named && !self.lengths.is_empty() {
            let names: Vec<String> =
                (0..self.lengths.len() as u32).map(|number| layout::part_name(&self.file, &self.id, number)).collect();
            // Nobody waits: what is left, also of parts on their way, is swept at the next opening.
            drop(self.objects.begin_delete(&names));
        }
    }
}
