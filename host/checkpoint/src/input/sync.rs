//! A sync of the input log beside its growth.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use crate::{error::CheckpointError, log::Fence, storage::SyncWork};

/// What was begun is not done.
const BEGUN: u8 = 0;
const DONE: u8 = 1;
const FAILED: u8 = 2;

/// A sync of the input log that was begun. It has failed if it is dropped before it is [finished](InputSync::finish).
pub struct InputSync {
    work: SyncWork,
    fence: Fence,
    bytes: u64,
    ends: Ends,
}

/// Says what came of it, whatever becomes of it.
struct Ends(Arc<AtomicU8>);

/// The log's side of it.
pub(super) struct Begun {
    bytes: u64,
    outcome: Arc<AtomicU8>,
}

impl InputSync {
    /// `bytes`: of the segment when it was begun.
    pub(super) fn new(work: SyncWork, fence: Fence, bytes: u64) -> InputSync {
        InputSync { work, fence, bytes, ends: Ends(Arc::new(AtomicU8::new(BEGUN))) }
    }

    pub(super) fn begun(&self) -> Begun {
        Begun { bytes: self.bytes, outcome: self.ends.0.clone() }
    }

    /// Makes durable what had been appended when it was begun. Fails if another host has claimed the checkpoint: then that
    /// counts for nobody.
    pub fn finish(self) -> Result<(), CheckpointError> {
        (self.work)()?;
        // In this order: a claim that is not there yet is made by a host that will see what is durable now.
        self.fence.check()?;
        self.ends.0.store(DONE, Ordering::Release);
        Ok(())
    }
}

impl Begun {
    /// How many bytes of the segment are durable now, or that the sync has failed; `None`: it has not ended.
    pub(super) fn outcome(&self) -> Option<Result<u64, ()>> {
        match self.outcome.load(Ordering::Acquire) {
            BEGUN => None,
            DONE => Some(Ok(self.bytes)),
            _ => Some(Err(())),
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        // Nobody says so twice: what is done stays done.
        let _ = self.0.compare_exchange(BEGUN, FAILED, Ordering::AcqRel, Ordering::Acquire);
    }
}

impl std::fmt::Debug for InputSync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InputSync {{ {} bytes }}", self.bytes)
    }
}
