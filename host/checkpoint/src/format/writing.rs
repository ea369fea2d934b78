//! Files as bytes, on the way out.

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

    /// A section's frame.
    pub fn section(&mut self, section: &Section) -> Result<Vec<u8>, FormatError> {
        let payload = Payload::of(section)?;
        let mut bytes = Vec::with_capacity(frame_bytes(&payload));
        self.frame(&payload, &mut bytes);
        Ok(bytes)
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
        bytes.push(tag);
        bytes.extend_from_slice(&(head_bytes as u32).to_le_bytes());
        bytes.extend_from_slice(&body_bytes.to_le_bytes());
        self.seal(bytes, at);
    }

    /// Adds the checksum, which from here on covers what stands from `at` on.
    fn seal(&mut self, bytes: &mut Vec<u8>, at: usize) {
        self.checksum = crc32c::crc32c_append(self.checksum, &bytes[at..]);
        bytes.extend_from_slice(&self.checksum.to_le_bytes());
    }
}

/// A file whose length stands in its beginning.
pub(crate) fn whole_file<T: Serialize>(
    kind: FileKind,
    header: &T,
    sections: &[Section],
) -> Result<Vec<u8>, FormatError> {
    let payloads: Vec<Payload> = sections.iter().map(Payload::of).collect::<Result<_, _>>()?;
    let body_bytes = payloads.iter().map(frame_bytes).sum::<usize>() + FRAME_HEAD_BYTES;
    let (mut writer, mut bytes) = FileWriter::begin(kind, header, body_bytes as u64)?;
    bytes.reserve_exact(body_bytes);
    for payload in &payloads {
        writer.frame(payload, &mut bytes);
    }
    bytes.extend_from_slice(&writer.end());
    Ok(bytes)
}

fn frame_bytes(payload: &Payload) -> usize {
    FRAME_HEAD_BYTES + payload.head.len() + payload.body.len() + CHECKSUM_BYTES
}
