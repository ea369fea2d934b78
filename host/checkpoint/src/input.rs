//! The input log: rows of sources that cannot be read again, kept until no batch needs them.
//!
//! It is a row of segments, files that grow at their end, whose numbers never come twice. A segment's beginning says its host's
//! generation, which segment it follows, and how many frames of that count: what a fenced-off host still adds there, or begins after
//! a later host's segment, and a segment between the two, counts for nobody. A frame is
//!
//! | bytes | what |
//! |--|--|
//! | 4 | tag |
//! | 4, 8 | lengths of its head and rows |
//! | 8 | up to which byte the segment was known to be durable when the frame was written |
//! | 4 | CRC32C of the above, begun with the segment's number and the frame's place |
//! | n | head (stream and partition, in the codec's form), rows as an Arrow IPC stream |
//! | 4 | CRC32C of all of the frame but its other checksum |

mod frames;
mod look;
mod segment;
mod sync;

use std::{fmt, sync::Arc};
use tidemill_model::text::counted;

use arrow_array::RecordBatch;

pub use frames::{Frame, Frames};
pub use look::{LooseEnd, SegmentFound};
pub(crate) use look::{check, segments};
pub use sync::InputSync;

use crate::{
    error::CheckpointError,
    format::{FormatError, HEADER_BYTES_MAX},
    log::{Archive, Fence, file_error, numbered},
    record::{InputPosition, LoggedRange, segment_name},
    storage::{Appender, Storage, StorageError},
};
use segment::{SegmentHeader, Tail};
use sync::Begun;

/// How long a segment gets before the next one is begun.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// How often another host may be faster in beginning a segment.
const TRIES_MAX: usize = 16;
/// The longest name of a stream in a frame.
const STREAM_BYTES_MAX: usize = HEADER_BYTES_MAX / 2;

/// The input log of the host that owns the checkpoint.
pub struct InputLog {
    storage: Arc<dyn Storage>,
    fence: Fence,
    segment_bytes: u64,
    end: InputPosition,
    /// The current segment's length.
    bytes: u64,
    /// How much of it is durable.
    synced_bytes: u64,
    /// The current segment; none after a failure, when its end is not known.
    appender: Option<Box<dyn Appender>>,
    /// A sync that was begun, and is not known to have ended.
    begun: Option<Begun>,
    /// The last frame's bytes: kept for the room, because chunks are about as long as the one before.
    frame: Vec<u8>,
}

/// The end of the input log that was not whole: it had not been synced when its host stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Behind the last frame that counts.
    pub at: InputPosition,
    /// How many bytes after it do not count.
    pub bytes: u64,
    /// What is wrong with them.
    pub what: String,
}

impl InputLog {
    /// Opens it behind the claim that `fence` stands for, and begins a new segment of at most about `segment_bytes`.
    /// `needed` is the furthest end of any range that the plans name which a recovery goes by: what lacks before it is
    /// an error. What is not whole after it was never synced, and is cut off.
    pub fn open(
        storage: Arc<dyn Storage>,
        fence: &Fence,
        needed: Option<InputPosition>,
        segment_bytes: u64,
    ) -> Result<(InputLog, Option<Cut>), CheckpointError> {
        for _ in 0..TRIES_MAX {
            let found = look_for_end(&*storage, fence.pipeline(), needed).and_then(|found| {
                // Frames that a host which was killed left in the system's memory count, so they must become durable: behind the
                // look, because a host that lives still may add others meanwhile.
                let segment = found.1.segment;
                let synced = if segment > 0 { storage.appender(&segment_name(segment))?.sync() } else { Ok(()) };
                Ok(synced.map(|()| found)?)
            });
            let (last, at, tail) = match found {
                // What no plan needs any more: a host that this one has fenced off has just removed it. Look again.
                Err(CheckpointError::Storage(StorageError::NotFound { .. })) => continue,
                found => found?,
            };
            check_needed(&*storage, needed, at.segment, &tail)?;
            let mut log = InputLog {
                storage: storage.clone(),
                fence: fence.clone(),
                segment_bytes,
                end: at,
                bytes: 0,
                synced_bytes: 0,
                appender: None,
                begun: None,
                frame: Vec::new(),
            };
            // A host that this one has fenced off may be faster; then look again, because its segment counts.
            if log.begin(last + 1, at)? {
                fence.check()?;
                return Ok((log, tail.cut.map(|(bytes, what)| Cut { at, bytes, what })));
            }
        }
        Err(CheckpointError::Contended { place: storage.place() })
    }

    /// Adds a chunk of a stream, and gives the place behind it. It is durable, and may be acknowledged, after the next
    /// [`InputLog::sync`]. After an error the log must be opened again; what had been synced is not lost.
    pub fn append(
        &mut self,
        stream: &str,
        partition: Option<u32>,
        rows: &RecordBatch,
    ) -> Result<InputPosition, CheckpointError> {
        if stream.len() > STREAM_BYTES_MAX {
            return Err(CheckpointError::OutOfOrder { what: "a stream's name is far too long".to_owned() });
        }
        self.notice_sync();
        let is_full = self.appender.as_ref().is_some_and(|appender| appender.is_full());
        // The next segment says how much of this one counts, so all of it must be durable then. Who syncs it is not waited for.
        if self.begun.is_none() && self.end.frames > 0 && (is_full || self.bytes >= self.segment_bytes) {
            self.sync()?;
            self.roll()?;
        }
        let at = segment::Place { segment: self.end.segment, at: self.bytes, synced: self.synced_bytes };
        let mut frame = std::mem::take(&mut self.frame);
        segment::frame(at, stream, partition, rows, &mut frame)
            .map_err(|source| file_error(&*self.storage, &segment_name(self.end.segment), source))?;
        self.run(|appender| appender.append(&frame))?;
        self.bytes += frame.len() as u64;
        self.end.frames += 1;
        self.frame = frame;
        Ok(self.end)
    }

    /// Makes durable what was appended, all at once, and gives the place behind it. Fails if another host has claimed the
    /// checkpoint: then what was not synced before counts for nobody, and must not be acknowledged.
    pub fn sync(&mut self) -> Result<InputPosition, CheckpointError> {
        if let Some(sync) = self.begin_sync()? {
            let synced = sync.finish();
            self.notice_sync();
            synced?;
        }
        Ok(self.end)
    }

    /// Begins to make durable what was appended, for any thread to finish while more is appended; `None`: it is durable. The one
    /// before must have been finished.
    pub fn begin_sync(&mut self) -> Result<Option<InputSync>, CheckpointError> {
        self.notice_sync();
        if self.synced_bytes == self.bytes && self.appender.is_some() {
            return Ok(None);
        }
        let mut work = None;
        self.run(|appender| {
            work = Some(appender.begin_sync()?);
            Ok(())
        })?;
        let sync = work.map(|work| InputSync::new(work, self.fence.clone(), self.bytes));
        self.begun = sync.as_ref().map(InputSync::begun);
        Ok(sync)
    }

    /// Notices what has come of a sync that another thread had to finish.
    fn notice_sync(&mut self) {
        match self.begun.as_ref().and_then(Begun::outcome) {
            None => return,
            Some(Ok(bytes)) => self.synced_bytes = bytes,
            // The end of the segment is not known any more.
            Some(Err(())) => self.appender = None,
        }
        self.begun = None;
    }

    /// The place behind everything that was appended, durable or not.
    pub fn position(&self) -> InputPosition {
        self.end
    }

    /// The chunks of a range, of all streams, in order.
    pub fn read(&self, range: LoggedRange) -> Frames {
        Frames::new(self.storage.clone(), self.fence.pipeline(), range)
    }

    /// Goes on in a new segment. A number that is taken has the segment of a host that this one has fenced off, begun
    /// after this one's: it does not count.
    fn roll(&mut self) -> Result<(), CheckpointError> {
        let last = self.end;
        for segment in (last.segment + 1..).take(TRIES_MAX) {
            if self.begin(segment, last)? {
                return Ok(());
            }
        }
        Err(CheckpointError::Contended { place: self.storage.place() })
    }

    /// Begins a segment, unless its number is taken. `previous` is where the log ends before it.
    fn begin(&mut self, segment: u64, previous: InputPosition) -> Result<bool, CheckpointError> {
        self.appender = None;
        let name = segment_name(segment);
        let pipeline = self.fence.pipeline().to_owned();
        let generation = self.fence.generation();
        let InputPosition { segment: previous, frames: previous_frames } = previous;
        let header = SegmentHeader { pipeline, segment, generation, previous: Some(previous), previous_frames };
        let beginning = segment::beginning(&header).map_err(|source| file_error(&*self.storage, &name, source))?;
        match self.storage.create(&name, &beginning) {
            Ok(()) => {}
            Err(StorageError::Exists { .. }) => {
                self.fence.check()?;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        self.appender = Some(self.storage.appender(&name)?);
        self.end = InputPosition { segment, frames: 0 };
        self.bytes = beginning.len() as u64;
        self.synced_bytes = self.bytes;
        Ok(true)
    }

    /// After a failure the end of the file is not known, so nothing is added to it any more.
    fn run(
        &mut self,
        action: impl FnOnce(&mut dyn Appender) -> Result<(), StorageError>,
    ) -> Result<(), CheckpointError> {
        let Some(mut appender) = self.appender.take() else {
            return Err(CheckpointError::InputFailed { place: self.storage.place() });
        };
        action(&mut *appender)?;
        self.appender = Some(appender);
        Ok(())
    }
}

impl Archive {
    /// Where the input log ends for whoever opens it now, and why it would not be opened; see [`InputLog::open`]. Changes nothing.
    ///
    /// # Errors
    /// What is needed is not there, or not whole.
    pub fn input_end(&self, needed: Option<InputPosition>) -> Result<InputPosition, CheckpointError> {
        let storage = &**self.storage();
        let (_, at, tail) = look_for_end(storage, self.pipeline(), needed)?;
        check_needed(storage, needed, at.segment, &tail)?;
        Ok(at)
    }

    /// The chunks of a range of the input log, of all streams, in order.
    pub fn read_input(&self, range: LoggedRange) -> Frames {
        Frames::new(self.storage().clone(), self.pipeline(), range)
    }
}

fn check_needed(
    storage: &dyn Storage,
    needed: Option<InputPosition>,
    newest: u64,
    tail: &Tail,
) -> Result<(), CheckpointError> {
    let Some(needed) = needed.filter(|needed| *needed != InputPosition::START) else { return Ok(()) };
    let lost =
        |what: String| CheckpointError::InputLost { name: segment_name(needed.segment), place: storage.place(), what };
    if needed.segment > newest {
        return Err(lost("it is not there".to_owned()));
    }
    if needed.segment == newest && needed.frames > tail.frames {
        let what = tail.cut.as_ref().map_or("it ends too early", |(_, what)| what.as_str());
        return Err(lost(format!("{} of {} are whole; {what}", tail.frames, counted(needed.frames, "chunk"))));
    }
    Ok(())
}

/// Passes the last segment over, whose beginning is damaged: a write that was lost. No plan names it, and nothing in it can be told to
/// have been durable. It stays, because its number must not come again: frames are right in a segment of that number alone. Gives how
/// many bytes it has.
fn pass_over(
    storage: &dyn Storage,
    segment: u64,
    needed: Option<InputPosition>,
    what: &str,
) -> Result<u64, CheckpointError> {
    let (name, place, what) = (segment_name(segment), storage.place(), what.to_owned());
    if needed.is_some_and(|needed| needed.segment >= segment && needed != InputPosition::START) {
        return Err(CheckpointError::InputLost { name, place, what });
    }
    let content = segment::content(storage, segment)?;
    if segment::was_synced_beyond(&content, segment, 0) {
        return Err(CheckpointError::InputDamaged { name, place, what });
    }
    Ok(content.len() as u64)
}

/// The number of the last segment, where the newest one ends that counts, and what is behind that.
fn look_for_end(
    storage: &dyn Storage,
    pipeline: &str,
    needed: Option<InputPosition>,
) -> Result<(u64, InputPosition, Tail), CheckpointError> {
    let segments: Vec<u64> = numbered(storage, "input")?.into_iter().map(|(segment, _)| segment).collect();
    let last = segments.last().copied().unwrap_or(0);
    let (newest, damaged) = segment::newest(storage, pipeline, &segments)?;
    let passed_over = damaged.map(|what| pass_over(storage, last, needed, &what).map(|bytes| (bytes, what)));
    let passed_over = passed_over.transpose()?;
    let mut tail = Tail { frames: 0, bytes: 0, cut: None };
    if newest > 0 {
        tail = segment::tail(storage, pipeline, newest)?;
    }
    tail.cut = passed_over.or(tail.cut);
    Ok((last, InputPosition { segment: newest, frames: tail.frames }, tail))
}

impl fmt::Debug for InputLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InputLog {{ {}, end {:?} }}", self.storage.place(), self.end)
    }
}

/// What a segment's frames hold that a plan needs and that cannot be had.
pub(crate) fn lost(storage: &dyn Storage, segment: u64, what: &FormatError) -> CheckpointError {
    CheckpointError::InputLost { name: segment_name(segment), place: storage.place(), what: what.to_string() }
}
