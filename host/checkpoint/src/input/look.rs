//! Looking at the input log without opening it.

use std::sync::Arc;

use super::{
    Frames, check_needed,
    segment::{self, SegmentHeader, SegmentReader, Tail, was_synced_beyond},
};
use crate::{
    error::CheckpointError,
    log::{file_error, numbered},
    record::{InputPosition, LoggedRange, segment_name},
    storage::Storage,
};

/// A segment's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFound {
    /// Its number.
    pub segment: u64,
    /// Its length.
    pub bytes: u64,
    /// Whole chunks from its beginning.
    pub chunks: u64,
    /// How it is damaged, if it is.
    pub damaged: Option<String>,
    /// Its end, if that is not whole and counts for nothing: its host stopped, or had been fenced off, before it had
    /// made it durable.
    pub loose: Option<LooseEnd>,
}

/// Bytes at the end of a segment that count for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LooseEnd {
    /// How many.
    pub bytes: u64,
    /// What is wrong with them.
    pub what: String,
}

/// A segment as it was read, before it is known how much of it counts.
struct Read {
    segment: u64,
    bytes: u64,
    header: Option<SegmentHeader>,
    /// Whole chunks, and the bytes up to their end.
    chunks: u64,
    whole_bytes: u64,
    wrong: Option<String>,
}

/// All segments, every byte checked. `ends` are places that plans need all input before.
pub(crate) fn segments(
    storage: &dyn Storage,
    pipeline: &str,
    ends: &[InputPosition],
) -> Result<Vec<SegmentFound>, CheckpointError> {
    let files = numbered(storage, "input")?;
    let read = files.into_iter().map(|(segment, entry)| read(storage, pipeline, segment, entry.bytes));
    let read: Vec<Read> = read.collect::<Result<_, _>>()?;
    let counted = counted(&read);
    let mut found = Vec::with_capacity(read.len());
    for (at, segment) in read.iter().enumerate() {
        let follows = counted.iter().find(|&&next| next > at).and_then(|&next| read[next].header.as_ref());
        let planned = ends.iter().filter(|end| end.segment == segment.segment).map(|end| end.frames).max();
        let needed = follows.map(|header| header.previous_frames).max(planned).unwrap_or(0);
        let (does_count, is_last) = (counted.contains(&at), follows.is_none());
        found.push(judge(storage, segment, does_count, is_last, needed)?);
    }
    Ok(found)
}

fn read(storage: &dyn Storage, pipeline: &str, segment: u64, bytes: u64) -> Result<Read, CheckpointError> {
    let mut read = Read { segment, bytes, header: None, chunks: 0, whole_bytes: 0, wrong: None };
    let mut reader = match SegmentReader::open(storage, pipeline, segment) {
        Ok((header, reader)) => {
            read.header = Some(header);
            reader
        }
        Err(CheckpointError::File { source, .. }) if source.is_damage() => {
            read.wrong = Some(source.to_string());
            return Ok(read);
        }
        Err(error) => return Err(error),
    };
    loop {
        read.whole_bytes = reader.at();
        match reader.next() {
            Ok(Some(_)) => read.chunks += 1,
            Ok(None) => return Ok(read),
            Err(error) if error.is_damage() => {
                read.wrong = Some(error.to_string());
                return Ok(read);
            }
            Err(error) => return Err(file_error(storage, &segment_name(segment), error)),
        }
    }
}

/// The segments that no fenced-off host began, and those of which nobody can tell, by their places.
fn counted(read: &[Read]) -> Vec<usize> {
    let mut generation = 0;
    let places = read.iter().enumerate().filter(|(_, segment)| match &segment.header {
        Some(header) if header.generation < generation => false,
        Some(header) => {
            generation = header.generation;
            true
        }
        None => true,
    });
    places.map(|(at, _)| at).collect()
}

/// Tells damage from an end that was never made durable.
fn judge(
    storage: &dyn Storage,
    read: &Read,
    does_count: bool,
    is_last: bool,
    needed: u64,
) -> Result<SegmentFound, CheckpointError> {
    let Read { segment, bytes, chunks, .. } = *read;
    let mut found = SegmentFound { segment, bytes, chunks, damaged: None, loose: None };
    if read.header.is_none() {
        found.damaged = read.wrong.clone();
        return Ok(found);
    }
    if does_count && chunks < needed {
        let what = read.wrong.as_deref().unwrap_or("it ends too early");
        found.damaged = Some(format!("{chunks} of {needed} chunks are whole; {what}"));
    } else if let Some(what) = &read.wrong {
        let was_durable = does_count
            && is_last
            && was_synced_beyond(&storage.read(&segment_name(segment))?, segment, read.whole_bytes);
        if was_durable {
            found.damaged = Some(what.clone());
        } else {
            found.loose = Some(LooseEnd { bytes: bytes.saturating_sub(read.whole_bytes), what: what.clone() });
        }
    }
    Ok(found)
}

/// Whether a run that goes on behind `committed`, and runs the batch again whose input ends at `planned`, has its input.
pub(crate) fn check(
    storage: &Arc<dyn Storage>,
    pipeline: &str,
    committed: Option<InputPosition>,
    planned: Option<InputPosition>,
) -> Result<(), CheckpointError> {
    let segments: Vec<u64> = numbered(&**storage, "input")?.into_iter().map(|(segment, _)| segment).collect();
    let newest = segment::newest(&**storage, pipeline, &segments)?;
    let tail = match newest {
        0 => Tail { frames: 0, bytes: 0, cut: None },
        _ => segment::tail(&**storage, pipeline, newest)?,
    };
    if let Some(needed) = planned.max(committed) {
        check_needed(&**storage, needed, newest, &tail)?;
    }
    let first = committed.unwrap_or(InputPosition::START);
    let end = InputPosition { segment: newest, frames: tail.frames };
    Frames::new(storage.clone(), pipeline, LoggedRange { first, end }).try_for_each(|frame| frame.map(drop))
}
