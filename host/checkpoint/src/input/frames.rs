//! Reading a range of the input log.

use std::sync::Arc;
use tidemill_model::text::counted;

use arrow_array::RecordBatch;

use super::{
    lost,
    segment::{RawFrame, SegmentHeader, SegmentReader},
};
use crate::{
    error::CheckpointError,
    format::FormatError,
    log::file_error,
    record::{InputPosition, LoggedRange, segment_name},
    storage::{Storage, StorageError},
};

/// A chunk as it was appended.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The source.
    pub stream: String,
    /// The partition that it belongs to; `None`: the one whose turn it is.
    pub partition: Option<u32>,
    /// The rows.
    pub rows: RecordBatch,
}

/// The chunks of a range; after an error there are no more.
pub struct Frames {
    storage: Arc<dyn Storage>,
    pipeline: String,
    /// What is left.
    range: LoggedRange,
    /// The segment where `range` begins, and how many of its frames count.
    open: Option<Open>,
}

struct Open {
    reader: SegmentReader,
    /// Frames that were read.
    read: u64,
    /// Frames that count.
    frames: u64,
    /// The segment that follows.
    next: u64,
}

impl Frames {
    pub(crate) fn new(storage: Arc<dyn Storage>, pipeline: &str, range: LoggedRange) -> Frames {
        Frames { storage, pipeline: pipeline.to_owned(), range, open: None }
    }

    fn step(&mut self) -> Result<Option<Frame>, CheckpointError> {
        while self.range.first < self.range.end {
            let open = match self.open.take() {
                Some(open) => open,
                None => self.open()?,
            };
            if let Some(raw) = self.next_in(open)? {
                let segment = self.range.first.segment;
                return raw.into_frame().map(Some).map_err(|error| lost(&*self.storage, segment, &error));
            }
        }
        Ok(None)
    }

    /// The next frame of the open segment; `None` if it has no more, and the range goes on with the next one.
    fn next_in(&mut self, mut open: Open) -> Result<Option<RawFrame>, CheckpointError> {
        let segment = self.range.first.segment;
        while open.read < open.frames {
            let ends = FormatError::damaged(format!("{} of {} are there", open.read, counted(open.frames, "chunk")), 0);
            let frame = match open.reader.next() {
                Ok(frame) => frame.ok_or_else(|| lost(&*self.storage, segment, &ends))?,
                Err(error) if error.is_damage() => return Err(lost(&*self.storage, segment, &error)),
                Err(error) => return Err(file_error(&*self.storage, &segment_name(segment), error)),
            };
            open.read += 1;
            if open.read > self.range.first.frames {
                self.range.first.frames = open.read;
                self.open = Some(open);
                return Ok(Some(frame));
            }
        }
        self.range.first = InputPosition { segment: open.next, frames: 0 };
        Ok(None)
    }

    fn open(&self) -> Result<Open, CheckpointError> {
        let segment = self.range.first.segment;
        let (header, reader) = self.segment(segment)?;
        let (frames, next) = match segment == self.range.end.segment {
            true => (self.range.end.frames, segment + 1),
            false => self.following(segment, header.generation)?,
        };
        if self.range.first.frames > frames {
            let what = FormatError::damaged(format!("{} there", counted(frames, "chunk")), 0);
            return Err(lost(&*self.storage, segment, &what));
        }
        Ok(Open { reader, read: 0, frames, next })
    }

    /// How many frames of a segment count, and the segment that follows it: the next one that no fenced-off host began.
    fn following(&self, segment: u64, generation: u64) -> Result<(u64, u64), CheckpointError> {
        for next in segment + 1..=self.range.end.segment {
            let (header, _) = self.segment(next)?;
            if header.generation >= generation {
                return Ok((header.previous_frames, next));
            }
        }
        Err(lost(&*self.storage, segment, &FormatError::damaged("no segment follows it", 0)))
    }

    fn segment(&self, segment: u64) -> Result<(SegmentHeader, SegmentReader), CheckpointError> {
        match SegmentReader::open(&*self.storage, &self.pipeline, segment) {
            Err(CheckpointError::Storage(StorageError::NotFound { .. })) => {
                Err(lost(&*self.storage, segment, &FormatError::damaged("it is not there", 0)))
            }
            opened => opened,
        }
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, CheckpointError>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.step().transpose();
        if !matches!(frame, Some(Ok(_))) {
            self.range.first = self.range.end;
        }
        frame
    }
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frames {{ {:?} }}", self.range)
    }
}
