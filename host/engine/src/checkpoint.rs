//! What of a run survives it: a shell around the checkpoint's log, and the way from a checkpoint back to a run.
//!
//! The order in which things become durable stands in [`steps`].

mod cleaner;
mod foresee;
mod input;
mod keeper;
mod lineage;
mod migrate;
mod points;
mod renames;
mod restore;
mod snapshots;
mod source_tables;
mod stored;
mod tables;

use std::{fmt, sync::Arc};

use tidemill_checkpoint::{Budget, Keep, PluginDigest, Storage};
use tidemill_plan::CheckpointEntry;

pub use foresee::MigrationAhead;
pub(crate) use foresee::{check as check_glance, check_sources};
pub(crate) use input::{InputKeeper, Pending, planned_chunks};
pub(crate) use keeper::{Keeper, Room, Settled};
pub(crate) use lineage::{newest, other_versions};
pub(crate) use migrate::{Loaded, Migration};
pub use points::{Failpoints, NoFailpoints, Point};
pub(crate) use renames::Renames;
pub use restore::RestoreError;
pub(crate) use restore::{AsTable, States, empty_table, states_of};
pub use snapshots::SnapshotAfter;
pub(crate) use source_tables::{rows_of, section_of, source_schema};
pub use stored::{StoredSize, StoredStates, TableRows};
pub use tables::TableId;
pub(crate) use tables::table_schemas;

/// Batches that are kept for a look back, unless the pipeline says otherwise.
const BATCHES_KEPT: usize = 100;

/// Bytes that are kept for a look back.
const BYTES_KEPT: u64 = 1 << 30;

/// Bytes that stay free where the checkpoint lies, for what was begun when they are reached.
const FREE_BYTES_MIN: u64 = 256 << 20;

/// Where a run keeps its checkpoint, and how.
pub struct Checkpoint {
    /// Where it lies.
    pub storage: Arc<dyn Storage>,
    /// Who runs: no two runs have the same.
    pub host: String,
    /// The components that run.
    pub plugins: Vec<PluginDigest>,
    /// What is kept beyond what a recovery needs.
    pub keep: Keep,
    /// How much room there is. With too little no new input is taken.
    pub budget: Budget,
    /// When a snapshot is made.
    pub snapshot_after: SnapshotAfter,
    /// Where tests stop the run.
    pub failpoints: Box<dyn Failpoints>,
}

impl Checkpoint {
    /// With the usual limits.
    pub fn new(storage: Arc<dyn Storage>, host: String, plugins: Vec<PluginDigest>) -> Checkpoint {
        let keep = Keep { batches: BATCHES_KEPT, bytes: BYTES_KEPT };
        let budget = Budget { bytes_max: None, free_bytes_min: FREE_BYTES_MIN };
        let snapshot_after = SnapshotAfter::default();
        Checkpoint { storage, host, plugins, keep, budget, snapshot_after, failpoints: Box::new(NoFailpoints) }
    }

    /// With the limits that a pipeline asks for.
    pub fn as_written(mut self, entry: &CheckpointEntry) -> Checkpoint {
        let &CheckpointEntry { place: _, keep_batches, keep_bytes, budget_bytes, free_bytes_min } = entry;
        self.keep.batches = keep_batches.unwrap_or(self.keep.batches);
        self.keep.bytes = keep_bytes.unwrap_or(self.keep.bytes);
        self.budget.bytes_max = budget_bytes;
        self.budget.free_bytes_min = free_bytes_min.unwrap_or(self.budget.free_bytes_min);
        self
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("place", &self.storage.place())
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}
