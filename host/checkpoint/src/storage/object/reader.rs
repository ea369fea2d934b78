//! Reading a file piece by piece, with the next pieces under way.

use std::{
    collections::VecDeque,
    io::{self, Read},
};

use bytes::{Buf, Bytes};

use super::{
    calls::Got,
    index::Index,
    layout::{self, Object},
    objects::{Answer, GETS_MAX, Head, Objects, READ_BYTES},
};
use crate::storage::StorageError;

/// A range of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    name: String,
    at: u64,
    /// How long it must be.
    bytes: u64,
}

/// A file from its beginning. Where an object is missing or too short the file ends, so that whoever reads it finds it
/// damaged; unless the file was removed while it was read.
pub(super) struct ObjectReader {
    objects: Objects,
    file: String,
    /// What was read and not handed on.
    bytes: Bytes,
    /// What is under way, in order.
    in_flight: VecDeque<(Answer<Option<Got>>, Piece)>,
    /// Its length.
    in_flight_bytes: u64,
    /// What is to be read then: objects from a byte on, up to another.
    rest: VecDeque<Piece>,
}

impl ObjectReader {
    /// Begins with what a file's object has; `may_grow`: parts may have been appended to it.
    pub fn open(objects: &Objects, file: &str, may_grow: bool) -> Result<ObjectReader, StorageError> {
        ObjectReader::of(objects, file, objects.head(file, READ_BYTES)?, may_grow)
    }

    /// The same, the beginning read already.
    pub fn of(objects: &Objects, file: &str, head: Head, may_grow: bool) -> Result<ObjectReader, StorageError> {
        ObjectReader::up_to(objects, file, head, may_grow, u64::MAX)
    }

    /// The same, of which no more than about so many bytes are asked for.
    pub fn up_to(
        objects: &Objects,
        file: &str,
        head: Head,
        may_grow: bool,
        bytes_max: u64,
    ) -> Result<ObjectReader, StorageError> {
        let mut rest = VecDeque::new();
        let bytes = match head {
            Head::Index(index) => {
                rest.extend(parts(file, &index));
                Bytes::new()
            }
            Head::Content(Got { bytes, size }) => {
                let at = bytes.len() as u64;
                rest.push_back(Piece { name: file.to_owned(), at, bytes: size.saturating_sub(at) });
                if may_grow {
                    rest.extend(appended(objects, file, size)?);
                }
                bytes
            }
        };
        let mut left = bytes_max.saturating_sub(bytes.len() as u64);
        for piece in &mut rest {
            piece.bytes = piece.bytes.min(left);
            left -= piece.bytes;
        }
        let in_flight = VecDeque::new();
        let (objects, file) = (objects.clone(), file.to_owned());
        let mut reader = ObjectReader { objects, file, bytes, in_flight, in_flight_bytes: 0, rest };
        reader.begin_next();
        Ok(reader)
    }

    /// Asks for the next pieces: several, where they are short.
    fn begin_next(&mut self) {
        while let Some(piece) = self.rest.front_mut() {
            if self.in_flight.len() >= GETS_MAX || self.in_flight_bytes >= READ_BYTES {
                return;
            }
            let bytes = piece.bytes.min(READ_BYTES);
            let next = Piece { bytes, ..piece.clone() };
            piece.at += bytes;
            piece.bytes -= bytes;
            if piece.bytes == 0 {
                self.rest.pop_front();
            }
            if bytes > 0 {
                let answer = self.objects.begin_get(&next.name, next.at..next.at + bytes);
                self.in_flight.push_back((answer, next));
                self.in_flight_bytes += bytes;
            }
        }
    }

    /// Waits for the piece that is under way; `false`: there is none.
    fn advance(&mut self) -> Result<bool, io::Error> {
        let Some((answer, piece)) = self.in_flight.pop_front() else { return Ok(false) };
        self.in_flight_bytes -= piece.bytes;
        let got = self.objects.wait("read", &piece.name, answer).map_err(io::Error::other)?;
        self.bytes = got.map(|got| got.bytes).unwrap_or_default();
        if self.bytes.len() as u64 == piece.bytes {
            self.begin_next();
            return Ok(true);
        }
        self.in_flight.clear();
        self.rest.clear();
        if self.objects.size(&self.file).map_err(io::Error::other)?.is_none() {
            let what = format!("{} was removed meanwhile", self.objects.shown(&self.file));
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
        Ok(!self.bytes.is_empty())
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.bytes.is_empty() {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let bytes = buffer.len().min(self.bytes.len());
        self.bytes.copy_to_slice(&mut buffer[..bytes]);
        Ok(bytes)
    }
}

fn parts(file: &str, index: &Index) -> impl Iterator<Item = Piece> {
    index.lengths.iter().zip(0..).map(|(&bytes, number)| {
        let name = layout::part_name(file, &index.draft, number);
        Piece { name, at: 0, bytes }
    })
}

fn appended(objects: &Objects, file: &str, beginning_bytes: u64) -> Result<Vec<Piece>, StorageError> {
    let counted = counted(objects, file, beginning_bytes)?;
    Ok(counted
        .into_iter()
        .map(|(offset, bytes)| Piece { name: layout::appended_name(file, offset), at: 0, bytes })
        .collect())
}

/// Offsets and lengths of what was appended to a file and counts.
pub(super) fn counted(objects: &Objects, file: &str, beginning_bytes: u64) -> Result<Vec<(u64, u64)>, StorageError> {
    // As if it were called so: a file's own name has a `/`, which the layout knows nothing of.
    const FILE: &str = "file";
    let below = objects.list(file)?.into_iter();
    let own = below.map(|object| Object { name: format!("{FILE}/{}", object.name), ..object });
    Ok(layout::files(own).remove(FILE).unwrap_or_default().counted(beginning_bytes))
}
