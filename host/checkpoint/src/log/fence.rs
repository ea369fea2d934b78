//! Whether this host still owns the checkpoint.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::scan::read_header;
use crate::{
    error::CheckpointError,
    record::{Number, Record},
    storage::{Storage, StorageError},
};

/// Looks for a later claim. Clones may be used by any thread while the log grows.
#[derive(Clone)]
pub struct Fence {
    storage: Arc<dyn Storage>,
    pipeline: String,
    generation: u64,
    /// The number of the next record.
    pub(super) next: Arc<AtomicU64>,
}

impl Fence {
    pub(super) fn new(storage: Arc<dyn Storage>, pipeline: &str, generation: u64, next: Number) -> Fence {
        Fence { storage, pipeline: pipeline.to_owned(), generation, next: Arc::new(AtomicU64::new(next)) }
    }

    /// The generation of this host's claim.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn pipeline(&self) -> &str {
        &self.pipeline
    }

    pub(super) fn next(&self) -> Number {
        self.next.load(Ordering::Acquire)
    }

    /// [`CheckpointError::Fenced`] if another host has claimed the checkpoint. It costs one look for a file that is not
    /// there. What was made durable before this said no is seen by whoever claims later.
    pub fn check(&self) -> Result<(), CheckpointError> {
        let mut number = self.next();
        loop {
            let header = match read_header(&*self.storage, &self.pipeline, number) {
                Ok((header, _)) => header,
                Err(CheckpointError::Storage(StorageError::NotFound { .. })) => return Ok(()),
                // Damaged, or it cannot be read: whose it is cannot be known, and that must be known.
                Err(error) => return Err(error),
            };
            match header.record {
                Record::Claim { host, .. } if header.generation > self.generation => {
                    return Err(CheckpointError::Fenced { generation: header.generation, host });
                }
                // The log of this host, which another thread has just added to.
                _ => number += 1,
            }
        }
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fence {{ generation {}, next {} }}", self.generation, self.next())
    }
}

#[cfg(test)]
mod tests {
    use tidemill_model::time::Timestamp;

    use super::*;
    use crate::{
        format::{FileKind, whole_file},
        record::{RecordHeader, record_name},
        storage::MemoryStorage,
    };

    fn put(storage: &MemoryStorage, number: Number, generation: u64, record: Record) {
        let header = RecordHeader { pipeline: "p".to_owned(), number, previous: number - 1, generation, record };
        storage.overwrite(&record_name(number), whole_file(FileKind::Record, &header, &[]).expect("a record"));
    }

    /// Another thread of this host may be adding to the log: a claim is found behind however many records.
    #[test]
    fn a_claim_is_found_behind_the_records_of_this_host() {
        for between in 0..4 {
            let storage = MemoryStorage::new();
            let fence = Fence::new(Arc::new(storage.clone()), "p", 3, 10);
            (10..10 + between).for_each(|number| put(&storage, number, 3, Record::Delivered { batch: Timestamp(1) }));
            fence.check().expect("nobody has claimed it");
            put(&storage, 10 + between, 4, Record::Claim { host: "other".to_owned(), at: Timestamp(0) });
            let error = fence.check().expect_err("somebody has");
            assert!(matches!(&error, CheckpointError::Fenced { generation: 4, host } if host == "other"), "{error}");
            storage.overwrite(&record_name(10 + between), b"damaged".to_vec());
            assert!(fence.check().is_err(), "whose it is cannot be known");
        }
    }
}
