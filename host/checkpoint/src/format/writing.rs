//! Files as bytes, on the way out.

use arrow_array::RecordBatch;
use serde::Serialize;

use super::{FileKind, FormatError, MAGIC, PROLOGUE_BYTES, Section, VERSION, encode, section::Payload};

/// Tags of frames.
pub(super) const SECTION: u8 = 1;
pub(super) const END: u8 = 2;
/// A frame's tag and lengths, with their checksum.
pub(super) const FRAME_HEAD_BYTES: usize = 1 + 4 + 8 + 4;
/// A checksum.
pub(super) const CHECKSUM_BYTES: usize = 4;

/// Writes a file part by part: the header first, then sections, then the end.
pub(crate) struct FileWriter {
    /// Of everything so far, checksums left out.
    checksum: u32,
    sections: u64,
}

impl FileWriter {
    /// A file's beginning. `body_bytes` is the length of what follows, 0 if that is not known.
    pub fn begin<T: Serialize>(
        kind: FileKind,
        header: &T,
        body_bytes: u64,
    ) -> Result<(FileWriter, Vec<u8>), FormatError> {
        let header = encode(header)?;
        let mut bytes = Vec::with_capacity(PROLOGUE_BYTES + header.len() + CHECKSUM_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[kind as u8, 0]);
        // The codec holds headers to a limit far below 4 GiB.
        bytes.extend_from_slice(&(header.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&body_bytes.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let mut writer = FileWriter { checksum: 0, sections: 0 };
        writer.seal(&mut bytes, 0);
        let at = bytes.len();
        bytes.extend_from_slice(&header);
        writer.seal(&mut bytes, at);
        Ok((writer, bytes))
    }

    /// The frames of a section, one by one.
    pub fn section<'a>(&'a mut self, section: &'a Section) -> impl Iterator<Item = Result<Vec<u8>, FormatError>> + 'a {
        Payload::all_of(section).map(|payload| {
            let payload = payload?;
            let mut bytes = Vec::with_capacity(frame_bytes(&payload));
            self.frame(&payload, &mut bytes);
            Ok(bytes)
        })
    }

    /// The end frame.
    pub fn end(mut self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FRAME_HEAD_BYTES);
        self.frame_head(END, 0, self.sections, &mut bytes);
        bytes
    }

    fn frame(&mut self, payload: &Payload, bytes: &mut Vec<u8>) {
        self.frame_head(SECTION, payload.head.len(), payload.body.len() as u64, bytes);
        let at = bytes.len();
        bytes.extend_from_slice(&payload.head);
        bytes.extend_from_slice(&payload.body);
        self.seal(bytes, at);
        self.sections += 1;
    }

    fn frame_head(&mut self, tag: u8, head_bytes: usize, body_bytes: u64, bytes: &mut Vec<u8>) {
        let at = bytes.len();
        push_frame_head(tag, head_bytes, body_bytes, bytes);
        self.seal(bytes, at);
    }

    /// Adds the checksum, which from here on covers what stands from `at` on.
    fn seal(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let checksum = self.covers(&bytes[at..]);
        bytes.extend_from_slice(&checksum);
    }

    /// The checksum, which from here on covers these bytes.
    fn covers(&mut self, bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        self.checksum.to_le_bytes()
    }
}

/// A file whose length stands in its beginning.
///
/// The length is known when all sections are there, and every checksum covers it. So what is checked is written first, with room
/// for the checksums, and they are filled in at last: of all sections only the bytes of the file are held, and of one its own.
pub(crate) fn whole_file<T: Serialize>(
    kind: FileKind,
    header: &T,
    sections: &[Section],
) -> Result<Vec<u8>, FormatError> {
    let (_, mut bytes) = FileWriter::begin(kind, header, 0)?;
    let begin = bytes.len();
    // About so many: bytes that grow little by little are held twice, whenever they move.
    let batches = sections.iter().flat_map(|section| &section.batches);
    bytes.reserve(batches.map(RecordBatch::get_array_memory_size).sum());
    let mut unsealed = Vec::new();
    let mut frames = 0;
    let mut room_for_checksum = |bytes: &mut Vec<u8>, at: usize| {
        unsealed.push(at..bytes.len());
        bytes.extend_from_slice(&[0; CHECKSUM_BYTES]);
    };
    for payload in sections.iter().flat_map(Payload::all_of) {
        let payload = payload?;
        frames += 1;
        bytes.reserve(frame_bytes(&payload) + FRAME_HEAD_BYTES);
        let at = bytes.len();
        push_frame_head(SECTION, payload.head.len(), payload.body.len() as u64, &mut bytes);
        room_for_checksum(&mut bytes, at);
        let at = bytes.len();
        bytes.extend_from_slice(&payload.head);
        bytes.extend_from_slice(&payload.body);
        room_for_checksum(&mut bytes, at);
    }
    let at = bytes.len();
    push_frame_head(END, 0, frames, &mut bytes);
    room_for_checksum(&mut bytes, at);
    let (mut writer, beginning) = FileWriter::begin(kind, header, (bytes.len() - begin) as u64)?;
    bytes[..begin].copy_from_slice(&beginning);
    for checked in unsealed {
        let checksum = writer.covers(&bytes[checked.clone()]);
        bytes[checked.end..checked.end + CHECKSUM_BYTES].copy_from_slice(&checksum);
    }
    Ok(bytes)
}

fn push_frame_head(tag: u8, head_bytes: usize, body_bytes: u64, bytes: &mut Vec<u8>) {
    bytes.push(tag);
    bytes.extend_from_slice(&(head_bytes as u32).to_le_bytes());
    bytes.extend_from_slice(&body_bytes.to_le_bytes());
}

fn frame_bytes(payload: &Payload) -> usize {
    FRAME_HEAD_BYTES + payload.head.len() + payload.body.len() + CHECKSUM_BYTES
}
