//! The steps of a stage at work: rows are pushed in, chunk by chunk, and what comes out is pushed to the children.

mod arrange;
mod beside;
mod chunks;
mod combine;
mod filter;
mod group;
mod guest;
mod join;
mod key_bytes;
mod leave;
mod letters;
mod map;
mod merge;
mod order;
mod panes;
mod policy;
mod recipe;
mod sample;
mod scattered;
mod shared;
mod sides;
mod table;
mod top;
mod update_state;
mod window;
mod window_merge;

use std::sync::Arc;

use tidemill_model::{
    columns::Rows,
    function::CallContext,
    time::{Interval, Timestamp},
};
use tidemill_plan::graph::{NodeId, Port};
use tidemill_state::table::Table;

use crate::{arrival::Arrival, budget::Budget, failure::Cause, pieces::Piece, stop::Stopper};

pub(crate) use chunks::{CHUNK_BYTES, CHUNK_ROWS, for_guest};
pub(crate) use guest::{GuestSlot, Guests};
pub(crate) use leave::{Gather, Pass, Scatter, Spread};
pub(crate) use letters::Letters;
pub(crate) use map::{Map, MapKind};
pub(crate) use policy::Policy;
pub(crate) use recipe::{Making, Recipe};
pub(crate) use shared::{Share, SharedRows};
pub(crate) use sides::KeyFields;

/// What an operator of one partition may hold of a batch, in bytes: as much as the offsets of a single column can number, so that
/// rows within it can be put together in any way.
pub(crate) const OPERATOR_BYTES_MAX: usize = i32::MAX as usize;

/// One step for one partition. It is used batch after batch: first [`Operator::begin`], then any number of pushes, then
/// [`Operator::finish`].
pub(crate) trait Operator: Send {
    /// A new batch.
    fn begin(&mut self, _batch: &Batch) {}

    /// Gets the side inputs of a batch that has begun, in the order of the plan.
    fn share(&mut self, _shared: &Arc<[SharedRows]>) {}

    /// Rows of the input, in order.
    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause>;

    /// No more rows will come in this batch.
    fn finish(&mut self, _batch: &mut Batch, _out: &mut dyn Out) -> Result<(), Cause> {
        Ok(())
    }

    /// What a step at the end of a stage has left since the last time: for each place it leaves rows at, its number there and
    /// the rows. What is better left together may stay until `all` is wanted: when the batch ends.
    fn leave(&mut self, _all: bool) -> Vec<(u32, Piece)> {
        Vec::new()
    }

    /// How much there is to do when the batch of a tick ends, besides what is pushed until then: as much as for so many rows,
    /// about.
    fn work_at_end(&self, _time: Timestamp) -> usize {
        0
    }

    /// Bytes of rows that it holds until the batch ends, about.
    fn held_bytes(&self) -> usize {
        0
    }

    /// Gets the tables that its part of the node keeps, before a batch begins, in the order of the plan.
    fn lend(&mut self, _tables: Vec<Table>) {}

    /// Gives them back, when the batch has ended or is to be undone.
    fn give_back(&mut self) -> Vec<Table> {
        Vec::new()
    }

    /// The rows that its function could not take, or would not.
    fn letters(&mut self) -> Option<&mut Letters> {
        None
    }
}

/// Where a step's rows go.
pub(crate) trait Out {
    /// To all children, in order.
    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>) -> Result<(), Cause>;

    /// Whether anybody reads what stands beside the step's stream.
    fn is_read(&self, _port: Port) -> bool {
        false
    }

    /// To those who read that, in order.
    fn push_beside(&mut self, _port: Port, _batch: &mut Batch, _rows: &Rows<'_>) -> Result<(), Cause> {
        Ok(())
    }
}

/// What a step knows of the batch, and what it says of it.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) time: Timestamp,
    pub(crate) interval: Interval,
    pub(crate) partition: u32,
    pub(crate) partitions: u32,
    /// The place of the rows that are pushed now.
    pub(crate) arrival: Arrival,
    /// Of which input of the stage's first step they are.
    pub(crate) input: usize,
    /// When it ends: the sources that have no batch at this tick.
    pub(crate) absent: Arc<[NodeId]>,
    /// Rows that functions did not take.
    pub(crate) rejections: Rejections,
    /// What an operator may hold of it: [`OPERATOR_BYTES_MAX`], or less for tests.
    pub(crate) held_bytes_max: usize,
    /// What all functions may use of it.
    pub(crate) budget: Budget,
    /// Ends it when the run has been told to stop and there is no time left.
    pub(crate) stopper: Option<Stopper>,
}

/// Rejected rows, counted, with the first few reasons.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rejections {
    pub(crate) by_stream: Vec<StreamRejections>,
}

/// Rejected rows of one stream.
#[derive(Clone, Debug)]
pub(crate) struct StreamRejections {
    pub(crate) stream: String,
    pub(crate) count: u64,
    pub(crate) first_reason: String,
}

impl Batch {
    /// What a partition's steps know before the first batch begins.
    pub(crate) fn new(interval: Interval, partition: u32, partitions: u32) -> Batch {
        Batch {
            budget: Budget::default(),
            stopper: None,
            time: Timestamp(0),
            interval,
            partition,
            partitions,
            arrival: Arrival::default(),
            input: 0,
            absent: Arc::new([]),
            rejections: Rejections::default(),
            held_bytes_max: OPERATOR_BYTES_MAX,
        }
    }

    /// An error if an operator holds more of the batch than it may. Which rows make it more must depend on the batch alone: what
    /// is counted is what rows need, and not what room there is for them.
    pub(crate) fn hold(&self, bytes: usize) -> Result<(), Cause> {
        let bytes_max = self.held_bytes_max;
        if bytes > bytes_max { Err(Cause::TooMuch { bytes_max }) } else { Ok(()) }
    }

    /// An error if the batch is not to go on: asked between the steps of a task, and by steps that are long.
    pub(crate) fn look_up(&self) -> Result<(), Cause> {
        match &self.stopper {
            Some(stopper) if stopper.is_out_of_time() => Err(Cause::OutOfTime),
            _ => Ok(()),
        }
    }

    /// The context of a call.
    pub(crate) fn context(&self, chunk: u32, last: bool) -> CallContext {
        CallContext {
            batch_time: self.time,
            interval_micros: self.interval.micros(),
            partition: self.partition,
            partitions: self.partitions,
            chunk,
            last,
        }
    }
}

impl Rejections {
    /// Counts rejected rows of a stream.
    pub(crate) fn add(&mut self, stream: &str, count: u64, first_reason: &str) {
        match self.by_stream.iter_mut().find(|known| known.stream == stream) {
            Some(known) => known.count += count,
            None => self.by_stream.push(StreamRejections {
                stream: stream.to_owned(),
                count,
                first_reason: first_reason.to_owned(),
            }),
        }
    }

    /// Adds what another partition counted.
    pub(crate) fn merge(&mut self, other: &Rejections) {
        other.by_stream.iter().for_each(|stream| self.add(&stream.stream, stream.count, &stream.first_reason));
    }
}
