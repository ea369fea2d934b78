//! A guest's map: rows of a chunk in, rows out, read where they lie in the guest's memory.

use tidemill_guest::{Mapped, Origins};
use tidemill_model::{
    columns::{Rows, RowsBuffer},
    schema::Schema,
};

use super::{Batch, GuestSlot, Operator, Out, push_in_chunks};
use crate::failure::Cause;

/// A map, or an output function.
pub(crate) struct Map {
    stream: String,
    schema: Schema,
    guest: GuestSlot,
    kind: MapKind,
    /// Input fields that go past the function.
    keep: Vec<usize>,
    chunk: u32,
}

/// Which entry point serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapKind {
    /// map-rows.
    Map,
    /// output-rows.
    Output,
}

impl Map {
    pub(crate) fn new(stream: &str, schema: &Schema, guest: GuestSlot, kind: MapKind, keep: &[usize]) -> Map {
        Map { stream: stream.to_owned(), schema: schema.clone(), guest, kind, keep: keep.to_vec(), chunk: 0 }
    }

    fn call(&mut self, batch: &mut Batch, rows: &Rows<'_>, last: bool, out: &mut dyn Out) -> Result<(), Cause> {
        let context = batch.context(self.chunk, last);
        self.chunk += 1;
        let columns = self.guest.input(rows);
        let input_schema = self.guest.function.binding.input.clone();
        let input = Rows { schema: &input_schema, len: rows.len, columns: &columns };
        let (stream, schema, keep, kind) = (&self.stream, &self.schema, &self.keep, self.kind);
        let mut downstream = Ok(());
        let mut consume = |mapped: Mapped<'_>| downstream = hand_on(stream, schema, keep, rows, &mapped, batch, out);
        self.guest.call(|instance| match kind {
            MapKind::Map => instance.map_rows(&context, &input, &mut consume),
            MapKind::Output => instance.output_rows(&context, &input, &mut consume),
        })?;
        downstream
    }
}

impl Operator for Map {
    fn begin(&mut self, _batch: &Batch) {
        self.chunk = 0;
        self.guest.begin();
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        self.call(batch, rows, false, out)
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        if !self.guest.function.signature.whole_partition {
            return Ok(());
        }
        // Such a function is told of the end, and of an empty partition too.
        let empty = RowsBuffer::new(&self.guest.function.binding.input);
        self.call_empty(batch, &empty, out)
    }
}

impl Map {
    /// The last call for a partition: no rows, already in the function's own shape.
    fn call_empty(&mut self, batch: &mut Batch, empty: &RowsBuffer, out: &mut dyn Out) -> Result<(), Cause> {
        let context = batch.context(self.chunk, true);
        let columns = empty.columns();
        let input = empty.with_columns(&columns);
        let (stream, schema) = (&self.stream, &self.schema);
        let mut downstream = Ok(());
        let mut consume = |mapped: Mapped<'_>| downstream = hand_on(stream, schema, &[], &input, &mapped, batch, out);
        self.guest.call(|instance| instance.map_rows(&context, &input, &mut consume))?;
        downstream
    }
}

/// Counts what was rejected, and pushes what was returned, kept fields behind it.
fn hand_on(
    stream: &str,
    schema: &Schema,
    keep: &[usize],
    from: &Rows<'_>,
    mapped: &Mapped<'_>,
    batch: &mut Batch,
    out: &mut dyn Out,
) -> Result<(), Cause> {
    if let Some(first) = mapped.rejected.first() {
        batch.rejections.add(stream, mapped.rejected.len() as u64, &first.reason);
    }
    if mapped.rows.len == 0 {
        return Ok(());
    }
    if keep.is_empty() {
        return push_in_chunks(batch, &Rows { schema, ..mapped.rows }, out);
    }
    let same: Vec<u32>;
    let origins = match mapped.origins {
        Origins::Rows(origins) => origins,
        Origins::Same => {
            same = (0..mapped.rows.len as u32).collect();
            &same[..]
        }
        Origins::Many => {
            return Err(Cause::Rows(
                "the function does not say where its rows came from, so no field can be kept".to_owned(),
            ));
        }
    };
    let mut kept = RowsBuffer::new(&from.schema.project(keep));
    kept.take(&Rows { schema: &from.schema.project(keep), len: from.len, columns: &from.project(keep) }, origins)?;
    let columns: Vec<_> = mapped.rows.columns.iter().copied().chain(kept.columns()).collect();
    push_in_chunks(batch, &Rows { schema, len: mapped.rows.len, columns: &columns }, out)
}
