//! What stages left for a sink, as the parts of its batch.

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use tidemill_model::columns::RowsBuffer;

use crate::{arrival::Arrival, pieces::Piece};

/// A part with so many bytes gets no more pieces.
const PART_BYTES: usize = 64 << 20;

/// A piece of fewer bytes is put to its neighbour: many small batches cost more than a copy.
const SMALL_BYTES: usize = 32 << 10;

/// How the rows of an output are put into parts. Parts one after the other are the order in which the rows came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartsBy {
    /// A part for each of so many partitions of the stream, which makes its rows anew in each.
    Partition(usize),
    /// A part for each lane of a source, or several if it has many bytes.
    Place,
}

/// A stage, and a piece that it left.
pub(super) type OfStage = (usize, Piece);

/// Parts that are being made.
struct Parts<'a> {
    arrow: &'a SchemaRef,
    parts: Vec<Vec<RecordBatch>>,
    /// Rows for the last part.
    open: Option<RowsBuffer>,
}

impl PartsBy {
    /// The parts of these pieces; one at least, so that there is a place to say that there are no rows.
    pub(super) fn parts(
        self,
        mut pieces: Vec<OfStage>,
        arrow: &SchemaRef,
    ) -> Result<Vec<Vec<RecordBatch>>, ArrowError> {
        pieces.sort_by_key(|(stage, piece)| (*stage, piece.arrival()));
        let mut parts = Parts { arrow, parts: Vec::new(), open: None };
        let (mut last, mut bytes) = (None, 0);
        for (stage, piece) in pieces {
            let Arrival { origin, lane, .. } = piece.arrival();
            match self {
                PartsBy::Partition(_) => parts.begin_until(lane as usize + 1)?,
                PartsBy::Place if last == Some((stage, origin, lane)) && bytes < PART_BYTES => {}
                PartsBy::Place => {
                    (last, bytes) = (Some((stage, origin, lane)), 0);
                    parts.begin_until(parts.parts.len() + 1)?;
                }
            }
            bytes += piece.rows.bytes();
            parts.add(piece.rows)?;
        }
        let count = if let PartsBy::Partition(count) = self { count } else { 1 };
        parts.close()?;
        parts.begin_until(count)?;
        Ok(parts.parts)
    }
}

impl Parts<'_> {
    /// Goes on to part number `count`, if there are not so many yet.
    fn begin_until(&mut self, count: usize) -> Result<(), ArrowError> {
        if self.parts.len() < count {
            self.close()?;
            self.parts.resize(count, Vec::new());
        }
        Ok(())
    }

    fn add(&mut self, rows: RowsBuffer) -> Result<(), ArrowError> {
        if let Some(open) = self.open.as_mut().filter(|open| open.bytes().min(rows.bytes()) < SMALL_BYTES) {
            let extended = open.extend(&rows.with_columns(&rows.columns()));
            return extended.map_err(|full| ArrowError::from_external_error(Box::new(full)));
        }
        self.close()?;
        self.open = Some(rows);
        Ok(())
    }

    fn close(&mut self) -> Result<(), ArrowError> {
        if let (Some(rows), Some(part)) = (self.open.take(), self.parts.last_mut()) {
            part.push(rows.to_batch(self.arrow)?);
        }
        Ok(())
    }
}
