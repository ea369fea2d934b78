//! What a checkpoint's files look like, byte by byte. All numbers are little-endian.
//!
//! | bytes | what |
//! |--|--|
//! | 8 | magic |
//! | 2 | version of the format |
//! | 1 | kind: 1 record, 2 snapshot, 3 input segment, 4 outbox |
//! | 1 | zero |
//! | 4 | length of the header |
//! | 8 | length of all that follows the header's checksum; 0: not known, up to the end frame (or without end: input) |
//! | 4 | zero |
//! | 4 | checksum |
//! | n | header, in the codec's form |
//! | 4 | checksum |
//!
//! Then frames, each with a tag (1: section, 2: end), two lengths (4 and 8 bytes), their checksum, the section's head in the
//! codec's form, its rows as an Arrow IPC stream, and the checksum of both. The end frame's second length is the number of
//! sections. Every checksum is the CRC32C of all bytes from the file's beginning on, earlier checksums left out: a frame
//! that belongs to another file or place is found out. Lengths are believed only after their checksum.
//!
//! Input segments have frames of their own, see the module `input`.
//!
//! Version 1 differs in the header of commits and in the heads of sections. It is read, and never written: a host that takes a
//! checkpoint of version 1 over adds records of version 2 to it.

mod codec;
mod header;
mod ipc;
mod reading;
mod section;
mod writing;

pub(crate) use codec::{decode, encode};
pub(crate) use header::Header;
pub(crate) use ipc::{append_batches, decode_batches, encode_batches};
pub(crate) use reading::{FileReader, prefix_bytes, read_prefix};
pub use section::{Section, SectionKind};
pub(crate) use writing::{FileWriter, whole_file};

/// Begins every file. The first byte is no text, and the line ends show a copy that changed them.
pub(crate) const MAGIC: [u8; 8] = *b"\x89TIDE\r\n\x1a";
/// The version that is written, and the highest that is read.
pub const VERSION: u16 = 2;
/// Bytes before the header.
pub(crate) const PROLOGUE_BYTES: usize = 32;
/// The longest header and section head: a record's pins and schemas stand there.
pub const HEADER_BYTES_MAX: usize = 16 << 20;
/// The most rows of one section, in bytes.
pub const SECTION_BYTES_MAX: u64 = 4 << 30;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FileKind {
    /// A record of the log.
    Record = 1,
    /// A snapshot of the state.
    Snapshot = 2,
    /// A segment of the input log.
    Input = 3,
    /// Rows of a batch for sinks.
    Outbox = 4,
}

/// A file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It does not begin as a checkpoint's files do. Where others do, in the same log, it is one of them that was damaged.
    #[error("it is not a file of a Tidemill checkpoint")]
    NotOurs,
    /// A later Tidemill wrote it.
    #[error("it has format version {version}, and this program reads versions up to {VERSION}; use the newer Tidemill")]
    Newer {
        /// Its version.
        version: u16,
    },
    /// Its bytes are not those that were written.
    #[error("it is damaged: {what} at byte {at}")]
    Damaged {
        /// What is wrong.
        what: String,
        /// Where, from the beginning of the file.
        at: u64,
    },
    /// It ends too early.
    #[error("it is damaged: it ends at byte {at}, within {what}")]
    Truncated {
        /// Within what.
        what: &'static str,
        /// Its length.
        at: u64,
    },
    /// The system would not give its bytes.
    #[error("it cannot be read")]
    Unreadable(#[from] std::io::Error),
    /// What was to be written is beyond a limit, or contradicts itself.
    #[error("cannot write it: {what}")]
    Unwritable {
        /// What is wrong.
        what: String,
    },
}

impl FormatError {
    /// Whether the bytes are not those that were written: what falling back is for.
    pub fn is_damage(&self) -> bool {
        matches!(self, FormatError::NotOurs | FormatError::Damaged { .. } | FormatError::Truncated { .. })
    }

    pub(crate) fn damaged(what: impl Into<String>, at: u64) -> FormatError {
        FormatError::Damaged { what: what.into(), at }
    }
}
