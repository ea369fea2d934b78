//! Batches that are skipped: nothing comes of them, and the run goes on.

use std::sync::Arc;

use tidemill_plan::{graph::NodeId, stages::Input};

use super::{ROUND_BYTES, Run};
use crate::failure::RunError;

/// What an error ends.
pub(super) enum Failed {
    /// The batch: it is skipped.
    Batch(RunError),
    /// The run.
    Run(RunError),
}

impl From<RunError> for Failed {
    fn from(error: RunError) -> Failed {
        Failed::Run(error)
    }
}

impl Run {
    /// Notes that the open batch is to be skipped, if that is what has failed.
    pub(super) fn unless_skipped<T>(&mut self, result: Result<T, Failed>) -> Result<(), RunError> {
        match result {
            Ok(_) => Ok(()),
            Err(Failed::Batch(error)) => {
                self.skipped = Some(error);
                Ok(())
            }
            Err(Failed::Run(error)) => Err(error),
        }
    }

    /// Drops what the sealed sources still have, and what the stages made of the rest. Gives the sources: none of them
    /// has a batch at this tick.
    pub(super) fn skip(&mut self) -> Result<Arc<[NodeId]>, RunError> {
        let mut absent = Vec::new();
        for stage in 0..self.stages.stages.len() {
            let Input::Source(node) = self.stages.stages[stage].input else { continue };
            absent.push(node);
            self.reporter.add_rows(self.sources.drop_sealed(stage, ROUND_BYTES)?);
        }
        for (partition, task) in self.tasks.iter_mut().flat_map(|tasks| tasks.iter_mut().flatten().enumerate()) {
            task.abandon();
            self.store.take_back(partition, task.give_back());
        }
        self.store.undo();
        self.exchanges.clear();
        self.outputs.skip();
        self.counters.abandon();
        Ok(absent.into())
    }
}
