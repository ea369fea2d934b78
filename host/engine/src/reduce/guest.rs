//! A guest's reduce. The accumulators of a batch stay in the instance until they are taken.

use tidemill_model::{
    columns::{Rows, RowsBuffer},
    function::Phase,
    schema::Schema,
};

use super::{Accumulate, Consume};
use crate::{
    failure::Cause,
    operators::{Batch, GuestSlot},
};

pub(super) struct GuestReduce {
    guest: GuestSlot,
    chunk: u32,
}

impl GuestReduce {
    pub(super) fn new(guest: GuestSlot) -> GuestReduce {
        GuestReduce { guest, chunk: 0 }
    }
}

impl Accumulate for GuestReduce {
    fn state(&self) -> &Schema {
        &self.guest.function.signature.state
    }

    fn begin(&mut self) {
        self.chunk = 0;
        self.guest.begin();
    }

    fn add(&mut self, batch: &Batch, phase: Phase, rows: &Rows<'_>, groups: &[u32], count: usize) -> Result<(), Cause> {
        let context = batch.context(self.chunk, false);
        self.chunk += 1;
        if phase == Phase::Combine {
            let columns = self.guest.input(rows);
            let schema = self.guest.function.binding.input.clone();
            let input = Rows { schema: &schema, len: rows.len, columns: &columns };
            return self
                .guest
                .call(|instance| instance.reduce_groups(&context, phase, &input, groups, count, &mut |_| {}));
        }
        self.guest.call(|instance| instance.reduce_groups(&context, phase, rows, groups, count, &mut |_| {}))
    }

    fn take(&mut self, batch: &Batch, phase: Phase, count: usize, consume: &mut Consume<'_>) -> Result<(), Cause> {
        let context = batch.context(self.chunk, true);
        self.chunk = 0;
        let signature = &self.guest.function.signature;
        let schema = if phase == Phase::Combine { &self.guest.function.binding.input } else { &signature.state };
        let empty = RowsBuffer::new(schema);
        let columns = empty.columns();
        let rows = empty.with_columns(&columns);
        let mut downstream = Ok(());
        self.guest.call(|instance| {
            instance.reduce_groups(&context, phase, &rows, &[], count, &mut |rows| downstream = consume(&rows))
        })?;
        downstream
    }

    fn finish(&mut self, batch: &Batch, rows: &Rows<'_>, consume: &mut Consume<'_>) -> Result<(), Cause> {
        if !self.guest.function.signature.finishes {
            return consume(rows);
        }
        let context = batch.context(0, false);
        let groups: Vec<u32> = (0..rows.len as u32).collect();
        let mut downstream = Ok(());
        self.guest.call(|instance| {
            instance.reduce_groups(&context, Phase::Finish, rows, &groups, rows.len, &mut |rows| {
                downstream = consume(&rows);
            })
        })?;
        downstream
    }
}
