//! A guest's map: rows of a chunk in, rows out, read where they lie in the guest's memory.

use std::{ops::Range, sync::Arc};

use tidemill_guest::{Instance, Mapped, Origins, Verdict};
use tidemill_model::{
    columns::{Rows, RowsBuffer},
    function::CallContext,
    schema::Schema,
};
use tidemill_plan::graph;

use super::{
    Batch, GuestSlot, Letters, Making, Operator, Out, Policy, SharedRows,
    beside::Beside,
    chunks::{for_guest, push_in_chunks},
    letters::Letter,
    policy::{Attempt, Calls, Rejecting, reject_rows},
};
use crate::{
    failure::{Cause, RunError},
    presence::Presence,
};

/// A map, or an output function.
pub(crate) struct Map {
    shape: Shape,
    guest: GuestSlot,
    kind: MapKind,
    presence: Presence,
    chunk: u32,
    /// Not there while it is at work.
    policy: Option<Policy>,
    /// Rows of this batch that the function was given.
    rows_so_far: u64,
}

/// What becomes of the function's rows.
struct Shape {
    stream: String,
    schema: Schema,
    /// Input fields that go past the function, and what they are.
    keep: Vec<usize>,
    kept: Schema,
}

/// Which entry point serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapKind {
    /// map-rows.
    Map,
    /// output-rows.
    Output,
}

/// The operator of a stream that maps.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let Making { node, presence, policy, .. } = making;
    let graph::Operator::Map(map) = &node.operator else { unreachable!("a map is made of {:?}", node.operator) };
    let guest = making.guests.slot_of(node)?;
    Ok(Box::new(Map::new(&node.name, &node.schema, guest, MapKind::Map, presence, &map.keep, policy)))
}

impl Map {
    /// `schema` is the stream's, or that of the rows for a sink; `presence` is the stream's, or that of the stream that an
    /// output reads.
    pub(crate) fn new(
        stream: &str,
        schema: &Schema,
        guest: GuestSlot,
        kind: MapKind,
        presence: &Presence,
        keep: &[usize],
        policy: Option<Policy>,
    ) -> Map {
        let behind: Vec<usize> = (schema.len() - keep.len()..schema.len()).collect();
        let kept = schema.project(&behind);
        let shape = Shape { stream: stream.to_owned(), schema: schema.clone(), keep: keep.to_vec(), kept };
        Map { shape, guest, kind, presence: presence.clone(), chunk: 0, policy, rows_so_far: 0 }
    }

    fn push_chunk(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        let Some(mut policy) = self.policy.take_if(|policy| policy.is_asked()) else {
            return self.call(rows, None, batch, out)?;
        };
        let called = policy.run(rows.len, &mut Mapping { map: self, batch, rows, out });
        self.policy = Some(policy);
        self.rows_so_far += rows.len as u64;
        called
    }

    /// Calls the function with what it takes of `rows`.
    fn call(
        &mut self,
        rows: &Rows<'_>,
        letters: Option<Rejecting<'_>>,
        batch: &mut Batch,
        out: &mut dyn Out,
    ) -> Attempt {
        let context = batch.context(self.chunk, false);
        self.chunk += 1;
        let columns = self.guest.input(rows);
        let schema = self.guest.function.binding.input.clone();
        let input = Rows { schema: &schema, len: rows.len, columns: &columns };
        self.call_with(&context, &input, rows, letters, batch, out)
    }

    /// The last call for a partition: no rows, and nothing of them to be kept.
    fn call_last(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Attempt {
        let context = batch.context(self.chunk, true);
        let empty = RowsBuffer::new(&self.guest.function.binding.input);
        let columns = empty.columns();
        let input = empty.with_columns(&columns);
        self.call_with(&context, &input, &input, None, batch, out)
    }

    fn call_with(
        &mut self,
        context: &CallContext,
        input: &Rows<'_>,
        rows: &Rows<'_>,
        mut letters: Option<Rejecting<'_>>,
        batch: &mut Batch,
        out: &mut dyn Out,
    ) -> Attempt {
        let (shape, kind) = (&self.shape, self.kind);
        let (mut handed, mut judged) = (None, Ok(()));
        let mut consume = |mapped: Mapped<'_>| {
            judged = shape.judge(&mapped);
            if judged.is_err() {
                return;
            }
            let rejected = reject_rows(&shape.stream, &mapped.rejected, rows, letters.as_mut(), batch);
            handed = Some(rejected.and_then(|()| shape.hand_on(rows, &mapped, batch, out)));
        };
        let called = self.guest.call(|instance| kind.call(instance, context, input, &mut consume));
        self.guest.outcome(judged.and(called), handed)
    }
}

/// Rows that are mapped by policy.
struct Mapping<'a, 'o> {
    map: &'a mut Map,
    batch: &'a mut Batch,
    rows: &'a Rows<'a>,
    out: &'a mut (dyn Out + 'o),
}

impl Calls for Mapping<'_, '_> {
    fn attempt(&mut self, policy: &mut Policy, range: Range<usize>) -> Attempt {
        let letters = Rejecting { policy, first_row: self.map.rows_so_far + range.start as u64 };
        if range.len() == self.rows.len {
            return self.map.call(self.rows, Some(letters), self.batch, self.out);
        }
        let mut part = RowsBuffer::new(self.rows.schema);
        part.extend_range(self.rows, range)?;
        self.map.call(&part.with_columns(&part.columns()), Some(letters), self.batch, self.out)
    }

    fn guest(&mut self) -> Option<&mut GuestSlot> {
        Some(&mut self.map.guest)
    }

    fn set_aside(&mut self, policy: &mut Policy, at: usize, reason: &str) -> Result<(), Cause> {
        policy.set_aside(self.batch, &Letter::of_row(self.rows, at, self.map.rows_so_far, reason))
    }
}

impl MapKind {
    fn call(
        self,
        instance: &mut Instance,
        context: &CallContext,
        rows: &Rows<'_>,
        consume: &mut dyn FnMut(Mapped<'_>),
    ) -> Result<(), Verdict> {
        match self {
            MapKind::Map => instance.map_rows(context, rows, consume),
            MapKind::Output => instance.output_rows(context, rows, consume),
        }
    }
}

impl Operator for Map {
    fn begin(&mut self, _batch: &Batch) {
        (self.chunk, self.rows_so_far) = (0, 0);
        self.policy.iter_mut().for_each(Policy::begin);
        self.guest.begin();
    }

    fn share(&mut self, shared: &Arc<[SharedRows]>) {
        self.guest.share(shared);
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        for_guest(rows, &mut |chunk, _| self.push_chunk(batch, chunk, out))
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        // Such a function is told of the end, and of an empty partition too.
        let is_told =
            self.guest.function.signature.whole_partition && self.presence.is_present(batch.time, &batch.absent);
        if is_told { self.call_last(batch, out)? } else { Ok(()) }
    }

    fn held_bytes(&self) -> usize {
        self.policy.as_ref().map_or(0, Policy::held_bytes)
    }

    fn letters(&mut self) -> Option<&mut Letters> {
        self.policy.as_mut()?.letters()
    }
}

fn no_origins() -> Cause {
    Cause::Rows("the function does not say where its rows came from, so no field can be kept".to_owned())
}

impl Shape {
    /// Whether something can be made of an answer.
    fn judge(&self, mapped: &Mapped<'_>) -> Result<(), Cause> {
        let lacks = !self.keep.is_empty() && mapped.rows.len > 0 && mapped.origins == Origins::Many;
        if lacks { Err(no_origins()) } else { Ok(()) }
    }

    /// Pushes what was returned, kept fields behind it.
    fn hand_on(&self, from: &Rows<'_>, mapped: &Mapped<'_>, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        if mapped.rows.len == 0 {
            return Ok(());
        }
        let schema = &self.schema;
        if self.keep.is_empty() {
            return push_in_chunks(batch, &Rows { schema, ..mapped.rows }, out);
        }
        let same: Vec<u32>;
        let origins = match mapped.origins {
            Origins::Rows(origins) => origins,
            Origins::Same => {
                same = (0..mapped.rows.len as u32).collect();
                &same[..]
            }
            Origins::Many => return Err(no_origins()),
        };
        let kept = Rows { schema: &self.kept, len: from.len, columns: &from.project(&self.keep) };
        Beside { rows: kept, places: origins, is_first: false }.push(schema, &mapped.rows, batch, out)
    }
}
