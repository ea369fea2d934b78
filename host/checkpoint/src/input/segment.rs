//! A segment's bytes.

use std::io::Read;
use tidemill_model::text::counted;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::{Frame, lost};
use crate::{
    error::CheckpointError,
    format::{
        FileKind, FileReader, FileWriter, FormatError, HEADER_BYTES_MAX, Header, SECTION_BYTES_MAX, append_batches,
        decode, decode_batches, encode,
    },
    log::{file_error, own},
    record::segment_name,
    storage::{Storage, StorageError},
};

/// Begins every frame.
const TAG: [u8; 4] = *b"\xf1TMI";
/// Tag, lengths, and the durable length.
const FRAME_HEAD_BYTES: usize = 4 + 4 + 8 + 8;
const CHECKSUM_BYTES: usize = 4;
/// How much is reserved for bytes that are announced and not there yet.
const RESERVED_BYTES_MAX: u64 = 1 << 20;

/// What a segment says of itself.
#[derive(Serialize, Deserialize)]
pub(super) struct SegmentHeader {
    pub pipeline: String,
    pub segment: u64,
    /// Of the host that made it.
    pub generation: u64,
    /// The segment that it follows; 0: none. Those between the two count for nothing: fenced-off hosts began them, or they were
    /// damaged and passed over. Version 1 of the format does not say it.
    pub previous: Option<u64>,
    /// How many frames count of the segment that it follows.
    pub previous_frames: u64,
}

/// As version 1 of the format wrote it.
#[derive(Deserialize)]
struct SegmentHeader1 {
    pipeline: String,
    segment: u64,
    generation: u64,
    previous_frames: u64,
}

impl Header for SegmentHeader {
    fn read(bytes: &[u8], at: u64, version: u16) -> Result<SegmentHeader, FormatError> {
        if version >= 2 {
            return decode(bytes, at);
        }
        let SegmentHeader1 { pipeline, segment, generation, previous_frames } = decode(bytes, at)?;
        Ok(SegmentHeader { pipeline, segment, generation, previous: None, previous_frames })
    }
}

/// Where a frame stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub segment: u64,
    /// Bytes before it.
    pub at: u64,
    /// Bytes of the segment that are durable.
    pub synced: u64,
}

/// The end of the newest segment.
pub(super) struct Tail {
    /// Whole frames from the beginning.
    pub frames: u64,
    /// Bytes up to their end.
    pub bytes: u64,
    /// How many bytes follow that are no frames, and what is wrong with them.
    pub cut: Option<(u64, String)>,
}

/// Reads a segment frame by frame.
pub(super) struct SegmentReader {
    input: Box<dyn Read + Send>,
    segment: u64,
    at: u64,
}

#[derive(Serialize, Deserialize)]
struct FrameHead {
    stream: String,
    partition: Option<u32>,
}

/// A frame's head and rows as bytes, checked.
pub(super) struct RawFrame {
    at: u64,
    head: Vec<u8>,
    rows: Vec<u8>,
}

/// A segment's beginning.
pub(super) fn beginning(header: &SegmentHeader) -> Result<Vec<u8>, FormatError> {
    FileWriter::begin(FileKind::Input, header, 0).map(|(_, bytes)| bytes)
}

/// Writes a frame over what `bytes` held.
pub(super) fn frame(
    place: Place,
    stream: &str,
    partition: Option<u32>,
    rows: &RecordBatch,
    bytes: &mut Vec<u8>,
) -> Result<(), FormatError> {
    const BODY: usize = FRAME_HEAD_BYTES + CHECKSUM_BYTES;
    let head = encode(&FrameHead { stream: stream.to_owned(), partition })?;
    bytes.clear();
    bytes.resize(BODY, 0);
    bytes.extend_from_slice(&head);
    append_batches(std::slice::from_ref(rows), bytes)?;
    let rows_bytes = (bytes.len() - BODY - head.len()) as u64;
    if rows_bytes > SECTION_BYTES_MAX {
        return Err(FormatError::Unwritable {
            what: format!("a chunk of `{stream}` has {}", counted(rows_bytes, "byte")),
        });
    }
    bytes[..4].copy_from_slice(&TAG);
    bytes[4..8].copy_from_slice(&(head.len() as u32).to_le_bytes());
    bytes[8..16].copy_from_slice(&rows_bytes.to_le_bytes());
    bytes[16..FRAME_HEAD_BYTES].copy_from_slice(&place.synced.to_le_bytes());
    let checksum = crc32c::crc32c_append(seed(place.segment, place.at), &bytes[..FRAME_HEAD_BYTES]);
    bytes[FRAME_HEAD_BYTES..BODY].copy_from_slice(&checksum.to_le_bytes());
    let checksum = crc32c::crc32c_append(checksum, &bytes[BODY..]);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    Ok(())
}

/// A frame is right at its place only.
fn seed(segment: u64, at: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&segment.to_le_bytes()), &at.to_le_bytes())
}

/// The newest segment that counts, 0 if there is none, given all of them by ascending number. One with a lower generation
/// than one before it was made by a host that had been fenced off, and does not count. If the beginning of the last one is damaged,
/// of which it is not known whether it counts, it is told how.
pub(super) fn newest(
    storage: &dyn Storage,
    pipeline: &str,
    segments: &[u64],
) -> Result<(u64, Option<String>), CheckpointError> {
    let (mut newest, mut generation, mut damaged) = (0, 0, None);
    for &segment in segments {
        damaged = None;
        let header = match SegmentReader::open(storage, pipeline, segment) {
            Ok((header, _)) => header,
            // An older one may not be needed any more; whoever reads it is told.
            Err(CheckpointError::File { source, .. }) if source.is_damage() => {
                damaged = Some(source.to_string());
                continue;
            }
            Err(error) => return Err(error),
        };
        if header.generation >= generation {
            (newest, generation) = (segment, header.generation);
        }
    }
    Ok((newest, damaged))
}

/// How many frames of the newest segment are whole. Damage before what is known to have been durable is an error.
pub(super) fn tail(storage: &dyn Storage, pipeline: &str, segment: u64) -> Result<Tail, CheckpointError> {
    let (_, mut reader) = SegmentReader::open(storage, pipeline, segment)?;
    let mut tail = Tail { frames: 0, bytes: reader.at, cut: None };
    let what = loop {
        match reader.next() {
            Ok(Some(_)) => tail = Tail { frames: tail.frames + 1, bytes: reader.at, cut: None },
            Ok(None) => return Ok(tail),
            Err(error) if error.is_damage() => break error,
            Err(error) => return Err(file_error(storage, &segment_name(segment), error)),
        }
    };
    let content = content(storage, segment)?;
    if was_synced_beyond(&content, segment, tail.bytes) {
        return Err(lost(storage, segment, &what));
    }
    tail.cut = Some(((content.len() as u64).saturating_sub(tail.bytes), what.to_string()));
    Ok(tail)
}

/// All of a segment's file; nothing, if what has its name is none.
pub(super) fn content(storage: &dyn Storage, segment: u64) -> Result<Vec<u8>, StorageError> {
    match storage.read(&segment_name(segment)) {
        Err(StorageError::NotAFile { .. }) => Ok(Vec::new()),
        read => read,
    }
}

/// Whether a frame after the byte `damaged_at` says that this byte was durable.
pub(super) fn was_synced_beyond(content: &[u8], segment: u64, damaged_at: u64) -> bool {
    let first = usize::try_from(damaged_at).unwrap_or(usize::MAX).min(content.len());
    let places = content[first..].windows(TAG.len()).enumerate().filter(|(_, bytes)| *bytes == TAG);
    places.map(|(at, _)| first + at).any(|at| {
        let Some(head) = content.get(at..at + FRAME_HEAD_BYTES + CHECKSUM_BYTES) else { return false };
        FrameLengths::of(head, segment, at as u64).is_some_and(|lengths| lengths.synced > damaged_at)
    })
}

struct FrameLengths {
    head: u64,
    rows: u64,
    synced: u64,
    checksum: u32,
}

impl FrameLengths {
    /// What a frame's first bytes say; nothing if their checksum is wrong.
    fn of(bytes: &[u8], segment: u64, at: u64) -> Option<FrameLengths> {
        let (head, checksum) = bytes.split_at_checked(FRAME_HEAD_BYTES)?;
        let expected = crc32c::crc32c_append(seed(segment, at), head);
        let is_right = head.starts_with(&TAG) && checksum == expected.to_le_bytes();
        is_right.then(|| FrameLengths {
            head: number(&head[4..8]),
            rows: number(&head[8..16]),
            synced: number(&head[16..24]),
            checksum: expected,
        })
    }
}

/// A little-endian number of at most 8 bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

// === impl SegmentReader ===

impl SegmentReader {
    /// Reads a segment's beginning.
    pub fn open(
        storage: &dyn Storage,
        pipeline: &str,
        segment: u64,
    ) -> Result<(SegmentHeader, SegmentReader), CheckpointError> {
        let name = segment_name(segment);
        let input = storage.reader(&name)?;
        let (reader, prefix) = FileReader::begin::<SegmentHeader>(input, FileKind::Input)
            .map_err(|source| file_error(storage, &name, source))?;
        own(pipeline, &prefix.header.pipeline).map_err(|source| file_error(storage, &name, source))?;
        if prefix.header.segment != segment {
            let what = format!("it is segment {}", prefix.header.segment);
            return Err(file_error(storage, &name, FormatError::damaged(what, 0)));
        }
        let at = prefix.bytes;
        Ok((prefix.header, SegmentReader { input: reader.into_input(), segment, at }))
    }

    /// Takes the file to end behind so many bytes.
    pub fn up_to(self, bytes: u64) -> SegmentReader {
        let left = bytes.saturating_sub(self.at);
        SegmentReader { input: Box::new(self.input.take(left)), ..self }
    }

    /// How many bytes were read.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next frame; `None` at the end of the file.
    pub fn next(&mut self) -> Result<Option<RawFrame>, FormatError> {
        let at = self.at;
        let head = self.take((FRAME_HEAD_BYTES + CHECKSUM_BYTES) as u64)?;
        if head.is_empty() {
            return Ok(None);
        }
        if head.len() < FRAME_HEAD_BYTES + CHECKSUM_BYTES {
            return Err(self.ends());
        }
        let lengths = FrameLengths::of(&head, self.segment, at)
            .filter(|lengths| lengths.head <= HEADER_BYTES_MAX as u64 && lengths.rows <= SECTION_BYTES_MAX)
            .ok_or_else(|| FormatError::damaged("the head of a chunk", at))?;
        let head = self.take(lengths.head)?;
        let rows = self.take(lengths.rows)?;
        let checksum = self.take(CHECKSUM_BYTES as u64)?;
        if checksum.len() < CHECKSUM_BYTES {
            return Err(self.ends());
        }
        let expected = crc32c::crc32c_append(crc32c::crc32c_append(lengths.checksum, &head), &rows);
        if number(&checksum) != u64::from(expected) {
            return Err(FormatError::damaged("the checksum of a chunk", at));
        }
        Ok(Some(RawFrame { at, head, rows }))
    }

    /// `length` bytes, or fewer at the end of the file.
    fn take(&mut self, length: u64) -> Result<Vec<u8>, FormatError> {
        let mut bytes = Vec::with_capacity(length.min(RESERVED_BYTES_MAX) as usize);
        self.input.by_ref().take(length).read_to_end(&mut bytes)?;
        self.at += bytes.len() as u64;
        Ok(bytes)
    }

    fn ends(&self) -> FormatError {
        FormatError::Truncated { what: "a chunk", at: self.at }
    }
}

// === impl RawFrame ===

impl RawFrame {
    /// Its rows.
    pub fn into_frame(self) -> Result<Frame, FormatError> {
        let FrameHead { stream, partition } = decode(&self.head, self.at)?;
        match <[RecordBatch; 1]>::try_from(decode_batches(self.rows, self.at)?) {
            Ok([rows]) => Ok(Frame { stream, partition, rows }),
            Err(_) => Err(FormatError::damaged("a chunk that is not one batch", self.at)),
        }
    }
}
