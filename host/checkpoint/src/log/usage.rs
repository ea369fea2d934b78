//! How much room a checkpoint takes.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{error::CheckpointError, recover::Scanned, storage::Storage};

/// Counts bytes. Clones may be asked by any thread while the log grows.
#[derive(Clone)]
pub struct Usage {
    storage: Arc<dyn Storage>,
    log_bytes: Arc<AtomicU64>,
}

impl Usage {
    pub(super) fn new(storage: Arc<dyn Storage>, records: &[Scanned]) -> Usage {
        let usage = Usage { storage, log_bytes: Arc::default() };
        usage.log_has(records);
        usage
    }

    pub(super) fn log_has(&self, records: &[Scanned]) {
        self.log_bytes.store(records.iter().map(|record| record.bytes).sum(), Ordering::Release);
    }

    pub(super) fn log_grew(&self, bytes: u64) {
        self.log_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Bytes of all files of the checkpoint: what a disk budget is compared with. The log, which has the many, is not
    /// looked at for it.
    pub fn bytes(&self) -> Result<u64, CheckpointError> {
        let mut bytes = self.log_bytes.load(Ordering::Acquire);
        for folder in ["state", "input", "outbox"] {
            bytes += self.storage.list(folder)?.iter().map(|entry| entry.bytes).sum::<u64>();
        }
        Ok(bytes)
    }
}

impl fmt::Debug for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Usage {{ {}, log {:?} }}", self.storage.place(), self.log_bytes)
    }
}
