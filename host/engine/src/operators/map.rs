//! A guest's map: rows of a chunk in, rows out, read where they lie in the guest's memory.

use tidemill_guest::{Instance, Mapped, Origins, Verdict};
use tidemill_model::{
    columns::{Rows, RowsBuffer},
    function::CallContext,
    schema::Schema,
};

use super::{
    Batch, GuestSlot, Operator, Out,
    beside::Beside,
    chunks::{for_guest, push_in_chunks},
};
use crate::{failure::Cause, presence::Presence};

/// A map, or an output function.
pub(crate) struct Map {
    stream: String,
    schema: Schema,
    guest: GuestSlot,
    kind: MapKind,
    presence: Presence,
    keep: Keep,
    chunk: u32,
}

/// Input fields that go past the function, and what they are.
struct Keep {
    fields: Vec<usize>,
    schema: Schema,
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
    /// `schema` is the stream's, or that of the rows for a sink; `presence` is the stream's, or that of the stream that an
    /// output reads.
    pub(crate) fn new(
        stream: &str,
        schema: &Schema,
        guest: GuestSlot,
        kind: MapKind,
        presence: &Presence,
        keep: &[usize],
    ) -> Map {
        let behind: Vec<usize> = (schema.len() - keep.len()..schema.len()).collect();
        let keep = Keep { fields: keep.to_vec(), schema: schema.project(&behind) };
        let (stream, schema, presence) = (stream.to_owned(), schema.clone(), presence.clone());
        Map { stream, schema, guest, kind, presence, keep, chunk: 0 }
    }

    fn push_chunk(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        let context = batch.context(self.chunk, false);
        self.chunk += 1;
        let columns = self.guest.input(rows);
        let schema = self.guest.function.binding.input.clone();
        let input = Rows { schema: &schema, len: rows.len, columns: &columns };
        self.call(&context, &input, rows, batch, out)
    }

    /// The last call for a partition: no rows, and nothing of them to be kept.
    fn push_last(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let context = batch.context(self.chunk, true);
        let empty = RowsBuffer::new(&self.guest.function.binding.input);
        let columns = empty.columns();
        let input = empty.with_columns(&columns);
        self.call(&context, &input, &input, batch, out)
    }

    /// Calls the function with the `input` that it takes of `rows`.
    fn call(
        &mut self,
        context: &CallContext,
        input: &Rows<'_>,
        rows: &Rows<'_>,
        batch: &mut Batch,
        out: &mut dyn Out,
    ) -> Result<(), Cause> {
        let (stream, schema, keep, kind) = (&self.stream, &self.schema, &self.keep, self.kind);
        let mut downstream = Ok(());
        let mut consume = |mapped: Mapped<'_>| downstream = hand_on(stream, schema, keep, rows, &mapped, batch, out);
        let called = self.guest.call(|instance| kind.call(instance, context, input, &mut consume));
        downstream.and(called)
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
        self.chunk = 0;
        self.guest.begin();
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        for_guest(rows, &mut |chunk, _| self.push_chunk(batch, chunk, out))
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        // Such a function is told of the end, and of an empty partition too.
        let is_told = self.guest.function.signature.whole_partition && self.presence.is_present(&batch.absent);
        if is_told { self.push_last(batch, out) } else { Ok(()) }
    }
}

/// Counts what was rejected, and pushes what was returned, kept fields behind it.
fn hand_on(
    stream: &str,
    schema: &Schema,
    keep: &Keep,
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
    if keep.fields.is_empty() {
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
            let what = "the function does not say where its rows came from, so no field can be kept";
            return Err(Cause::Rows(what.to_owned()));
        }
    };
    let kept = Rows { schema: &keep.schema, len: from.len, columns: &from.project(&keep.fields) };
    Beside { rows: kept, places: origins, is_first: false }.push(schema, &mapped.rows, batch, out)
}
