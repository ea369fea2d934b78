//! Rows of groups to one row a group, by a guest or by the host.

mod guest;
mod native;
mod room;

use tidemill_model::{columns::Rows, function::Phase, schema::Schema};
use tidemill_plan::graph::{Aggregate, Node, Operator, Plan, Reducer};

use crate::{
    failure::{Cause, RunError},
    operators::{Batch, GuestSlot, Guests},
};

use guest::GuestReduce;
pub(crate) use native::NativeReduce;
pub(crate) use room::Room;

/// What gets the accumulators, or the finished rows.
pub(crate) type Consume<'a> = dyn FnMut(&Rows<'_>) -> Result<(), Cause> + 'a;

/// Accumulators by group for one partition's batch.
pub(crate) trait Accumulate: Send {
    /// What an accumulator is.
    fn state(&self) -> &Schema;

    /// What can be merged at once before it must be taken; `None`: it is the host's own, and has no such limit.
    fn room(&self) -> Option<Room> {
        None
    }

    /// The most rows that can be added at once now, and their bytes.
    fn at_once(&self) -> Option<Room> {
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

/// The reducer of a node that reduces, counts or makes distinct, and the fields of its key.
pub(crate) fn reducer_of(
    plan: &Plan,
    node: &Node,
    guests: &Guests,
) -> Result<(Box<dyn Accumulate>, Vec<usize>), RunError> {
    let input = &plan.nodes[node.inputs[0].0].schema;
    Ok(match &node.operator {
        Operator::Reduce(reduce) => {
            let accumulate: Box<dyn Accumulate> = match &reduce.reducer {
                Reducer::Guest(function) => Box::new(GuestReduce::new(guests.slot(&node.name, function)?)),
                Reducer::Native(aggregate) => Box::new(NativeReduce::new(Some(*aggregate), input)),
            };
            (accumulate, reduce.by.clone())
        }
        Operator::Count => (Box::new(NativeReduce::new(Some(Aggregate::Count), input)), Vec::new()),
        _ => (Box::new(NativeReduce::new(None, input)), (0..input.len()).collect()),
    })
}
