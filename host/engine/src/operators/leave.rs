//! The ends of a stage, where rows are left for other partitions or a sink; and the step that hands rows on.

use tidemill_model::{
    columns::{Rows, RowsBuffer},
    key::{KeyBuffer, Slot},
    schema::Schema,
};

use super::{Batch, Operator, Out, combine::key_column};
use crate::failure::Cause;

/// The buffers that have rows, with their numbers; empty ones take their place.
pub(super) fn take_filled(buffers: &mut [RowsBuffer]) -> Vec<(u32, RowsBuffer)> {
    let filled = (0u32..).zip(buffers).filter(|(_, buffer)| !buffer.is_empty());
    filled
        .map(|(number, buffer)| {
            let empty = RowsBuffer::new(buffer.schema());
            (number, std::mem::replace(buffer, empty))
        })
        .collect()
}

/// Hands rows on as they are: a source's, or those of a union, whose inputs have the same fields in the same order.
pub(crate) struct Pass;

impl Operator for Pass {
    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        out.push(batch, rows)
    }
}

/// Leaves all rows, or as many as are looked at, at one place: a partition's number, or 0 for a sink.
pub(crate) struct Gather {
    rows: RowsBuffer,
    rows_max: usize,
    to: u32,
}

impl Gather {
    pub(crate) fn new(schema: &Schema, rows_max: Option<usize>, to: u32) -> Gather {
        Gather { rows: RowsBuffer::new(schema), rows_max: rows_max.unwrap_or(usize::MAX), to }
    }
}

impl Operator for Gather {
    fn begin(&mut self, _batch: &Batch) {
        self.rows.clear();
    }

    fn push(&mut self, _batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        let wanted = rows.len.min(self.rows_max - self.rows.len());
        Ok(self.rows.extend_range(rows, 0..wanted)?)
    }

    fn leave(&mut self) -> Vec<(u32, RowsBuffer)> {
        take_filled(std::slice::from_mut(&mut self.rows)).into_iter().map(|(_, rows)| (self.to, rows)).collect()
    }

    fn held_bytes(&self) -> usize {
        self.rows.bytes()
    }
}

/// Sends each row to its key's partition.
pub(crate) struct Scatter {
    by: Vec<usize>,
    keys: KeyBuffer,
    chosen: Vec<Vec<u32>>,
    left: Vec<RowsBuffer>,
}

impl Scatter {
    pub(crate) fn new(schema: &Schema, by: Vec<usize>, partitions: u32) -> Scatter {
        Scatter {
            by,
            keys: KeyBuffer::default(),
            chosen: vec![Vec::new(); partitions as usize],
            left: (0..partitions).map(|_| RowsBuffer::new(schema)).collect(),
        }
    }
}

impl Operator for Scatter {
    fn begin(&mut self, _batch: &Batch) {
        self.left.iter_mut().for_each(RowsBuffer::clear);
    }

    fn push(&mut self, _batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        self.chosen.iter_mut().for_each(Vec::clear);
        let partitions = self.chosen.len() as u32;
        let keys = key_column(rows, &self.by, &mut self.keys)?;
        for row in 0..rows.len {
            let partition = Slot::of(keys.slice(row)).partition(partitions);
            self.chosen[partition as usize].push(row as u32);
        }
        for (left, chosen) in self.left.iter_mut().zip(&self.chosen) {
            left.take(rows, chosen)?;
        }
        Ok(())
    }

    fn leave(&mut self) -> Vec<(u32, RowsBuffer)> {
        take_filled(&mut self.left)
    }

    fn held_bytes(&self) -> usize {
        self.left.iter().map(RowsBuffer::bytes).sum()
    }
}
