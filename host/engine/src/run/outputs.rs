//! The outputs of a run: rows by output and part, written, staged and then delivered in the order of the pipeline.

mod outbox;
mod parts;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use tidemill_checkpoint::{self as checkpoint, OutboxDraft, OutboxParts, Outboxes, Section, SectionKind, Sections};
use tidemill_model::{
    ports::{Owner, PortError, Sink, SinkBatch, SinkParts, SinkRows},
    schema::Schema,
    time::Timestamp,
};
use tidemill_plan::{
    graph::{NodeId, Plan},
    stages::{Leaves, Order, Stage, Stages},
};

use crate::{failure::RunError, pieces::Piece, presence::Presence};
use outbox::{OUTBOX_BYTES, Outbox};
use parts::{Kept, Parts, PartsBy};

pub(super) struct Outputs {
    outputs: Vec<OutputFeed>,
    /// Of rows that are held of the open batch, about: it is asked for round by round, and there are many pieces.
    held_bytes: usize,
    /// Of those what can be written while the batch is open.
    writable_bytes: usize,
    /// With more they are written.
    writable_bytes_max: usize,
    outbox: Outbox,
    /// None of them has a batch at this tick, whatever its sources have.
    skipped: bool,
}

struct OutputFeed {
    name: String,
    schema: Schema,
    arrow: arrow_schema::SchemaRef,
    sink: Box<dyn Sink>,
    /// What stages have left of the open batch.
    kept: Vec<Kept>,
    parts: Parts,
    /// How many rows the sink looks at.
    rows_max: Option<usize>,
    /// The rows of the sealed batch: of each part, in order,
    rows: Vec<Vec<RecordBatch>>,
    /// unless they have been written already. Which parts there are is known when all rows are.
    written: Option<Vec<u32>>,
    presence: Presence,
    has_letters: bool,
}

/// Refuses outputs whose places are another's. Nothing is changed.
pub(super) fn look(plan: &Plan, sinks: &[Box<dyn Sink>], is_kept: bool) -> Result<(), RunError> {
    plan.outputs.iter().zip(sinks).try_for_each(|(output, sink)| {
        sink.look(&plan.name, is_kept).map_err(|error| RunError::Place { output: output.name.clone(), error })
    })
}

impl Outputs {
    /// `outboxes`: for rows that are too many for a commit's record, if there is a checkpoint.
    pub(super) fn new(
        plan: &Plan,
        stages: &Stages,
        presence: &[Presence],
        sinks: Vec<Box<dyn Sink>>,
        outboxes: Option<Outboxes>,
    ) -> Outputs {
        let outputs = plan.outputs.iter().enumerate().zip(sinks).map(|((index, output), sink)| {
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
                schema: output.schema.clone(),
                parts: Parts::new(parts_by, arrow.clone()),
                arrow,
                rows_max: sink.rows_max(),
                sink,
                kept: Vec::new(),
                rows: Vec::new(),
                written: None,
                presence: presence[output.from.0].clone(),
                has_letters: output.dead_letters.is_some(),
            }
        });
        Outputs {
            outputs: outputs.collect(),
            held_bytes: 0,
            writable_bytes: 0,
            writable_bytes_max: OUTBOX_BYTES,
            outbox: Outbox::new(outboxes),
            skipped: false,
        }
    }

    /// Rows of an open batch are written when there are more bytes of them than this.
    pub(super) fn hold(&mut self, bytes_max: usize) {
        self.writable_bytes_max = bytes_max;
    }

    /// The batch is skipped: no output has one.
    pub(super) fn skip(&mut self, time: Timestamp) -> Result<(), RunError> {
        self.outbox.take();
        self.each(time, |output| output.written.is_some(), |output, time| output.sink.discard(time))?;
        self.clear();
        self.skipped = true;
        Ok(())
    }

    /// Takes what a stage left for the sink of an output.
    pub(super) fn put(&mut self, output: usize, stage: usize, time: Timestamp, piece: Piece) -> Result<(), RunError> {
        let output = &mut self.outputs[output];
        let kept = Kept::try_new(stage, piece, &output.arrow).map_err(|error| misfit(&output.name, time, error))?;
        self.held_bytes += kept.bytes();
        // A sink that looks at some rows alone is to get the first ones, and no others.
        self.writable_bytes += if output.rows_max.is_none() { kept.bytes() } else { 0 };
        output.kept.push(kept);
        Ok(())
    }

    /// Writes rows of the open batch, if too many are held.
    pub(super) fn write_if_many(&mut self, time: Timestamp) -> Result<(), RunError> {
        if self.writable_bytes <= self.writable_bytes_max {
            return Ok(());
        }
        let writable = self.outputs.iter_mut().filter(|output| output.rows_max.is_none() && !output.kept.is_empty());
        for output in writable {
            output.written.get_or_insert_default();
            output.write(time, &mut self.outbox)?;
        }
        self.held_bytes -= std::mem::take(&mut self.writable_bytes);
        Ok(())
    }

    /// Bytes that were written of open batches since the run began, and of this one.
    pub(super) fn written_bytes(&self) -> (u64, u64) {
        self.outbox.bytes()
    }

    /// Bytes of rows that are held of the open batch, about.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Puts what stages left of the sealed batch in order.
    pub(super) fn arrange(&mut self, time: Timestamp) -> Result<(), RunError> {
        (self.held_bytes, self.writable_bytes) = (0, 0);
        for output in &mut self.outputs {
            if output.written.is_some() {
                output.write(time, &mut self.outbox)?;
                output.written = Some(output.parts.order());
            } else {
                output.arrange().map_err(|error| misfit(&output.name, time, error))?;
            }
        }
        Ok(())
    }

    /// What a commit's record keeps of the batch: the rows of every output that has a batch at this tick, each part's, but those
    /// that were written while it was open.
    pub(super) fn sections(&self, absent: &[NodeId]) -> Vec<Section> {
        let present = self.outputs.iter().filter(|output| !self.skipped && output.is_present(absent));
        let sections = present.flat_map(|output| {
            (0u32..).zip(&output.rows).map(|(partition, batches)| Section {
                kind: SectionKind::Output,
                stream: output.name.clone(),
                table: String::new(),
                partition,
                batches: batches.clone(),
            })
        });
        sections.collect()
    }

    /// What was written of the batch while it was open, to be published before its commit; and what of it makes the batch.
    pub(super) fn take_outbox(&mut self, absent: &[NodeId]) -> Option<(OutboxDraft, Vec<OutboxParts>)> {
        let draft = self.outbox.take()?;
        let present = self.outputs.iter().filter(|output| output.is_present(absent));
        let parts =
            |output: &OutputFeed| Some(OutboxParts { output: output.name.clone(), parts: output.written.clone()? });
        let written: Vec<OutboxParts> = present.filter_map(parts).collect();
        (!written.is_empty()).then_some((draft, written))
    }

    /// Makes the places of all outputs this run's.
    pub(super) fn begin(&mut self, owner: &Owner<'_>) -> Result<(), RunError> {
        self.outputs.iter_mut().try_for_each(|output| {
            output.sink.begin(owner).map_err(|error| RunError::Place { output: output.name.clone(), error })
        })
    }

    /// The newest batch that a sink has made visible, of the first that has one after `last`, with the output's name.
    pub(super) fn ahead_of(&mut self, last: Option<Timestamp>) -> Result<Option<(String, Timestamp)>, RunError> {
        for output in &mut self.outputs {
            let newest = output.sink.newest();
            let newest = newest.map_err(|error| failed(&output.name, last.unwrap_or(Timestamp(0)), error))?;
            if let Some(newest) = newest.filter(|&newest| Some(newest) > last) {
                return Ok(Some((output.name.clone(), newest)));
            }
        }
        Ok(None)
    }

    /// The names of the outputs whose sinks are new.
    pub(super) fn new_ones(&self) -> Vec<String> {
        self.outputs.iter().filter(|output| output.sink.is_new()).map(|output| output.name.clone()).collect()
    }

    /// Takes the rows of a batch back from a checkpoint, and gives the names of the outputs that have a batch.
    pub(super) fn restore(&mut self, time: Timestamp, sections: Vec<Section>) -> Result<Vec<String>, RunError> {
        let mut present = Vec::new();
        for section in sections.into_iter().filter(|section| section.kind == SectionKind::Output) {
            let output = self.deliverable(time, &section)?;
            if !present.contains(&section.stream) {
                output.rows.clear();
                present.push(section.stream.clone());
            }
            output.rows.resize(section.partition as usize, Vec::new());
            output.rows.push(section.batches);
        }
        Ok(present)
    }

    /// Writes the rows of a batch that lie beside its record, and gives the names of their outputs. They are read little by
    /// little, so that it is known at the end that all of them were right.
    pub(super) fn restore_outbox(
        &mut self,
        time: Timestamp,
        outbox: &checkpoint::Outbox,
        sections: Sections,
    ) -> Result<Vec<String>, RunError> {
        let named = |name: &str| outbox.outputs.iter().find(|output| output.output == name);
        for section in sections {
            let section = section?;
            if named(&section.stream).is_none_or(|output| !output.parts.contains(&section.partition)) {
                continue;
            }
            let output = self.deliverable(time, &section)?;
            for rows in &section.batches {
                output.write_to_sink(time, section.partition, rows)?;
            }
        }
        for OutboxParts { output, parts } in &outbox.outputs {
            let gone = || undeliverable(output, time, "the pipeline no longer has it");
            let output = self.outputs.iter_mut().find(|found| found.name == *output).ok_or_else(gone)?;
            output.written = Some(parts.clone());
        }
        Ok(outbox.outputs.iter().map(|output| output.output.clone()).collect())
    }

    /// The output of rows that a checkpoint has.
    fn deliverable(&mut self, time: Timestamp, section: &Section) -> Result<&mut OutputFeed, RunError> {
        let undeliverable = |why| undeliverable(&section.stream, time, why);
        let output = self.outputs.iter_mut().find(|output| output.name == section.stream);
        let output = output.ok_or_else(|| undeliverable("the pipeline no longer has it"))?;
        if section.batches.iter().any(|batch| batch.schema().fields() != output.arrow.fields()) {
            return Err(undeliverable("its rows now have other fields"));
        }
        Ok(output)
    }

    /// Stages the batch of every output, in order. An output whose sources all have no batch at this tick has none either.
    pub(super) fn stage(&mut self, time: Timestamp, absent: &[NodeId]) -> Result<(), RunError> {
        let skipped = self.skipped;
        let is_unwanted = |output: &OutputFeed| output.written.is_some() && !output.is_present(absent);
        self.each(time, is_unwanted, |output, time| output.sink.discard(time))?;
        self.each(time, |output| !skipped && output.is_present(absent), OutputFeed::stage)
    }

    /// Makes the staged batch of every output visible, in order.
    pub(super) fn deliver(&mut self, time: Timestamp, absent: &[NodeId]) -> Result<(), RunError> {
        let skipped = self.skipped;
        self.each(time, |output| !skipped && output.is_present(absent), OutputFeed::deliver)?;
        self.clear();
        Ok(())
    }

    /// Stages and delivers what was [restored](Outputs::restore) for the outputs with these names.
    pub(super) fn deliver_again(&mut self, time: Timestamp, present: &[String]) -> Result<(), RunError> {
        self.each(time, |output| present.contains(&output.name), OutputFeed::stage)?;
        self.each(time, |output| present.contains(&output.name), OutputFeed::deliver)?;
        self.clear();
        Ok(())
    }

    fn each(
        &mut self,
        time: Timestamp,
        is_present: impl Fn(&OutputFeed) -> bool,
        action: impl Fn(&mut OutputFeed, Timestamp) -> Result<(), PortError>,
    ) -> Result<(), RunError> {
        let mut outputs = self.outputs.iter_mut().filter(|output| is_present(output));
        outputs.try_for_each(|output| action(output, time).map_err(|error| failed(&output.name, time, error)))
    }

    fn clear(&mut self) {
        (self.held_bytes, self.writable_bytes, self.skipped) = (0, 0, false);
        self.outputs.iter_mut().for_each(|output| {
            output.kept.clear();
            output.parts.clear();
            output.rows.clear();
            output.written = None;
        });
    }
}

impl OutputFeed {
    /// Whether it has a batch at this tick. Of dead letters there is one only if there are any.
    fn is_present(&self, absent: &[NodeId]) -> bool {
        let has_rows = || self.written.is_some() || self.rows.iter().any(|rows| !rows.is_empty());
        (!self.has_letters || has_rows()) && self.presence.is_present(absent)
    }

    /// Puts what stages left of a batch that is held in order.
    fn arrange(&mut self) -> Result<(), ArrowError> {
        let rows = self.parts.add(std::mem::take(&mut self.kept))?;
        self.rows = vec![Vec::new(); self.parts.order().len()];
        for (part, rows) in rows {
            self.rows[part as usize].push(rows);
        }
        parts::keep_first(&mut self.rows, self.rows_max);
        Ok(())
    }

    /// Writes what stages left.
    fn write(&mut self, time: Timestamp, outbox: &mut Outbox) -> Result<(), RunError> {
        let rows = self.parts.add(std::mem::take(&mut self.kept));
        for (part, rows) in rows.map_err(|error| misfit(&self.name, time, error))? {
            outbox.write(&self.name, part, &rows)?;
            self.write_to_sink(time, part, &rows)?;
        }
        Ok(())
    }

    fn write_to_sink(&mut self, batch: Timestamp, part: u32, rows: &RecordBatch) -> Result<(), RunError> {
        let written = self.sink.write(&SinkRows { batch, part, schema: &self.schema, rows });
        written.map_err(|error| failed(&self.name, batch, error))
    }

    fn stage(&mut self, time: Timestamp) -> Result<(), PortError> {
        match &self.written {
            Some(parts) => self.sink.stage(&SinkParts { time, schema: &self.schema, parts }),
            None => SinkBatch { time, schema: &self.schema, parts: &self.rows }.stage(&mut *self.sink),
        }
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        self.sink.deliver(time)
    }
}

fn undeliverable(output: &str, batch: Timestamp, why: &'static str) -> RunError {
    RunError::Undeliverable { output: output.to_owned(), batch, why }
}

fn misfit(output: &str, batch: Timestamp, error: ArrowError) -> RunError {
    failed(output, batch, PortError::configuration(format!("rows that do not fit the schema: {error}")))
}

fn failed(output: &str, batch: Timestamp, error: PortError) -> RunError {
    RunError::Sink { output: output.to_owned(), batch, error }
}
