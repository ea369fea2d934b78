//! Removing what nothing needs any more: decided by whoever has the log, done on any thread.
//!
//! The decision rests upon snapshots that were seen before, and the fence is asked after it. So whoever claims the checkpoint
//! later sees those snapshots too, and needs nothing of what goes, however late it goes.

use std::sync::Arc;

use super::{Archive, Fence, Log, scan};
use crate::{
    error::CheckpointError,
    input::{InputLog, SEGMENT_BYTES},
    record::{InputPosition, Number, segment_name, snapshot_name},
    retain::{Keep, Removable, SnapshotFile, removable},
    storage::Storage,
};

/// What [`Log::clean`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// The files that are gone.
    pub removed: Vec<String>,
    /// What [`Log::remove_input_before`] can be told, if anything.
    pub input_before: Option<InputPosition>,
    /// No batch that stays has input in the log: where none is logged, [`Log::remove_input`] can be told so.
    pub needs_no_input: bool,
}

/// The snapshots that there are, and which of them are whole.
#[derive(Clone, Debug, Default)]
pub struct SnapshotsFound {
    whole: Vec<SnapshotFile>,
    /// Of hosts that had been fenced off before they were done.
    damaged: Vec<Number>,
}

/// Files that can go.
pub struct Removal {
    storage: Arc<dyn Storage>,
    fence: Fence,
    removable: Removable,
    damaged: Vec<Number>,
}

/// Files that are gone, which the log is to forget.
#[derive(Debug)]
pub struct Removed {
    removable: Removable,
    damaged: Vec<Number>,
}

impl Removal {
    /// Removes the files, unless another host has claimed the checkpoint. What could not be removed is among what can go the
    /// next time.
    pub fn run(self) -> Result<Removed, CheckpointError> {
        self.fence.check()?;
        self.storage.remove_all(&self.removable.names().collect::<Vec<_>>())?;
        self.damaged.iter().try_for_each(|&commit| self.storage.remove(&snapshot_name(commit)))?;
        Ok(Removed { removable: self.removable, damaged: self.damaged })
    }
}

impl Archive {
    /// Looks for snapshots.
    pub fn find_snapshots(&self) -> Result<SnapshotsFound, CheckpointError> {
        let mut found = SnapshotsFound::default();
        for snapshot in scan::snapshot_files(&**self.storage())? {
            if self.storage().is_whole(&snapshot_name(snapshot.commit))? {
                found.whole.push(snapshot);
            } else {
                found.damaged.push(snapshot.commit);
            }
        }
        Ok(found)
    }
}

impl Log {
    /// Removes what neither a recovery nor `keep` needs. What could not be removed is tried again the next time.
    pub fn clean(&mut self, keep: Keep) -> Result<Cleaned, CheckpointError> {
        let removed = self.removal(keep, self.archive.find_snapshots()?).run()?;
        Ok(self.forget(removed))
    }

    /// Reads the snapshot of a commit whole, which is the newest one, and removes all that it stands for: there is no other
    /// one to spare then. If it cannot be read nothing is removed.
    pub fn rely_on(&mut self, snapshot: Number) -> Result<Cleaned, CheckpointError> {
        for section in self.archive.read_snapshot(snapshot)? {
            section?;
        }
        let keep = Keep { batches: 0, bytes: 0 };
        let removed = self.decide(keep, self.archive.find_snapshots()?, Some(snapshot)).run()?;
        Ok(self.forget(removed))
    }

    /// What neither a recovery nor `keep` needs. `found` is older than this call.
    pub fn removal(&self, keep: Keep, found: SnapshotsFound) -> Removal {
        self.decide(keep, found, None)
    }

    /// Forgets what is gone.
    pub fn forget(&mut self, Removed { removable, damaged }: Removed) -> Cleaned {
        self.damaged_snapshots.retain(|commit| !damaged.contains(commit));
        self.records.retain(|record| removable.records.binary_search(&record.number).is_err());
        self.usage.log_has(&self.records);
        let Removable { input_before, needs_no_input, .. } = removable;
        Cleaned { removed: removable.names().collect(), input_before, needs_no_input }
    }

    /// Removes segments of the input log that lie before a place altogether, and gives how many. The newest one stays.
    pub fn remove_input_before(&self, position: InputPosition) -> Result<usize, CheckpointError> {
        self.fence.check()?;
        let mut segments = scan::numbered(&*self.storage, "input")?;
        segments.pop();
        segments.retain(|&(segment, _)| segment < position.segment);
        segments.iter().try_for_each(|&(segment, _)| self.storage.remove(&segment_name(segment)))?;
        Ok(segments.len())
    }

    /// Removes the input log, of a host that logs nothing, and gives how many segments went. One that is empty is left: numbers
    /// never come again, or what a host that was fenced off still adds could be taken for a later one's.
    pub fn remove_input(&self) -> Result<usize, CheckpointError> {
        self.fence.check()?;
        if scan::numbered(&*self.storage, "input")?.is_empty() {
            return Ok(0);
        }
        let (log, _) = InputLog::open(self.storage.clone(), &self.fence, None, SEGMENT_BYTES)?;
        self.remove_input_before(log.position())
    }

    fn decide(&self, keep: Keep, found: SnapshotsFound, verified: Option<Number>) -> Removal {
        let SnapshotsFound { mut whole, mut damaged } = found;
        let is_damaged = |snapshot: &mut SnapshotFile| self.damaged_snapshots.contains(&snapshot.commit);
        damaged.extend(whole.extract_if(.., is_damaged).map(|snapshot| snapshot.commit));
        let removable = removable(&self.records, &whole, keep, verified);
        Removal { storage: self.storage.clone(), fence: self.fence.clone(), removable, damaged }
    }
}

impl std::fmt::Debug for Removal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Removal {{ {}, {} records }}", self.storage.place(), self.removable.records.len())
    }
}
