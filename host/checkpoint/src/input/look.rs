//! Looking at the input log without opening it.

use std::sync::Arc;
use tidemill_model::text;

use super::{
    Frames,
    segment::{SegmentHeader, SegmentReader, content, was_synced_beyond},
};
use crate::{
    error::CheckpointError,
    log::{file_error, numbered},
    record::{InputPosition, LoggedRange, segment_name},
    storage::{Storage, StorageError},
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
    /// It was not begun by a host that had been fenced off, as far as can be told.
    pub counts: bool,
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

/// All segments, every byte checked that there was when they were listed: a host may be adding to the last one. `ends`
/// are places that plans need all input before.
pub(crate) fn segments(
    storage: &dyn Storage,
    pipeline: &str,
    ends: &[InputPosition],
) -> Result<Vec<SegmentFound>, CheckpointError> {
    let files = numbered(storage, "input")?;
    let read = files.into_iter().filter_map(|(segment, entry)| {
        match read(storage, pipeline, segment, entry.bytes) {
            // A host has removed it since it was listed: it is needed no more.
            Err(CheckpointError::Storage(StorageError::NotFound { .. })) => None,
            read => Some(read),
        }
    });
    let read: Vec<Read> = read.collect::<Result<_, _>>()?;
    let counted = counted(&read);
    let mut found = Vec::with_capacity(read.len());
    for (at, segment) in read.iter().enumerate() {
        let follows = counted.iter().find(|&&next| next > at).and_then(|&next| read[next].header.as_ref());
        let planned = ends.iter().filter(|end| end.segment == segment.segment).map(|end| end.frames).max();
        let needed = follows.map(|header| header.previous_frames).max(planned).unwrap_or(0);
        let (does_count, is_last) = (counted.contains(&at), follows.is_none());
        if segment.header.is_none() && !does_count {
            found.push(loose(segment));
        } else if segment.header.is_none() && at + 1 == read.len() && planned.is_none() {
            found.push(passed_over(storage, segment)?);
        } else {
            found.push(judge(storage, segment, does_count, is_last, needed)?);
        }
    }
    Ok(found)
}

fn read(storage: &dyn Storage, pipeline: &str, segment: u64, bytes: u64) -> Result<Read, CheckpointError> {
    let mut read = Read { segment, bytes, header: None, chunks: 0, whole_bytes: 0, wrong: None };
    let mut reader = match SegmentReader::open(storage, pipeline, segment) {
        Ok((header, reader)) => {
            read.header = Some(header);
            reader.up_to(bytes)
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

/// The segments that no fenced-off host began and none passed over, and those of which nobody can tell, by their places.
fn counted(read: &[Read]) -> Vec<usize> {
    let mut generation = 0;
    let by_generation = read.iter().enumerate().filter(|(_, segment)| match &segment.header {
        Some(header) if header.generation < generation => false,
        Some(header) => {
            generation = header.generation;
            true
        }
        None => true,
    });
    let places: Vec<usize> = by_generation.map(|(at, _)| at).collect();
    let headers = || places.iter().filter_map(|&at| Some((read[at].segment, read[at].header.as_ref()?.previous?)));
    // What lies between a segment and the one that it follows.
    let is_between = |segment| headers().any(|(next, previous)| previous < segment && segment < next);
    places.iter().copied().filter(|&at| !is_between(read[at].segment)).collect()
}

/// The last segment, whose beginning is damaged, and which no plan names: a run goes on without it, unless it has lines that were
/// durable.
fn passed_over(storage: &dyn Storage, read: &Read) -> Result<SegmentFound, CheckpointError> {
    let found = loose(read);
    if was_synced_beyond(&content(storage, read.segment)?, read.segment, 0) {
        let damaged = found.loose.map(|loose| loose.what);
        return Ok(SegmentFound { counts: true, damaged, loose: None, ..found });
    }
    Ok(found)
}

/// One whose beginning is damaged, and that counts for nothing.
fn loose(read: &Read) -> SegmentFound {
    let Read { segment, bytes, .. } = *read;
    let loose = Some(LooseEnd { bytes, what: read.wrong.clone().unwrap_or_default() });
    SegmentFound { segment, bytes, chunks: 0, counts: false, damaged: None, loose }
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
    let mut found = SegmentFound { segment, bytes, chunks, counts: does_count, damaged: None, loose: None };
    if read.header.is_none() {
        found.damaged = read.wrong.clone();
        return Ok(found);
    }
    if does_count && chunks < needed {
        let what = read.wrong.as_deref().unwrap_or("it ends too early");
        found.damaged = Some(format!("{chunks} of {} are whole; {what}", text::counted(needed, "chunk")));
    } else if let Some(what) = &read.wrong {
        let mut content = if does_count && is_last { storage.read(&segment_name(segment))? } else { Vec::new() };
        content.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
        let was_durable = was_synced_beyond(&content, segment, read.whole_bytes);
        if was_durable {
            found.damaged = Some(what.clone());
        } else {
            found.loose = Some(LooseEnd { bytes: bytes.saturating_sub(read.whole_bytes), what: what.clone() });
        }
    }
    Ok(found)
}

/// Whether a run that goes on behind `committed`, and runs the batch again whose input ends at `planned`, has its input.
/// `segments` is what was found.
pub(crate) fn check(
    storage: &Arc<dyn Storage>,
    pipeline: &str,
    segments: &[SegmentFound],
    committed: Option<InputPosition>,
    planned: Option<InputPosition>,
) -> Result<(), CheckpointError> {
    let lost = |segment, what: String| CheckpointError::InputLost {
        name: segment_name(segment),
        place: storage.place(),
        what,
    };
    let first = committed.unwrap_or(InputPosition::START);
    let needed = planned.max(committed).filter(|&needed| needed != InputPosition::START);
    let newest = segments.iter().rev().find(|segment| segment.counts);
    if let Some(needed) = needed.filter(|needed| newest.is_none_or(|newest| newest.segment < needed.segment)) {
        return Err(lost(needed.segment, "it is not there".to_owned()));
    }
    let Some(newest) = newest else { return Ok(()) };
    if let Some(what) = &newest.damaged {
        return Err(lost(newest.segment, what.clone()));
    }
    let end = InputPosition { segment: newest.segment, frames: newest.chunks };
    Frames::new(storage.clone(), pipeline, LoggedRange { first, end }).try_for_each(|frame| frame.map(drop))
}
