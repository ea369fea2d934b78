//! The points of a batch at which what a crash would leave behind changes, each with a name.
//!
//! The order stands here and in `engine/commit.rs`, nowhere else. From point 2 on another thread does it, while the next batch is
//! received and run; but one batch after the other, each to its end:
//!
//! 0. [`Point::Start`], before the first batch, and before one that is run again: where those sources begin that the checkpoint does
//!    not know is durable. Of those whose input is logged it is before they receive, and else before anything is taken of them.
//! 1. The batch is run. Input that cannot be read again is written to the input log before it is run. Nothing of the batch
//!    can be seen outside.
//! 2. [`Point::Log`]: what was written to the input log is durable.
//! 3. [`Point::Plan`]: what the batch is made of is durable. If it does not come to count, it is run again with the same
//!    input.
//! 4. [`Point::Outbox`]: rows for sinks that are too many for a record, and were written while the batch was open, are durable.
//! 5. [`Point::Commit`]: the changed state, the rows for every sink and the counters are durable, in one record. This
//!    decides: before it the batch has not happened, after it it has. Peers that want to know are told.
//! 6. [`Point::Prepare`], [`Point::Deliver`]: the sinks prepare their rows, then make them visible. Done again after a crash.
//! 7. [`Point::Snapshot`] and [`Point::Clean`], now and then, in the background: a snapshot is made, and then what no recovery
//!    needs is removed. Where room is waited for it is removed at once.
//! 8. [`Point::Finish`], when the run ends, however it went unless the checkpoint itself failed: it is noted that the last batch
//!    was delivered. In a run that goes on, the next plan says it.

use tidemill_model::time::Timestamp;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// Sources begin.
    Start,
    /// Logged input is made durable.
    Log,
    /// The batch's input is settled.
    Plan,
    /// The rows beside its record are published, if it has any.
    Outbox,
    /// The batch is committed.
    Commit,
    /// The sinks prepare it.
    Prepare,
    /// The sinks make it visible.
    Deliver,
    /// A snapshot is begun.
    Snapshot,
    /// Files that no recovery needs are removed.
    Clean,
    /// The last batch is noted as delivered.
    Finish,
}

impl Point {
    /// All of them.
    pub const ALL: [Point; 10] = [
        Point::Start,
        Point::Log,
        Point::Plan,
        Point::Outbox,
        Point::Commit,
        Point::Prepare,
        Point::Deliver,
        Point::Snapshot,
        Point::Clean,
        Point::Finish,
    ];
}

/// Where a run can be stopped as if the machine had lost its power: for tests of recovery.
pub trait Failpoints: Send {
    /// Whether everything stops here: right before the point of this batch or, `after`, right behind it.
    fn stops(&mut self, point: Point, after: bool, batch: Timestamp) -> bool;
}

/// A run that is never stopped like that.
#[derive(Debug)]
pub struct NoFailpoints;

impl Failpoints for NoFailpoints {
    fn stops(&mut self, _step: Point, _after: bool, _batch: Timestamp) -> bool {
        false
    }
}
