//! A guest's reduce. The accumulators of a batch stay in the instance until they are taken.

use tidemill_model::{
    columns::{Rows, RowsBuffer},
    function::Phase,
    schema::Schema,
};

use super::{
    Accumulate, Consume,
    capacity::{Capacity, FIRST_ROWS, fixed_bytes},
};
use crate::{
    failure::Cause,
    operators::{Batch, GuestSlot, for_guest},
};

pub(super) struct GuestReduce {
    guest: GuestSlot,
    chunk: u32,
    /// Groups that the guest has met since chunk 0.
    groups: usize,
    capacity: Capacity,
    /// Bytes of every accumulator, if they have the same size.
    fixed_bytes: Option<usize>,
    /// Else bytes of one, about, once some were seen in this batch. It is forgotten when a batch begins, because what is
    /// handed on when decides in which order accumulators are merged, and that must not depend on earlier batches.
    seen_bytes: Option<usize>,
    /// Bytes of rows since chunk 0, by which accumulators may have grown.
    grown_bytes: usize,
}

impl GuestReduce {
    pub(super) fn new(guest: GuestSlot) -> GuestReduce {
        let state = &guest.function.signature.state;
        let (capacity, fixed_bytes) = (Capacity::of(state, guest.limits()), fixed_bytes(state));
        GuestReduce { guest, chunk: 0, groups: 0, capacity, fixed_bytes, seen_bytes: None, grown_bytes: 0 }
    }

    /// Bytes of an accumulator, about, if that is known.
    fn group_bytes(&self) -> Option<usize> {
        self.fixed_bytes.or(self.seen_bytes)
    }

    /// `rows` are what the guest takes.
    fn add_in_chunks(
        &mut self,
        batch: &Batch,
        phase: Phase,
        rows: &Rows<'_>,
        groups: &[u32],
        count: usize,
    ) -> Result<(), Cause> {
        if self.fixed_bytes.is_none() {
            self.grown_bytes += rows.bytes();
        }
        for_guest(rows, &mut |rows, range| {
            let context = batch.context(self.chunk, false);
            self.chunk += 1;
            let is_last = range.end == groups.len();
            let groups = &groups[range];
            let met = || groups.iter().fold(self.groups, |met, &group| met.max(group as usize + 1));
            self.groups = if is_last { count } else { met() };
            let count = self.groups;
            self.guest.call(|instance| instance.reduce_groups(&context, phase, rows, groups, count, &mut |_| {}))
        })
    }
}

impl Accumulate for GuestReduce {
    fn state(&self) -> &Schema {
        &self.guest.function.signature.state
    }

    fn capacity(&self) -> Option<Capacity> {
        Some(self.capacity)
    }

    fn at_once(&self) -> Option<Capacity> {
        let groups = match self.group_bytes() {
            Some(bytes) => (self.capacity.bytes / bytes).clamp(1, self.capacity.groups),
            None => FIRST_ROWS.min(self.capacity.groups),
        };
        Some(Capacity { groups, ..self.capacity })
    }

    fn is_full(&self) -> bool {
        let is_unknown = self.group_bytes().is_none() && self.groups > 0;
        is_unknown || self.groups > self.capacity.groups || self.bytes() > self.capacity.bytes
    }

    fn bytes(&self) -> usize {
        self.groups * self.group_bytes().unwrap_or(0) + self.grown_bytes
    }

    fn begin(&mut self) {
        self.forget();
        self.guest.begin();
    }

    fn forget(&mut self) {
        (self.chunk, self.groups, self.grown_bytes) = (0, 0, 0);
        self.seen_bytes = None;
    }

    fn guest(&mut self) -> Option<&mut GuestSlot> {
        Some(&mut self.guest)
    }

    fn add(&mut self, batch: &Batch, phase: Phase, rows: &Rows<'_>, groups: &[u32], count: usize) -> Result<(), Cause> {
        if phase != Phase::Combine {
            return self.add_in_chunks(batch, phase, rows, groups, count);
        }
        let columns = self.guest.input(rows);
        let schema = self.guest.function.binding.input.clone();
        self.add_in_chunks(batch, phase, &Rows { schema: &schema, len: rows.len, columns: &columns }, groups, count)
    }

    fn take(&mut self, batch: &Batch, phase: Phase, count: usize, consume: &mut Consume<'_>) -> Result<(), Cause> {
        let context = batch.context(self.chunk, true);
        (self.chunk, self.groups, self.grown_bytes) = (0, 0, 0);
        let signature = &self.guest.function.signature;
        let schema = if phase == Phase::Combine { &self.guest.function.binding.input } else { &signature.state };
        let empty = RowsBuffer::new(schema);
        let columns = empty.columns();
        let rows = empty.with_columns(&columns);
        let (mut handed, mut bytes) = (None, 0);
        let called = self.guest.call(|instance| {
            instance.reduce_groups(&context, phase, &rows, &[], count, &mut |rows| {
                bytes = rows.bytes();
                handed = Some(consume(&rows));
            })
        });
        self.seen_bytes = Some((bytes / count.max(1)).max(1));
        self.guest.outcome(called, handed)?
    }

    fn finish(&mut self, batch: &Batch, rows: &Rows<'_>, consume: &mut Consume<'_>) -> Result<(), Cause> {
        if !self.guest.function.signature.finishes {
            return consume(rows);
        }
        let context = batch.context(0, false);
        let groups: Vec<u32> = (0..rows.len as u32).collect();
        let mut handed = None;
        let called = self.guest.call(|instance| {
            instance.reduce_groups(&context, Phase::Finish, rows, &groups, rows.len, &mut |rows| {
                handed = Some(consume(&rows));
            })
        });
        self.guest.outcome(called, handed)?
    }
}
