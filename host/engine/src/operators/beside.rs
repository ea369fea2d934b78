//! Rows with others beside them: kept fields behind a function's rows, keys before emitted ones. A function can return
//! many rows for one large row of its input, so what goes beside them is taken for so many at a time.

use tidemill_model::{
    columns::{Column, Rows, RowsBuffer},
    schema::Schema,
};

use super::{
    Batch, Out,
    chunks::{CHUNK_BYTES, CHUNK_ROWS},
};
use crate::failure::Cause;

/// For each of some rows one of `rows`, at `places`.
pub(super) struct Beside<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) places: &'a [u32],
    /// Whether its fields come before those of the others, or behind them.
    pub(super) is_first: bool,
}

impl Beside<'_> {
    /// Pushes `rows` with these beside them, one for each; `schema` has both.
    pub(super) fn push(
        &self,
        schema: &Schema,
        rows: &Rows<'_>,
        batch: &mut Batch,
        out: &mut dyn Out,
    ) -> Result<(), Cause> {
        let row_bytes_max = self.row_bytes_max();
        let mut beside = RowsBuffer::new(self.rows.schema);
        let mut own: Option<RowsBuffer> = None;
        let mut first = 0;
        while first < rows.len {
            let count = self.within(&self.places[first..], row_bytes_max);
            beside.clear();
            beside.take(&self.rows, &self.places[first..first + count])?;
            // Each value takes its time, however few bits it has.
            batch.budget.spend_bytes(beside.bytes().max(count * self.rows.columns.len()))?;
            if count == rows.len {
                return self.push_part(schema, count, rows.columns, &beside, batch, out);
            }
            let own = own.get_or_insert_with(|| RowsBuffer::new(rows.schema));
            own.clear();
            own.extend_range(rows, first..first + count)?;
            self.push_part(schema, count, &own.columns(), &beside, batch, out)?;
            first += count;
        }
        Ok(())
    }

    fn push_part(
        &self,
        schema: &Schema,
        len: usize,
        own: &[Column<'_>],
        beside: &RowsBuffer,
        batch: &mut Batch,
        out: &mut dyn Out,
    ) -> Result<(), Cause> {
        let beside = &beside.columns()[..];
        let columns = if self.is_first { [beside, own] } else { [own, beside] }.concat();
        out.push(batch, &Rows { schema, len, columns: &columns })
    }

    /// How many of the first of `places` have rows of no more than [`CHUNK_BYTES`] together; at least one. No row has more
    /// than `row_bytes_max`.
    fn within(&self, places: &[u32], row_bytes_max: usize) -> usize {
        let count = places.len().min(CHUNK_ROWS);
        if count.saturating_mul(row_bytes_max) <= CHUNK_BYTES {
            return count;
        }
        let mut bytes = 0;
        let within = places[..count].iter().take_while(|&&place| {
            bytes += self.rows.bytes_in(place as usize..place as usize + 1);
            bytes <= CHUNK_BYTES
        });
        within.count().max(1)
    }

    /// The most bytes that a row can add. Nothing, if none is taken twice: then it is no more than what is there.
    fn row_bytes_max(&self) -> usize {
        if self.places.is_sorted_by(|one, next| one < next) {
            return 0;
        }
        (0..self.rows.len).map(|row| self.rows.bytes_in(row..row + 1)).max().unwrap_or(0)
    }
}
