//! A guest's reduce. The accumulators of a batch stay in the instance until they are taken.

use tidemill_model::{
    columns::{Rows, RowsBuffer},
    function::Phase,
    schema::Schema,
};

use super::{Accumulate, Consume};
use crate::{
    failure::Cause,
    operators::{Batch, GuestSlot, for_guest},
};

pub(super) struct GuestReduce {
    guest: GuestSlot,
    chunk: u32,
    /// Groups that the guest has met since chunk 0.
    groups: usize,
}

impl GuestReduce {
    pub(super) fn new(guest: GuestSlot) -> GuestReduce {
        GuestReduce { guest, chunk: 0, groups: 0 }
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

    fn begin(&mut self) {
        (self.chunk, self.groups) = (0, 0);
        self.guest.begin();
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
        (self.chunk, self.groups) = (0, 0);
        let signature = &self.guest.function.signature;
        let schema = if phase == Phase::Combine { &self.guest.function.binding.input } else { &signature.state };
        let empty = RowsBuffer::new(schema);
        let columns = empty.columns();
        let rows = empty.with_columns(&columns);
        let mut downstream = Ok(());
        let called = self.guest.call(|instance| {
            instance.reduce_groups(&context, phase, &rows, &[], count, &mut |rows| downstream = consume(&rows))
        });
        downstream.and(called)
    }

    fn finish(&mut self, batch: &Batch, rows: &Rows<'_>, consume: &mut Consume<'_>) -> Result<(), Cause> {
        if !self.guest.function.signature.finishes {
            return consume(rows);
        }
        let context = batch.context(0, false);
        let groups: Vec<u32> = (0..rows.len as u32).collect();
        let mut downstream = Ok(());
        let called = self.guest.call(|instance| {
            instance.reduce_groups(&context, Phase::Finish, rows, &groups, rows.len, &mut |rows| {
                downstream = consume(&rows);
            })
        });
        downstream.and(called)
    }
}
