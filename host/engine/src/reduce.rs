//! Rows of groups to one row a group, by a guest or by the host.

mod capacity;
mod guest;
mod native;

use tidemill_model::{columns::Rows, function::Phase, schema::Schema};
use tidemill_plan::graph::{Node, Operator, Reduce, Reducer};

use crate::{
    failure::{Cause, RunError},
    operators::{Batch, GuestSlot, Making},
};

pub(crate) use capacity::Capacity;
use guest::GuestReduce;
pub(crate) use native::NativeReduce;

/// What gets the accumulators, or the finished rows.
pub(crate) type Consume<'a> = dyn FnMut(&Rows<'_>) -> Result<(), Cause> + 'a;

/// Accumulators by group for one partition's batch.
pub(crate) trait Accumulate: Send {
    /// What an accumulator is.
    fn state(&self) -> &Schema;

    /// What can be merged at once before it must be taken; `None`: it is the host's own, and has no such limit.
    fn capacity(&self) -> Option<Capacity> {
        None
    }

    /// The most rows that can be added at once now, and their bytes.
    fn at_once(&self) -> Option<Capacity> {
        None
    }

    /// Whether the accumulators should be taken before more rows are added.
    fn is_full(&self) -> bool {
        false
    }

    /// Bytes of the accumulators that are there, about. Like the others it depends on this batch alone.
    fn bytes(&self) -> usize;

    /// A new batch.
    fn begin(&mut self) {}

    /// Nothing of what was added counts.
    fn forget(&mut self) {}

    /// The guest that accumulates, unless it is the host.
    fn guest(&mut self) -> Option<&mut GuestSlot> {
        None
    }

    /// Adds rows of the input (phase combine) or accumulators (phase merge); `groups` are below `count`.
    fn add(&mut self, batch: &Batch, phase: Phase, rows: &Rows<'_>, groups: &[u32], count: usize) -> Result<(), Cause>;

    /// Hands over the accumulators of all groups, in order, and starts anew.
    fn take(&mut self, batch: &Batch, phase: Phase, count: usize, consume: &mut Consume<'_>) -> Result<(), Cause>;

    /// Makes output rows of accumulators.
    fn finish(&mut self, batch: &Batch, rows: &Rows<'_>, consume: &mut Consume<'_>) -> Result<(), Cause>;
}

/// How a node reduces.
pub(crate) fn reduce_of(node: &Node) -> &Reduce {
    match &node.operator {
        Operator::Reduce(reduce) => reduce,
        other => unreachable!("a reduce is made of {other:?}"),
    }
}

/// Who reduces the rows of a node.
pub(crate) fn reducer_of(making: &Making<'_>) -> Result<Box<dyn Accumulate>, RunError> {
    reducer_by(making, |slot| slot)
}

/// The same for what is of no batch, because it was done already.
pub(crate) fn reducer_of_no_batch(making: &Making<'_>) -> Result<Box<dyn Accumulate>, RunError> {
    reducer_by(making, GuestSlot::of_no_batch)
}

fn reducer_by(making: &Making<'_>, slot: impl FnOnce(GuestSlot) -> GuestSlot) -> Result<Box<dyn Accumulate>, RunError> {
    let input = &making.inputs[0].schema;
    Ok(match reduce_of(making.node).reducer {
        Reducer::Guest => Box::new(GuestReduce::new(slot(making.guests.slot_of(making.node)?))),
        Reducer::Native(aggregate) => Box::new(NativeReduce::new(Some(aggregate), input)),
        Reducer::Keys => Box::new(NativeReduce::new(None, input)),
    })
}
