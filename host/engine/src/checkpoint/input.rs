//! Input that cannot be read again, logged before it is run.

use std::{collections::BTreeMap, sync::Arc};

use tidemill_checkpoint::{
    CheckpointError, Fence, Frame, Frames, InputLog, InputPosition, LoggedRange, Plan, SourcePin, Storage,
};
use tidemill_model::ports::Chunk;

use super::Renames;

/// The input log, and where the open batch begins in it.
pub(crate) struct InputKeeper {
    log: InputLog,
    /// Behind the last batch that was planned.
    first: InputPosition,
    /// Bytes of rows that were logged since this was opened.
    appended_bytes: u64,
}

/// Logged chunks by stream, in order.
pub(crate) type LoggedChunks = BTreeMap<String, Vec<Chunk>>;

/// What was logged before a restart and belongs to no batch that counts.
#[derive(Default)]
pub(crate) struct Pending {
    /// Of the batch that was planned, which is run again.
    pub(crate) planned: LoggedChunks,
    /// Behind it.
    pub(crate) open: LoggedChunks,
}

impl InputKeeper {
    /// Opens the log behind a claim. `committed` and `planned` are the plans that a recovery goes by.
    pub(crate) fn open(
        storage: Arc<dyn Storage>,
        fence: &Fence,
        (committed, planned): (Option<&Plan>, Option<&Plan>),
        segment_bytes: u64,
        renames: &Renames,
    ) -> Result<(InputKeeper, Pending), CheckpointError> {
        let ends = |plan: Option<&Plan>| plan.and_then(|plan| logged(plan).map(|range| range.end).max());
        let (committed, planned_end) = (ends(committed), ends(planned));
        let (log, cut) = InputLog::open(storage, fence, planned_end.max(committed), segment_bytes)?;
        if let Some(cut) = cut {
            tracing::warn!(bytes = cut.bytes, "the end of the input log was not whole and is cut off: {}", cut.what);
        }
        let begin = committed.unwrap_or(InputPosition::START);
        let middle = planned_end.unwrap_or(begin);
        let end = log.position();
        let open = Some(LoggedRange { first: middle, end }).filter(|open| open.first < open.end);
        let chunks_of = |plan| planned_chunks(plan, renames, |range| log.read(range));
        let pending = Pending {
            planned: planned.map(chunks_of).transpose()?.unwrap_or_default(),
            open: by_stream(open.into_iter().flat_map(|open| log.read(open)), renames)?,
        };
        Ok((InputKeeper { log, first: middle, appended_bytes: 0 }, pending))
    }

    /// Logs what a source gave. It is durable after the next [`InputKeeper::sync`].
    pub(crate) fn append(&mut self, stream: &str, chunks: &[Chunk]) -> Result<(), CheckpointError> {
        for chunk in chunks {
            self.log.append(stream, chunk.partition, &chunk.rows)?;
            self.appended_bytes += chunk.rows.get_array_memory_size() as u64;
        }
        Ok(())
    }

    /// Bytes of rows that were logged since this was opened: how soon room has to be looked at again.
    pub(crate) fn appended_bytes(&self) -> u64 {
        self.appended_bytes
    }

    /// Makes durable what was logged.
    pub(crate) fn sync(&mut self) -> Result<(), CheckpointError> {
        self.log.sync().map(drop)
    }

    /// Behind everything that was logged.
    pub(crate) fn end(&self) -> InputPosition {
        self.log.position()
    }

    /// Where the input of the batch that ends now lies.
    pub(crate) fn batch(&self) -> LoggedRange {
        LoggedRange { first: self.first, end: self.log.position() }
    }

    /// The batch with this input was planned.
    pub(crate) fn planned(&mut self, batch: LoggedRange) {
        self.first = batch.end;
    }

    /// Forgets segments that lie before a place altogether.
    pub(crate) fn remove_before(&mut self, position: InputPosition) -> Result<(), CheckpointError> {
        self.log.remove_before(position).map(drop)
    }
}

fn logged(plan: &Plan) -> impl Iterator<Item = LoggedRange> + '_ {
    plan.sources.iter().filter_map(|source| source.logged)
}

/// The logged chunks of a plan: of each stream those in its own range. `frames` reads the log.
pub(crate) fn planned_chunks(
    plan: &Plan,
    renames: &Renames,
    frames: impl Fn(LoggedRange) -> Frames,
) -> Result<LoggedChunks, CheckpointError> {
    let mut chunks = LoggedChunks::new();
    let mut ranges: Vec<LoggedRange> = logged(plan).filter(|range| range.first < range.end).collect();
    ranges.dedup();
    for range in ranges {
        let is_in =
            |source: &SourcePin, stream: &str| source.logged == Some(range) && renames.now(&source.stream) == stream;
        let is_of = |stream: &str| plan.sources.iter().any(|source| is_in(source, stream));
        chunks.extend(by_stream(frames(range), renames)?.into_iter().filter(|(stream, _)| is_of(stream)));
    }
    Ok(chunks)
}

/// Chunks by the names that their streams have now. A stream may have had several; its chunks keep their order.
fn by_stream(
    frames: impl IntoIterator<Item = Result<Frame, CheckpointError>>,
    renames: &Renames,
) -> Result<LoggedChunks, CheckpointError> {
    let mut chunks = LoggedChunks::new();
    for frame in frames {
        let frame = frame?;
        let chunk = Chunk { partition: frame.partition, rows: frame.rows };
        chunks.entry(renames.now(&frame.stream).to_owned()).or_default().push(chunk);
    }
    Ok(chunks)
}
