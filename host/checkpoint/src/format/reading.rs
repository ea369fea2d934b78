//! Files as bytes, on the way in. Nothing is believed before its checksum, and memory is taken as bytes arrive.

use std::io::Read;

use super::{
    FileKind, FormatError, HEADER_BYTES_MAX, Header, MAGIC, PROLOGUE_BYTES, SECTION_BYTES_MAX, Section, VERSION,
    section::Payload,
    writing::{CHECKSUM_BYTES, END, SECTION},
};

/// How much is reserved for bytes that are announced and not there yet.
const RESERVED_BYTES_MAX: u64 = 1 << 20;

/// A file's beginning.
pub(crate) struct Prefix<T> {
    pub header: T,
    /// Its bytes, checksum included.
    pub bytes: u64,
    /// The length of the whole file, if its beginning says it.
    pub file_bytes: Option<u64>,
}

/// Reads a file from its beginning.
pub(crate) struct FileReader<R> {
    input: R,
    /// Of the format.
    version: u16,
    /// Of everything so far, checksums left out.
    checksum: u32,
    at: u64,
    sections: u64,
    is_at_end: bool,
}

/// The beginning of a file, given by its first bytes, or as many of them as it needs.
pub(crate) fn read_prefix<T: Header>(bytes: &[u8], kind: FileKind) -> Result<Prefix<T>, FormatError> {
    FileReader::begin(bytes, kind).map(|(_, prefix)| prefix)
}

/// How many bytes a file's header ends behind, as its first bytes say; `None` if that is not to be had of them.
pub(crate) fn prefix_bytes(bytes: &[u8]) -> Option<usize> {
    let mut reader = FileReader::new(bytes);
    let header_bytes = u32_at(&reader.prologue().ok()?, 12) as usize;
    (header_bytes <= HEADER_BYTES_MAX).then_some(PROLOGUE_BYTES + header_bytes + CHECKSUM_BYTES)
}

// === impl FileReader ===

impl<R: Read> FileReader<R> {
    fn new(input: R) -> FileReader<R> {
        FileReader { input, version: VERSION, checksum: 0, at: 0, sections: 0, is_at_end: false }
    }

    /// Reads the beginning.
    pub fn begin<T: Header>(input: R, kind: FileKind) -> Result<(FileReader<R>, Prefix<T>), FormatError> {
        let mut reader = FileReader::new(input);
        let prologue = reader.prologue()?;
        let version = u16::from_le_bytes([prologue[8], prologue[9]]);
        if version > VERSION {
            return Err(FormatError::Newer { version });
        }
        if prologue[10] != kind as u8 || version == 0 {
            return Err(FormatError::damaged("a file of another kind", 10));
        }
        let header_bytes = u64::from(u32_at(&prologue, 12));
        let body_bytes = u64_at(&prologue, 16);
        let at = reader.at;
        let header = reader.checked(header_bytes, HEADER_BYTES_MAX as u64, "the header")?;
        let header = T::read(&header, at, version)?;
        reader.version = version;
        let bytes = reader.at;
        let file_bytes = (body_bytes > 0).then(|| bytes.saturating_add(body_bytes));
        Ok((reader, Prefix { header, bytes, file_bytes }))
    }

    /// What follows the part that was read.
    pub fn into_input(self) -> R {
        self.input
    }

    /// The fixed beginning, which has this form in every version.
    fn prologue(&mut self) -> Result<Vec<u8>, FormatError> {
        let bytes = self.take(PROLOGUE_BYTES as u64)?;
        if !bytes.is_empty() && bytes.iter().all(|&byte| byte == 0) {
            return Err(FormatError::damaged("zeros, as where a write was lost,", 0));
        }
        if bytes.len() < PROLOGUE_BYTES {
            let is_ours = MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]);
            return if is_ours { Err(self.ends_within("its beginning")) } else { Err(FormatError::NotOurs) };
        }
        let end = PROLOGUE_BYTES - CHECKSUM_BYTES;
        self.checksum = crc32c::crc32c_append(crc32c::crc32c(&MAGIC), &bytes[MAGIC.len()..end]);
        match (bytes.starts_with(&MAGIC), u32_at(&bytes, end) == self.checksum) {
            (true, true) => Ok(bytes),
            (true, false) => Err(FormatError::damaged("the checksum of its beginning", end as u64)),
            // All the rest is right: it was the magic that was damaged.
            (false, true) => Err(FormatError::damaged("its first bytes", 0)),
            (false, false) => Err(FormatError::NotOurs),
        }
    }

    /// The next section; `None` after the last one, when the end has been checked.
    pub fn next(&mut self) -> Result<Option<Section>, FormatError> {
        let at = self.at;
        self.next_payload()?.map(|payload| payload.into_section(at, self.version)).transpose()
    }

    /// Reads to the end and checks every byte, without making rows of them.
    pub fn verify(&mut self) -> Result<(), FormatError> {
        while self.next_payload()?.is_some() {}
        Ok(())
    }

    /// Compares the whole file, which has been read to its end, with what is known of it from elsewhere.
    pub fn check_all(&self, bytes: u64, checksum: u32) -> Result<(), FormatError> {
        if (self.at, self.checksum) == (bytes, checksum) {
            return Ok(());
        }
        Err(FormatError::damaged("it is whole, and another one than was written:", self.at))
    }

    fn next_payload(&mut self) -> Result<Option<Payload>, FormatError> {
        if self.is_at_end {
            return Ok(None);
        }
        let at = self.at;
        let frame = self.checked(13, 13, "the head of a section")?;
        let (head_bytes, body_bytes) = (u64::from(u32_at(&frame, 1)), u64_at(&frame, 5));
        match frame[0] {
            SECTION => {}
            END if head_bytes == 0 && body_bytes == self.sections => return self.end(),
            _ => return Err(FormatError::damaged("a frame of an unknown kind", at)),
        }
        if head_bytes > HEADER_BYTES_MAX as u64 || body_bytes > SECTION_BYTES_MAX {
            return Err(FormatError::damaged("the length of a section", at));
        }
        self.sections += 1;
        let head = self.covered(head_bytes, "a section")?;
        let body = self.covered(body_bytes, "a section")?;
        self.check("a section")?;
        Ok(Some(Payload { head, body }))
    }

    fn end(&mut self) -> Result<Option<Payload>, FormatError> {
        let at = self.at;
        if !self.take(1)?.is_empty() {
            return Err(FormatError::damaged("bytes after the end", at));
        }
        self.is_at_end = true;
        Ok(None)
    }

    /// `length` bytes, and their checksum.
    fn checked(&mut self, length: u64, length_max: u64, what: &'static str) -> Result<Vec<u8>, FormatError> {
        if length > length_max {
            return Err(FormatError::damaged(format!("the length of {what}"), self.at));
        }
        let bytes = self.covered(length, what)?;
        self.check(what)?;
        Ok(bytes)
    }

    /// `length` bytes that the next checksum covers.
    fn covered(&mut self, length: u64, what: &'static str) -> Result<Vec<u8>, FormatError> {
        let bytes = self.take(length)?;
        if (bytes.len() as u64) < length {
            return Err(self.ends_within(what));
        }
        self.checksum = crc32c::crc32c_append(self.checksum, &bytes);
        Ok(bytes)
    }

    /// The checksum of everything so far.
    fn check(&mut self, what: &'static str) -> Result<(), FormatError> {
        let at = self.at;
        let bytes = self.take(CHECKSUM_BYTES as u64)?;
        if bytes.len() < CHECKSUM_BYTES {
            return Err(self.ends_within(what));
        }
        if u32_at(&bytes, 0) != self.checksum {
            return Err(FormatError::damaged(format!("the checksum of {what}"), at));
        }
        Ok(())
    }

    /// `length` bytes, or fewer at the end of the file.
    fn take(&mut self, length: u64) -> Result<Vec<u8>, FormatError> {
        let mut bytes = Vec::with_capacity(length.min(RESERVED_BYTES_MAX) as usize);
        self.input.by_ref().take(length).read_to_end(&mut bytes)?;
        self.at += bytes.len() as u64;
        Ok(bytes)
    }

    fn ends_within(&self, what: &'static str) -> FormatError {
        FormatError::Truncated { what, at: self.at }
    }
}

#[cfg(test)]
mod tests;

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
