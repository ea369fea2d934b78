//! The outputs of a run: what stages leave for sinks, put into the parts of a batch.

mod parts;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use tidemill_model::{ports::PortError, time::Timestamp};
use tidemill_plan::{
    graph::{NodeId, Plan},
    stages::{Leaves, Order, Stage, Stages},
};

use crate::{
    commit::{OUTBOX_BYTES, OutputRows, Sinks},
    failure::RunError,
    pieces::Piece,
    presence::Presence,
};
use parts::{Kept, Parts, PartsBy};

pub(super) struct Outputs {
    outputs: Vec<OutputFeed>,
    /// Of rows that are held of the open batch, about: it is asked for round by round, and there are many pieces.
    held_bytes: usize,
    /// Of those what can be written while the batch is open.
    writable_bytes: usize,
    /// With more they are written.
    writable_bytes_max: usize,
    /// Bytes that were written of open batches since the run began, and of this one.
    written_bytes: (u64, u64),
    /// None of them has a batch at this tick, whatever its sources have.
    skipped: bool,
}

struct OutputFeed {
    name: String,
    arrow: SchemaRef,
    /// What stages have left of the open batch.
    kept: Vec<Kept>,
    parts: Parts,
    /// How many rows the sink looks at.
    rows_max: Option<usize>,
    /// Rows of the open batch were given to the sink.
    is_written: bool,
    /// The rows of the sealed batch.
    rows: OutputRows,
    presence: Presence,
    has_letters: bool,
}

impl Outputs {
    /// `rows_max`: for each output how many rows its sink looks at.
    pub(super) fn new(plan: &Plan, stages: &Stages, presence: &[Presence], rows_max: &[Option<usize>]) -> Outputs {
        let outputs = plan.outputs.iter().enumerate().map(|(index, output)| {
            let leaves = |stage: &&Stage| match output.dead_letters {
                Some(caller) => stage.steps.iter().any(|step| step.kind.caller(plan) == Some(caller)),
                None => stage.steps.iter().any(|step| step.leaves == Some(Leaves::Output(index))),
            };
            let leaving: Vec<&Stage> = stages.stages.iter().filter(leaves).collect();
            let parts_by = match leaving[..] {
                [Stage { order: Order::Partition, partitions, .. }] => PartsBy::Partition(*partitions as usize),
                _ => PartsBy::Place,
            };
            let arrow = output.schema.to_arrow();
            OutputFeed {
                name: output.name.clone(),
                parts: Parts::new(parts_by, arrow.clone()),
                arrow,
                rows_max: rows_max[index],
                kept: Vec::new(),
                is_written: false,
                rows: OutputRows::Absent,
                presence: presence[output.from.0].clone(),
                has_letters: output.dead_letters.is_some(),
            }
        });
        Outputs {
            outputs: outputs.collect(),
            held_bytes: 0,
            writable_bytes: 0,
            writable_bytes_max: OUTBOX_BYTES,
            written_bytes: (0, 0),
            skipped: false,
        }
    }

    /// Rows of an open batch are written when there are more bytes of them than this.
    pub(super) fn hold(&mut self, bytes_max: usize) {
        self.writable_bytes_max = bytes_max;
    }

    /// The batch is skipped: no output has one.
    pub(super) fn skip(&mut self) {
        self.skipped = true;
    }

    /// Takes what a stage left for the sink of an output.
    pub(super) fn put(&mut self, output: usize, stage: usize, time: Timestamp, piece: Piece) -> Result<(), RunError> {
        let output = &mut self.outputs[output];
        let kept = Kept::try_new(stage, piece, &output.arrow).map_err(|error| misfit(&output.name, time, error))?;
        self.held_bytes += kept.held_bytes();
        // A sink that looks at some rows alone is to get the first ones, and no others.
        self.writable_bytes += if output.rows_max.is_none() { kept.held_bytes() } else { 0 };
        output.kept.push(kept);
        Ok(())
    }

    /// Whether so many rows of the open batch are held that they are to be written.
    pub(super) fn has_many(&self) -> bool {
        self.writable_bytes > self.writable_bytes_max
    }

    /// Whether rows of the open batch were written.
    pub(super) fn has_written(&self) -> bool {
        self.outputs.iter().any(|output| output.is_written)
    }

    /// Writes rows of the open batch to the sinks.
    pub(super) fn write(&mut self, time: Timestamp, sinks: &mut Sinks) -> Result<(), RunError> {
        for (place, output) in self.outputs.iter_mut().enumerate() {
            if output.rows_max.is_none() && !output.kept.is_empty() {
                output.is_written = true;
                self.written_bytes.1 += output.write(place, time, sinks)?;
            }
        }
        self.held_bytes -= std::mem::take(&mut self.writable_bytes);
        Ok(())
    }

    /// Bytes that were written of open batches since the run began, and of this one.
    pub(super) fn written_bytes(&self) -> (u64, u64) {
        (self.written_bytes.0 + self.written_bytes.1, self.written_bytes.1)
    }

    /// Bytes of rows that are held of the open batch, about.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Puts what stages left of the sealed batch in order. Of outputs whose rows were written the rest is written, to `sinks`.
    pub(super) fn arrange(&mut self, time: Timestamp, mut sinks: Option<&mut Sinks>) -> Result<(), RunError> {
        (self.held_bytes, self.writable_bytes) = (0, 0);
        for (place, output) in self.outputs.iter_mut().enumerate() {
            match &mut sinks {
                Some(sinks) if output.is_written => {
                    self.written_bytes.1 += output.write(place, time, sinks)?;
                    output.rows = OutputRows::Written(output.parts.order());
                }
                _ => output.arrange().map_err(|error| misfit(&output.name, time, error))?,
            }
        }
        Ok(())
    }

    /// What every output has of the batch, which ends. One whose sources all have no batch at this tick has none either.
    pub(super) fn seal(&mut self, tick: Timestamp, absent: &[NodeId]) -> Vec<OutputRows> {
        let skipped = std::mem::take(&mut self.skipped);
        (self.held_bytes, self.writable_bytes) = (0, 0);
        self.written_bytes = (self.written_bytes.0 + self.written_bytes.1, 0);
        self.outputs.iter_mut().map(|output| output.seal(skipped, tick, absent)).collect()
    }
}

impl OutputFeed {
    /// Whether it has a batch at this tick. Of dead letters there is one only if there are any.
    fn is_present(&self, tick: Timestamp, absent: &[NodeId]) -> bool {
        let has_rows = || match &self.rows {
            OutputRows::Held(parts) => parts.iter().any(|rows| !rows.is_empty()),
            rows => matches!(rows, OutputRows::Written(_)),
        };
        // A function may work between two slides of its stream, as the first half of a reduce over a window does.
        if self.has_letters { has_rows() } else { self.presence.is_present(tick, absent) }
    }

    /// Puts what stages left of a batch that is held in order.
    fn arrange(&mut self) -> Result<(), ArrowError> {
        let added = self.parts.add(std::mem::take(&mut self.kept))?;
        let mut rows: Vec<Vec<RecordBatch>> = vec![Vec::new(); self.parts.order().len()];
        for (part, added) in added {
            rows[part as usize].push(added);
        }
        parts::keep_first(&mut rows, self.rows_max);
        self.rows = OutputRows::Held(rows);
        Ok(())
    }

    /// Writes what stages left, and gives how many bytes went beside the record.
    fn write(&mut self, place: usize, time: Timestamp, sinks: &mut Sinks) -> Result<u64, RunError> {
        let rows = self.parts.add(std::mem::take(&mut self.kept));
        let mut bytes = 0;
        for (part, rows) in rows.map_err(|error| misfit(&self.name, time, error))? {
            bytes += sinks.write(place, time, part, &rows)?;
        }
        Ok(bytes)
    }

    fn seal(&mut self, skipped: bool, tick: Timestamp, absent: &[NodeId]) -> OutputRows {
        let is_present = !skipped && self.is_present(tick, absent);
        let rows = std::mem::take(&mut self.rows);
        self.kept.clear();
        self.parts.clear();
        match std::mem::take(&mut self.is_written) {
            _ if is_present => rows,
            true => OutputRows::Unwanted,
            false => OutputRows::Absent,
        }
    }
}

fn misfit(output: &str, batch: Timestamp, error: ArrowError) -> RunError {
    let error = PortError::configuration(format!("rows that do not fit the schema: {error}"));
    RunError::Sink { output: output.to_owned(), batch, error }
}
