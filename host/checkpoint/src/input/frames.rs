//! Reading a range of the input log.

use std::{collections::VecDeque, sync::Arc};
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
    /// The segments behind that one, with how many frames of each count; `None`: they are not known yet.
    row: Option<VecDeque<(u64, u64)>>,
}

struct Open {
    reader: SegmentReader,
    /// Frames that were read.
    read: u64,
    /// Frames that count.
    frames: u64,
}

impl Frames {
    pub(crate) fn new(storage: Arc<dyn Storage>, pipeline: &str, range: LoggedRange) -> Frames {
        Frames { storage, pipeline: pipeline.to_owned(), range, open: None, row: None }
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
        let next = self.row.iter().flatten().next().map_or(segment + 1, |(next, _)| *next);
        self.range.first = InputPosition { segment: next, frames: 0 };
        Ok(None)
    }

    /// Opens the segment where the range begins. Which ones there are is known behind the first of them.
    fn open(&mut self) -> Result<Open, CheckpointError> {
        let row = match self.row.take() {
            Some(row) => row,
            None => self.find_row()?,
        };
        let mut row = row.into_iter();
        let Some((segment, frames)) = row.next() else {
            let segment = self.range.first.segment;
            return Err(lost(&*self.storage, segment, &FormatError::damaged("no segment follows it", 0)));
        };
        self.row = Some(row.collect());
        if self.range.first.segment != segment {
            // The one where it was to begin was passed over, with nothing in it.
            self.range.first = InputPosition { segment, frames: 0 };
        }
        let (_, reader) = self.segment(segment)?;
        if self.range.first.frames > frames {
            let what = FormatError::damaged(format!("{} there", counted(frames, "chunk")), 0);
            return Err(lost(&*self.storage, segment, &what));
        }
        Ok(Open { reader, read: 0, frames })
    }

    /// The segments of the range, and how many frames of each count: from its end back, because each says which one it follows.
    fn find_row(&self) -> Result<VecDeque<(u64, u64)>, CheckpointError> {
        let LoggedRange { first, end } = self.range;
        let mut row = VecDeque::from([(end.segment, end.frames)]);
        let mut at = end.segment;
        while at > first.segment {
            let (header, _) = self.segment(at)?;
            let previous = header.previous.map_or_else(|| self.newest_before(at), Ok)?;
            if previous >= at || previous < first.segment && first.frames > 0 {
                let what = FormatError::damaged(format!("segment {at} follows {previous}"), 0);
                return Err(lost(&*self.storage, first.segment, &what));
            }
            if previous < first.segment {
                break;
            }
            row.push_front((previous, header.previous_frames));
            at = previous;
        }
        Ok(row)
    }

    /// The segment that one follows which does not say it: the newest before it that no fenced-off host began.
    fn newest_before(&self, segment: u64) -> Result<u64, CheckpointError> {
        let (mut newest, mut generation) = (0, 0);
        for before in self.range.first.segment..segment {
            let (header, _) = self.segment(before)?;
            if header.generation >= generation {
                (newest, generation) = (before, header.generation);
            }
        }
        Ok(newest)
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
