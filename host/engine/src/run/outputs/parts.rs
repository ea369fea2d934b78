//! What stages left for a sink, as the parts of its batch.

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use tidemill_model::columns::RowsBuffer;

use crate::{arrival::Arrival, pieces::Piece};

/// A part with so many bytes gets no more pieces.
const PART_BYTES: usize = 64 << 20;

/// Pieces of fewer bytes are put together: many small batches cost more than a copy.
const SMALL_BYTES: usize = 32 << 10;

/// And no more of them once there are so many bytes.
const FEW_BYTES_MAX: usize = 1 << 20;

/// How the rows of an output are put into parts. Parts one after the other are the order in which the rows came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartsBy {
    /// A part for each of so many partitions of the stream, which makes its rows anew in each.
    Partition(usize),
    /// A part for each lane of a source, or several if it has many bytes.
    Place,
}

/// A piece that a stage left.
pub(super) struct Kept {
    stage: usize,
    arrival: Arrival,
    bytes: usize,
    rows: KeptRows,
}

/// The rows of a piece: as the sink takes them, unless they are so few that they are put to others.
enum KeptRows {
    Few(RowsBuffer),
    Batch(RecordBatch),
}

impl Kept {
    pub(super) fn try_new(stage: usize, piece: Piece, arrow: &SchemaRef) -> Result<Kept, ArrowError> {
        let (arrival, bytes) = (piece.arrival(), piece.rows.bytes());
        let rows = match bytes < SMALL_BYTES {
            true => KeptRows::Few(piece.rows),
            false => KeptRows::Batch(piece.rows.to_batch(arrow)?),
        };
        Ok(Kept { stage, arrival, bytes, rows })
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Parts that are being made.
struct Parts<'a> {
    arrow: &'a SchemaRef,
    parts: Vec<Vec<RecordBatch>>,
    /// Rows for the last part.
    open: Option<RowsBuffer>,
}

impl PartsBy {
    /// The parts of these pieces; one at least, so that there is a place to say that there are no rows.
    pub(super) fn parts(self, mut kept: Vec<Kept>, arrow: &SchemaRef) -> Result<Vec<Vec<RecordBatch>>, ArrowError> {
        kept.sort_by_key(|kept| (kept.stage, kept.arrival));
        let mut parts = Parts { arrow, parts: Vec::new(), open: None };
        let (mut last, mut bytes) = (None, 0);
        for kept in kept {
            let Arrival { origin, lane, .. } = kept.arrival;
            let place = Some((kept.stage, origin, lane));
            match self {
                PartsBy::Partition(_) => parts.begin_until(lane as usize + 1)?,
                PartsBy::Place if last == place && bytes < PART_BYTES => {}
                PartsBy::Place => {
                    (last, bytes) = (place, 0);
                    parts.begin_until(parts.parts.len() + 1)?;
                }
            }
            bytes += kept.bytes;
            parts.add(kept.rows)?;
        }
        let count = if let PartsBy::Partition(count) = self { count } else { 1 };
        parts.close()?;
        parts.begin_until(count)?;
        Ok(parts.parts)
    }
}

/// Drops all rows but the first ones.
pub(super) fn keep_first(parts: &mut [Vec<RecordBatch>], rows_max: Option<usize>) {
    let Some(mut left) = rows_max else { return };
    for batch in parts.iter_mut().flatten() {
        *batch = batch.slice(0, left.min(batch.num_rows()));
        left -= batch.num_rows();
    }
    parts.iter_mut().for_each(|part| part.retain(|batch| batch.num_rows() > 0));
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

    fn add(&mut self, rows: KeptRows) -> Result<(), ArrowError> {
        match (rows, &mut self.open) {
            (KeptRows::Few(rows), Some(open)) => {
                let extended = open.extend(&rows.with_columns(&rows.columns()));
                extended.map_err(|full| ArrowError::from_external_error(Box::new(full)))?;
                if open.bytes() >= FEW_BYTES_MAX {
                    self.close()?;
                }
            }
            (KeptRows::Few(rows), none) => *none = Some(rows),
            (KeptRows::Batch(batch), _) => {
                self.close()?;
                if let Some(part) = self.parts.last_mut() {
                    part.push(batch);
                }
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), ArrowError> {
        if let (Some(rows), Some(part)) = (self.open.take(), self.parts.last_mut()) {
            part.push(rows.to_batch(self.arrow)?);
        }
        Ok(())
    }
}
