//! Where rows go.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;

use super::PortError;
use crate::{schema::Schema, time::Timestamp};

/// Rows of a part of a batch.
#[derive(Clone, Copy, Debug)]
pub struct SinkRows<'a> {
    /// The batch.
    pub batch: Timestamp,
    /// The part. Its place among the others is not known before all rows are there.
    pub part: u32,
    /// What the rows are.
    pub schema: &'a Schema,
    /// The rows, behind those that were written to the part before.
    pub rows: &'a RecordBatch,
}

/// What is known of a batch when all its rows are written.
#[derive(Clone, Copy, Debug)]
pub struct SinkParts<'a> {
    /// The batch.
    pub time: Timestamp,
    /// What the rows are.
    pub schema: &'a Schema,
    /// The parts that make the batch, in order. A part that nothing was written to has no rows; one that is not here is none of
    /// the batch's. One after the other they are the order in which the rows came.
    pub parts: &'a [u32],
}

/// An output's rows of one batch, all of them.
#[derive(Clone, Copy, Debug)]
pub struct SinkBatch<'a> {
    /// The batch.
    pub time: Timestamp,
    /// What the rows are.
    pub schema: &'a Schema,
    /// The rows of each part, in order.
    pub parts: &'a [Vec<RecordBatch>],
}

/// Rows that were written and are held until all of the batch are there: for a sink that wants them whole.
#[derive(Clone, Debug, Default)]
pub struct WrittenRows {
    batch: Option<Timestamp>,
    parts: BTreeMap<u32, Vec<RecordBatch>>,
}

/// Whose run it is that begins.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    /// The pipeline.
    pub pipeline: &'a str,
    /// Of its claim of a checkpoint: higher with every host that takes it over. `None`: it has no checkpoint.
    pub generation: Option<u64>,
    /// Whether the claim still stands. What was found in a place before this says yes is no later host's.
    pub is_held: &'a dyn Fn() -> bool,
}

/// Where rows go. A batch is written, prepared, and delivered after it was committed. Nothing has an effect before
/// [`Sink::begin`]: a run that does not own the checkpoint touches nothing.
///
/// Of one batch at a time rows are written that are not prepared. A batch of many rows is written while it is open; whatever ends
/// the run then, and whether or not the batch will count, nothing of it may be seen, and the next run's [`Sink::begin`] sweeps
/// it away.
pub trait Sink: Send {
    /// Refuses a place that is another's, and changes nothing. Asked before the checkpoint is claimed, so that a host at work
    /// there goes on; `is_kept`: there is one.
    fn look(&self, _pipeline: &str, _is_kept: bool) -> Result<(), PortError> {
        Ok(())
    }

    /// Makes the place this run's: made if it is not there, without what runs that were stopped have written. Called once, before
    /// anything is written.
    fn begin(&mut self, _owner: &Owner<'_>) -> Result<(), PortError> {
        Ok(())
    }

    /// Takes rows of a batch, invisibly. The first ones behind a [`Sink::prepare`] of the batch begin it anew.
    fn write(&mut self, rows: &SinkRows<'_>) -> Result<(), PortError>;

    /// All rows of the batch are written: makes everything ready, invisibly. There may have been none.
    fn prepare(&mut self, batch: &SinkParts<'_>) -> Result<(), PortError>;

    /// What was written of a batch that is not prepared is not wanted.
    fn discard(&mut self, batch: Timestamp) -> Result<(), PortError>;

    /// Makes the prepared batch visible.
    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError>;

    /// The newest batch that was made visible, of a sink that can tell: it must not be ahead of a checkpoint.
    fn newest(&self) -> Result<Option<Timestamp>, PortError> {
        Ok(None)
    }

    /// Whether its place is not there before this run begins: a checkpoint that says otherwise is not to be believed, or the
    /// place has vanished.
    fn is_new(&self) -> bool {
        false
    }

    /// How many rows of a batch the sink looks at, from the first part's first row on; `None`: all. Who says so gets no rows
    /// before all of the batch are known, and no more than these.
    fn rows_max(&self) -> Option<usize> {
        None
    }
}

// === impl SinkBatch ===

impl SinkBatch<'_> {
    /// Writes all of it to a sink, and prepares it.
    pub fn prepare(&self, sink: &mut dyn Sink) -> Result<(), PortError> {
        let (batch, schema) = (self.time, self.schema);
        for (part, all) in (0..).zip(self.parts) {
            for rows in all.iter().filter(|rows| rows.num_rows() > 0) {
                sink.write(&SinkRows { batch, part, schema, rows })?;
            }
        }
        let parts: Vec<u32> = (0..).zip(self.parts).map(|(part, _)| part).collect();
        sink.prepare(&SinkParts { time: batch, schema, parts: &parts })
    }
}

// === impl WrittenRows ===

impl WrittenRows {
    /// Keeps rows, and forgets those of another batch.
    pub fn write(&mut self, rows: &SinkRows<'_>) {
        if self.batch.replace(rows.batch) != Some(rows.batch) {
            self.parts.clear();
        }
        self.parts.entry(rows.part).or_default().push(rows.rows.clone());
    }

    /// The rows of the parts that make a batch.
    pub fn take(&mut self, batch: &SinkParts<'_>) -> Vec<Vec<RecordBatch>> {
        if self.batch.take() != Some(batch.time) {
            self.parts.clear();
        }
        let taken = batch.parts.iter().map(|part| self.parts.remove(part).unwrap_or_default()).collect();
        self.parts.clear();
        taken
    }

    /// Forgets the rows of a batch.
    pub fn discard(&mut self, batch: Timestamp) {
        if self.batch.take_if(|held| *held == batch).is_some() {
            self.parts.clear();
        }
    }
}
