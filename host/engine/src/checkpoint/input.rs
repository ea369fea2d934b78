//! Input that cannot be read again, logged before it is run.

use std::{collections::BTreeMap, sync::Arc};

use tidemill_checkpoint::{
    BatchPlan, CheckpointError, Fence, Frame, Frames, Glance, InputLog, InputPosition, InputSync, LoggedRange,
    SourcePin, Storage,
};
use tidemill_model::{ports::Chunk, text::counted};

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

impl Pending {
    /// Says of what is left which rows these were: of streams that the pipeline has no more, that are read again now, or that were
    /// given up before.
    pub(crate) fn tell_dropped(&self) {
        let mut dropped: BTreeMap<&str, u64> = BTreeMap::new();
        for (stream, chunks) in self.planned.iter().chain(&self.open) {
            *dropped.entry(stream).or_default() += chunks.iter().map(|chunk| chunk.rows.num_rows() as u64).sum::<u64>();
        }
        for (stream, rows) in dropped.into_iter().filter(|(_, rows)| *rows > 0) {
            let rows = counted(rows, "row");
            tracing::warn!(
                stream,
                "{rows} in the input log of a source that has gone, and that no batch has, are dropped"
            );
        }
    }
}

impl InputKeeper {
    /// Opens the log behind a claim. `committed` and `planned` are the plans that a recovery goes by, `starts` the sources of
    /// which no batch was planned.
    pub(crate) fn open(
        storage: Arc<dyn Storage>,
        fence: &Fence,
        (committed, planned): (Option<&BatchPlan>, Option<&BatchPlan>),
        starts: &[SourcePin],
        segment_bytes: u64,
        renames: &Renames,
    ) -> Result<(InputKeeper, Pending), CheckpointError> {
        let (log, cut) = InputLog::open(storage, fence, end_of(planned).max(end_of(committed)), segment_bytes)?;
        if let Some(cut) = cut {
            tracing::warn!(bytes = cut.bytes, "the end of the input log was not whole and is cut off: {}", cut.what);
        }
        let end = log.position();
        let began = starts.iter().filter_map(|source| Some((renames.now(&source.stream), source.logged?.first)));
        let began: BTreeMap<&str, InputPosition> = began.collect();
        let middle = first_open((committed, planned), starts, end);
        let read_from = |first: InputPosition| {
            let open = Some(LoggedRange { first, end }).filter(|open| open.first < open.end);
            by_stream(open.into_iter().flat_map(|open| log.read(open)), renames)
        };
        let mut open = read_from(middle)?;
        for (&stream, &first) in began.iter().filter(|(_, first)| **first != middle) {
            // What stands before it is another's of that name.
            open.remove(stream);
            open.extend(read_from(first)?.remove_entry(stream));
        }
        let chunks_of = |plan| planned_chunks(plan, renames, |range| log.read(range));
        let pending = Pending { planned: planned.map(chunks_of).transpose()?.unwrap_or_default(), open };
        Ok((InputKeeper { log, first: middle, appended_bytes: 0 }, pending))
    }

    /// Reads what [`InputKeeper::open`] would read of a checkpoint, and says why that would fail; changes nothing, and keeps nothing.
    pub(crate) fn check(glance: &Glance) -> Result<(), CheckpointError> {
        let Glance { recovery, archive, .. } = glance;
        let committed = recovery.last.as_ref().map(|last| &last.plan);
        let planned = recovery.planned.as_ref().map(|planned| &planned.plan);
        let end = archive.input_end(end_of(planned).max(end_of(committed)))?;
        let began = recovery.starts.iter().filter_map(|source| Some(source.logged?.first));
        let firsts = began.chain([first_open((committed, planned), &recovery.starts, end)]);
        let open = firsts.map(|first| LoggedRange { first, end });
        let mut ranges: Vec<LoggedRange> = planned.into_iter().flat_map(logged).chain(open).collect();
        ranges.retain(|range| range.first < range.end);
        ranges.dedup();
        ranges.into_iter().flat_map(|range| archive.read_input(range)).try_for_each(|frame| frame.map(drop))
    }

    /// Logs what a source gave. It is durable when the next [sync](InputKeeper::begin_sync) is done.
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

    /// Begins to make durable what was logged; `None`: it is.
    pub(crate) fn begin_sync(&mut self) -> Result<Option<InputSync>, CheckpointError> {
        self.log.begin_sync()
    }

    /// Makes durable what was logged.
    pub(crate) fn sync(&mut self) -> Result<(), CheckpointError> {
        self.log.sync().map(|_| ())
    }

    /// Behind everything that was logged.
    pub(crate) fn end(&self) -> InputPosition {
        self.log.position()
    }

    /// Where the input of the batch that ends now lies.
    pub(crate) fn batch(&self) -> LoggedRange {
        LoggedRange { first: self.first, end: self.log.position() }
    }

    /// What comes from now on belongs to the batch behind the one with this input.
    pub(crate) fn end_batch(&mut self, batch: LoggedRange) {
        self.first = batch.end;
    }
}

/// Where the logged input of a plan ends.
fn end_of(plan: Option<&BatchPlan>) -> Option<InputPosition> {
    plan.and_then(|plan| logged(plan).map(|range| range.end).max())
}

/// Where input begins that no batch has. Where no batch had logged input, what there is was given up with the source that it was of.
fn first_open(
    (committed, planned): (Option<&BatchPlan>, Option<&BatchPlan>),
    starts: &[SourcePin],
    end: InputPosition,
) -> InputPosition {
    let is_new = committed.is_none() && planned.is_none();
    let began = starts.iter().filter_map(|source| Some(source.logged?.first)).min();
    let nowhere = began.unwrap_or(if is_new { InputPosition::START } else { end });
    end_of(planned).or(end_of(committed)).unwrap_or(nowhere)
}

fn logged(plan: &BatchPlan) -> impl Iterator<Item = LoggedRange> + '_ {
    plan.sources.iter().filter_map(|source| source.logged)
}

/// The logged chunks of a plan: of each stream those in its own range. `frames` reads the log.
pub(crate) fn planned_chunks(
    plan: &BatchPlan,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use tidemill_checkpoint::{Log, MemoryStorage, TableSchema};
    use tidemill_model::{
        testing::{Value, buffer_of},
        time::Timestamp,
    };

    use super::{super::tables::schema_of, *};

    /// How many rows each chunk of each stream has.
    fn shown(chunks: &LoggedChunks) -> Vec<(&str, Vec<usize>)> {
        let rows = |chunks: &Vec<Chunk>| chunks.iter().map(|chunk| chunk.rows.num_rows()).collect();
        chunks.iter().map(|(stream, chunks)| (stream.as_str(), rows(chunks))).collect()
    }

    /// Sources that came, or were acknowledged, at different times have different shares of the log.
    #[test]
    fn a_stream_has_the_chunks_of_its_own_range() {
        let storage = Arc::new(MemoryStorage::new());
        let (log, _) = Log::open(storage.clone(), "p", "host", Timestamp(0)).unwrap();
        let (mut input, _) = InputLog::open(storage, log.fence(), None, 1 << 20).unwrap();
        let mut places = vec![input.position()];
        for (rows, stream) in (1..).zip(["a", "b", "a", "b", "was-c", "a"]) {
            let schema = "n: integer".parse().unwrap();
            let rows = buffer_of(&schema, &vec![vec![Value::Integer(7)]; rows]).to_batch(&schema.to_arrow()).unwrap();
            places.push(input.append(stream, None, &rows).unwrap());
        }
        let c = TableSchema { previously: Some("was-c".to_owned()), ..schema_of("c") };
        let renames = Renames::default().learn([&[c][..]].into_iter());
        let check = |sources: &[(&str, usize, usize)], expect: &[(&str, Vec<usize>)]| {
            let sources = sources.iter().map(|&(stream, first, end)| {
                let logged = Some(LoggedRange { first: places[first], end: places[end] });
                SourcePin { stream: stream.to_owned(), pin: String::new(), logged }
            });
            let replayed = SourcePin { stream: "d".to_owned(), pin: "{}".to_owned(), logged: None };
            let sources: Vec<SourcePin> = sources.chain([replayed]).collect();
            for sources in [sources.clone(), sources.into_iter().rev().collect()] {
                let plan = BatchPlan {
                    batch: Timestamp(1),
                    sources,
                    plugins: Vec::new(),
                    delivered: None,
                    tables: Vec::new(),
                    away: Vec::new(),
                };
                let chunks = planned_chunks(&plan, &renames, |range| input.read(range)).unwrap();
                assert_eq!(shown(&chunks), expect);
            }
        };
        check(&[], &[]);
        check(&[("a", 0, 6), ("b", 0, 6), ("was-c", 0, 6)], &[("a", vec![1, 3, 6]), ("b", vec![2, 4]), ("c", vec![5])]);
        check(&[("a", 0, 2), ("b", 0, 4)], &[("a", vec![1]), ("b", vec![2, 4])]);
        check(&[("a", 2, 6), ("b", 0, 2), ("was-c", 2, 6)], &[("a", vec![3, 6]), ("b", vec![2]), ("c", vec![5])]);
        check(&[("a", 3, 3), ("b", 0, 4)], &[("b", vec![2, 4])]);
        check(&[("a", 0, 6)], &[("a", vec![1, 3, 6])]);
        let whole = LoggedRange { first: places[0], end: places[6] };
        let all = by_stream(input.read(whole), &renames).unwrap();
        assert_eq!(shown(&all), [("a", vec![1, 3, 6]), ("b", vec![2, 4]), ("c", vec![5])]);
    }
}
