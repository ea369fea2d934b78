//! A checkpoint as it lies there, looked at without claiming or changing anything.

mod batches;
mod contents;
mod damage;
mod past;

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::de::DeserializeOwned;

use crate::{
    error::CheckpointError,
    format::{FileKind, FileReader},
    input::{self, Frames, SegmentFound},
    log::{Archive, Scan, numbered, verify_record, verify_snapshot},
    record::{
        InputPosition, LoggedRange, Number, Plan, Record, RecordHeader, SnapshotHeader, record_name, snapshot_name,
    },
    recover::{Recovery, Scanned},
    storage::{Storage, StorageError},
};

pub use batches::BatchFound;
pub use contents::Contents;
pub use damage::{Consequence, Damage};
pub use past::{Past, PastError};

/// How often it is looked again at a checkpoint that a host writes to meanwhile.
const LOOKS_MAX: usize = 8;

/// What there is, every byte checked, and what a run would make of it.
pub struct Survey {
    /// Whose checkpoint it is; empty if no file says it any more.
    pub pipeline: String,
    /// The records by number, each whole or with what is damaged anywhere in its file.
    pub records: Vec<Scanned>,
    /// What the whole commits hold, by number.
    pub contents: BTreeMap<Number, Contents>,
    /// The snapshots by the numbers of their commits.
    pub snapshots: Vec<SnapshotFound>,
    /// The segments of the input log by number.
    pub segments: Vec<SegmentFound>,
    /// Files that are damaged or missing.
    pub damage: Vec<Damage>,
    /// What a run would go on from, or why it would refuse.
    pub recovery: Result<Recovery, CheckpointError>,
    storage: Arc<dyn Storage>,
    archive: Archive,
}

/// A snapshot's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFound {
    /// The number of its commit.
    pub commit: Number,
    /// Its length.
    pub bytes: u64,
    /// How it is damaged, if it is.
    pub damaged: Option<String>,
}

impl Survey {
    /// Reads everything; `None` if there are no files. Nothing is written, and a host that runs is not disturbed: what
    /// it removes meanwhile is looked for again.
    ///
    /// # Errors
    /// The storage failed, or it holds what no checkpoint of this version holds.
    pub fn of(storage: &Arc<dyn Storage>) -> Result<Option<Survey>, CheckpointError> {
        let mut looks = 1;
        loop {
            let before = numbered(&**storage, "log")?;
            let looked = look(storage);
            let may_have_moved = match &looked {
                Ok(None) => false,
                Ok(Some(survey)) => survey.recovery.is_err() || !survey.damage.is_empty(),
                Err(CheckpointError::Storage(StorageError::NotFound { .. })) if looks < LOOKS_MAX => {
                    looks += 1;
                    continue;
                }
                Err(_) => true,
            };
            if !may_have_moved || looks == LOOKS_MAX || numbered(&**storage, "log")? == before {
                return looked;
            }
            looks += 1;
        }
    }

    /// For reading what the records and snapshots hold.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// The chunks of a range of the input log, of all streams, in order.
    pub fn input(&self, range: LoggedRange) -> Frames {
        Frames::new(self.storage.clone(), &self.pipeline, range)
    }
}

impl fmt::Debug for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Survey {{ {:?}, {} records }}", self.archive, self.records.len())
    }
}

fn look(storage: &Arc<dyn Storage>) -> Result<Option<Survey>, CheckpointError> {
    let pipeline = pipeline(&**storage)?.unwrap_or_default();
    let mut scan = Scan::of(&**storage, &pipeline)?;
    if scan.records.is_empty() {
        return Ok(None);
    }
    let archive = Archive::new(storage.clone(), &pipeline, 0);
    let snapshots = snapshots(&**storage, &pipeline)?;
    let records = records(&**storage, &scan.records)?;
    let contents = contents::of_commits(&archive, &records)?;
    let segments = input::segments(&**storage, &pipeline, &input_ends(&records))?;
    // As it is decided for a run, which reads less.
    let recovery = scan.decide(&**storage, &pipeline).and_then(|recovery| {
        let plans = [recovery.last.as_ref().map(|last| &last.plan), recovery.planned.as_ref().map(|next| &next.plan)];
        let [committed, planned] = plans.map(|plan| plan.and_then(input_end));
        input::check(storage, &pipeline, &segments, committed, planned).map(|()| recovery)
    });
    let damage = damage::of(&records, &snapshots, &segments, recovery.as_ref().ok());
    let storage = storage.clone();
    Ok(Some(Survey { pipeline, records, contents, snapshots, segments, damage, recovery, storage, archive }))
}

/// The pipeline that the newest file names which can be read.
fn pipeline(storage: &dyn Storage) -> Result<Option<String>, CheckpointError> {
    for (number, _) in numbered(storage, "log")?.iter().rev() {
        if let Some(header) = header::<RecordHeader>(storage, &record_name(*number), FileKind::Record) {
            return Ok(Some(header.pipeline));
        }
    }
    for (commit, _) in numbered(storage, "state")?.iter().rev() {
        if let Some(header) = header::<SnapshotHeader>(storage, &snapshot_name(*commit), FileKind::Snapshot) {
            return Ok(Some(header.pipeline));
        }
    }
    Ok(None)
}

fn header<T: DeserializeOwned>(storage: &dyn Storage, name: &str, kind: FileKind) -> Option<T> {
    let reader = storage.reader(name).ok()?;
    FileReader::begin::<T>(reader, kind).ok().map(|(_, prefix)| prefix.header)
}

/// The records, those that are damaged behind their headers too.
fn records(storage: &dyn Storage, scanned: &[Scanned]) -> Result<Vec<Scanned>, CheckpointError> {
    let verified = scanned.iter().map(|record| {
        let damaged = if record.found.is_ok() { verify_record(storage, record.number)? } else { None };
        Ok(match damaged {
            Some(what) => Scanned { found: Err(what), ..record.clone() },
            None => record.clone(),
        })
    });
    verified.collect()
}

fn snapshots(storage: &dyn Storage, pipeline: &str) -> Result<Vec<SnapshotFound>, CheckpointError> {
    let found = numbered(storage, "state")?.into_iter().map(|(commit, entry)| {
        let damaged = verify_snapshot(storage, pipeline, commit)?;
        Ok(SnapshotFound { commit, bytes: entry.bytes, damaged })
    });
    found.collect()
}

/// Behind the input of every plan.
fn input_ends(records: &[Scanned]) -> Vec<InputPosition> {
    plans(records).filter_map(input_end).collect()
}

fn plans(records: &[Scanned]) -> impl Iterator<Item = &Plan> {
    records.iter().filter_map(|record| match record.found.as_ref().map(|header| &header.record) {
        Ok(Record::Plan(plan)) => Some(plan),
        _ => None,
    })
}

/// Behind the input of a plan, if any of it is in the input log.
fn input_end(plan: &Plan) -> Option<InputPosition> {
    plan.sources.iter().filter_map(|source| source.logged).map(|range| range.end).max()
}
