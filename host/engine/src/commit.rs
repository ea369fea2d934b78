//! What makes a batch count, and seen: in the order that [`points`](crate::checkpoint) describes. It is done beside the batch loop,
//! which runs the next batch meanwhile; one batch after the other, each to its end.

mod beside;
mod outbox;
mod sinks;
mod undelivered;

use std::sync::Arc;

use tidemill_checkpoint::{InputSync, Section};
use tidemill_model::{ports::Clock, time::Timestamp};

use crate::{
    checkpoint::{Keeper, Point, Settled},
    failure::RunError,
};
pub(crate) use beside::{Commits, News};
pub(crate) use outbox::OUTBOX_BYTES;
pub(crate) use sinks::{Newest, OutputRows, Sinks, new_ones};
pub(crate) use undelivered::check_undelivered;

/// Whoever commits: it has all that a run leaves in the world.
pub(crate) struct Committer {
    /// `None`: there is no checkpoint.
    pub(crate) keeper: Option<Keeper>,
    pub(crate) sinks: Sinks,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A batch whose stages have run.
pub(crate) struct CommitJob {
    pub(crate) batch: Timestamp,
    /// Its input, if there is a log of that: what of the log has to become durable.
    pub(crate) logged: Option<Option<InputSync>>,
    /// What is settled with its input.
    pub(crate) settled: Settled,
    /// What changed in the tables.
    pub(crate) changes: Vec<Section>,
    pub(crate) counters: Vec<(String, u64)>,
    /// By output.
    pub(crate) rows: Vec<OutputRows>,
    /// Bytes that were written beside its record and have no name yet.
    pub(crate) written_bytes: u64,
}

impl CommitJob {
    /// Bytes of all that it has, about.
    fn bytes(&self) -> u64 {
        let of_sections = self.changes.iter().chain(&self.settled.sections).flat_map(|section| &section.batches);
        let held = self.rows.iter().flat_map(|rows| if let OutputRows::Held(parts) = rows { &parts[..] } else { &[] });
        let all = of_sections.chain(held.flatten());
        all.map(|rows| rows.get_array_memory_size() as u64).sum::<u64>() + self.written_bytes
    }
}

impl Committer {
    /// Commits a batch, if there is a checkpoint, and gives it to the sinks; `committed` is told when it counts. Gives the time
    /// when all was done.
    pub(crate) fn commit(&mut self, job: CommitJob, committed: &dyn Fn()) -> Result<Timestamp, RunError> {
        let CommitJob { batch, logged, settled, changes, counters, rows, .. } = job;
        let sinks = &mut self.sinks;
        let Some(keeper) = &mut self.keeper else {
            sinks.prepare(batch, &rows)?;
            sinks.deliver(batch, &rows)?;
            return Ok(self.clock.now());
        };
        if let Some(sync) = logged {
            keeper.point(Point::Log, batch, |_| Ok(sync.map_or(Ok(()), InputSync::finish)?))?;
        }
        let plan = keeper.plan(batch, settled)?;
        let outbox = match sinks.take_outbox(&rows) {
            Some((draft, parts)) => Some(keeper.point(Point::Outbox, batch, |_| Ok(draft.publish(parts)?))?),
            None => None,
        };
        let mut sections = changes;
        sections.extend(sinks.sections(&rows));
        keeper.commit(batch, plan, counters, &sections, outbox)?;
        // Not with the plan: a damaged newest record is passed over, and what it says must not have been told.
        committed();
        // A host that slept here for long is not to deliver what another one has delivered since.
        keeper.fence().check()?;
        keeper.point(Point::Prepare, batch, |_| sinks.prepare(batch, &rows))?;
        keeper.point(Point::Deliver, batch, |_| sinks.deliver(batch, &rows))?;
        keeper.delivered(batch);
        keeper.tidy(batch)?;
        Ok(self.clock.now())
    }
}
