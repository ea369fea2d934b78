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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::sync::Arc;

    use tidemill_model::{
        testing::{Value, buffer_of},
        time::{Interval, Timestamp},
    };

    use super::*;
    use crate::operators::Rejections;

    /// Of texts without any there is an offset, in each of three partitions.
    const EMPTY_BYTES: usize = 12;

    /// Nobody is behind the end of a stage.
    struct Nobody;

    impl Out for Nobody {
        fn push(&mut self, _: &mut Batch, _: &Rows<'_>) -> Result<(), Cause> {
            unreachable!("rows go nowhere from here")
        }
    }

    /// What is held counts against the limit of an open batch, until it is handed on or the batch is given up.
    #[test]
    fn rows_that_are_left_are_held_until_they_are_taken() {
        let schema: Schema = "k: text, n: integer".parse().unwrap();
        let mut batch = Batch {
            time: Timestamp(0),
            interval: Interval::try_new(1_000).unwrap(),
            partition: 0,
            partitions: 3,
            absent: Arc::new([]),
            rejections: Rejections::default(),
        };
        let values: Vec<_> = (0..40).map(|n| vec![Value::text(&"k".repeat(n)), Value::Integer(n as i64)]).collect();
        let rows = buffer_of(&schema, &values);
        let ends: [Box<dyn Operator>; 2] =
            [Box::new(Gather::new(&schema, None, 0)), Box::new(Scatter::new(&schema, vec![0], 3))];
        for mut end in ends {
            end.begin(&batch);
            assert!(end.held_bytes() <= EMPTY_BYTES);
            for pushes in 1..4 {
                end.push(&mut batch, &rows.with_columns(&rows.columns()), &mut Nobody).unwrap();
                assert!(end.held_bytes() >= pushes * (40 * 8 + (0..40).sum::<usize>()), "{}", end.held_bytes());
            }
            let left = end.leave();
            assert_eq!(left.iter().map(|(_, rows)| rows.len()).sum::<usize>(), 3 * 40);
            assert!(end.held_bytes() <= EMPTY_BYTES);
            end.push(&mut batch, &rows.with_columns(&rows.columns()), &mut Nobody).unwrap();
            end.begin(&batch);
            assert!(end.held_bytes() <= EMPTY_BYTES);
        }
    }
}
