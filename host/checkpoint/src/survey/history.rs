//! The records and snapshots that there are, read without claiming the checkpoint.

use std::{fmt, sync::Arc};

use super::unless_gone;
use crate::{
    error::CheckpointError,
    format::{FileKind, FileReader, Header},
    input::Frames,
    log::{Archive, Scan, numbered, verify_snapshot},
    record::{LoggedRange, Number, Record, RecordHeader, SnapshotHeader, record_name, snapshot_name},
    recover::Scanned,
    storage::Storage,
};

/// The records and snapshots.
pub struct History {
    /// Whose checkpoint it is; empty if no file says it any more.
    pub pipeline: String,
    /// The records by number. Of a damaged one how it is damaged, where its beginning shows it.
    pub records: Vec<Scanned>,
    /// The snapshots by the numbers of their commits, every byte checked.
    pub snapshots: Vec<SnapshotFound>,
    pub(super) storage: Arc<dyn Storage>,
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

impl History {
    /// Reads the beginnings of records, and the snapshots; `None` if there are none. Nothing is written, and a host that
    /// runs is not disturbed.
    ///
    /// # Errors
    /// The storage failed, or it holds what no checkpoint of this version holds.
    pub fn of(storage: &Arc<dyn Storage>) -> Result<Option<History>, CheckpointError> {
        let Some((mut history, _)) = History::begin(storage)? else { return Ok(None) };
        history.drop_cleaned()?;
        Ok(Some(history))
    }

    pub(super) fn begin(storage: &Arc<dyn Storage>) -> Result<Option<(History, Scan)>, CheckpointError> {
        let pipeline = pipeline(&**storage)?.unwrap_or_default();
        let scan = Scan::of(&**storage, &pipeline)?;
        if scan.records.is_empty() {
            return Ok(None);
        }
        let archive = Archive::new(storage.clone(), &pipeline, 0);
        let (records, snapshots) = (scan.records.clone(), snapshots(&**storage, &pipeline)?);
        Ok(Some((History { pipeline, records, snapshots, storage: storage.clone(), archive }, scan)))
    }

    /// Forgets what a host has cleaned away since it was listed: old records, claims aside, the oldest first, and what
    /// stands upon them.
    pub(super) fn drop_cleaned(&mut self) -> Result<(), CheckpointError> {
        let left: Vec<Number> = numbered(&*self.storage, "log")?.into_iter().map(|(number, _)| number).collect();
        let gone = |record: &&Scanned| left.binary_search(&record.number).is_err();
        let Some(newest) = self.records.iter().filter(gone).map(|record| record.number).max() else { return Ok(()) };
        let is_claim =
            |record: &Scanned| record.found.as_ref().is_ok_and(|header| matches!(header.record, Record::Claim { .. }));
        self.records.retain(|record| {
            left.binary_search(&record.number).is_ok() && (record.number > newest || is_claim(record))
        });
        self.snapshots.retain(|snapshot| snapshot.commit > newest);
        Ok(())
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

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "History {{ {:?}, {} records }}", self.archive, self.records.len())
    }
}

fn snapshots(storage: &dyn Storage, pipeline: &str) -> Result<Vec<SnapshotFound>, CheckpointError> {
    let found = numbered(storage, "state")?.into_iter().filter_map(|(commit, entry)| {
        let verified = unless_gone(verify_snapshot(storage, pipeline, commit)).transpose()?;
        Some(verified.map(|damaged| SnapshotFound { commit, bytes: entry.bytes, damaged }))
    });
    found.collect()
}

/// The pipeline that the newest records name which can be read. One may be another's, in the place of a damaged one: two have to
/// agree, if there are two.
fn pipeline(storage: &dyn Storage) -> Result<Option<String>, CheckpointError> {
    let mut named: Vec<String> = Vec::new();
    for (number, _) in numbered(storage, "log")?.iter().rev() {
        if let Some(header) = header::<RecordHeader>(storage, &record_name(*number), FileKind::Record) {
            if named.contains(&header.pipeline) {
                return Ok(Some(header.pipeline));
            }
            named.push(header.pipeline);
        }
    }
    if !named.is_empty() {
        return Ok(Some(named.remove(0)));
    }
    for (commit, _) in numbered(storage, "state")?.iter().rev() {
        if let Some(header) = header::<SnapshotHeader>(storage, &snapshot_name(*commit), FileKind::Snapshot) {
            return Ok(Some(header.pipeline));
        }
    }
    Ok(None)
}

fn header<T: Header>(storage: &dyn Storage, name: &str, kind: FileKind) -> Option<T> {
    let reader = storage.reader(name).ok()?;
    FileReader::begin::<T>(reader, kind).ok().map(|(_, prefix)| prefix.header)
}
