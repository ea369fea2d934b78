//! The outputs of a run: rows by output and part, staged and then delivered in the order of the pipeline.

mod parts;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use tidemill_checkpoint::{Section, SectionKind};
use tidemill_model::{
    ports::{Owner, PortError, Sink, SinkBatch},
    schema::Schema,
    time::Timestamp,
};
use tidemill_plan::{
    graph::{NodeId, Plan},
    stages::{Leaves, Order, Stage, Stages},
};

use crate::{failure::RunError, pieces::Piece, presence::Presence};
use parts::{Kept, PartsBy};

pub(super) struct Outputs {
    outputs: Vec<OutputFeed>,
    /// Of rows that are held of the open batch, about: it is asked for round by round, and there are many pieces.
    held_bytes: usize,
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
    parts_by: PartsBy,
    /// How many rows the sink looks at.
    rows_max: Option<usize>,
    /// The rows of the sealed batch.
    parts: Vec<Vec<RecordBatch>>,
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
    pub(super) fn new(plan: &Plan, stages: &Stages, presence: &[Presence], sinks: Vec<Box<dyn Sink>>) -> Outputs {
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
            OutputFeed {
                name: output.name.clone(),
                schema: output.schema.clone(),
                arrow: output.schema.to_arrow(),
                rows_max: sink.rows_max(),
                sink,
                kept: Vec::new(),
                parts_by,
                parts: Vec::new(),
                presence: presence[output.from.0].clone(),
                has_letters: output.dead_letters.is_some(),
            }
        });
        Outputs { outputs: outputs.collect(), held_bytes: 0, skipped: false }
    }

    /// The batch is skipped: no output has one.
    pub(super) fn skip(&mut self) {
        self.clear();
        self.skipped = true;
    }

    /// Takes what a stage left for the sink of an output.
    pub(super) fn put(&mut self, output: usize, stage: usize, time: Timestamp, piece: Piece) -> Result<(), RunError> {
        let output = &mut self.outputs[output];
        let kept = Kept::try_new(stage, piece, &output.arrow).map_err(|error| misfit(&output.name, time, error))?;
        self.held_bytes += kept.bytes();
        output.kept.push(kept);
        Ok(())
    }

    /// Bytes of rows that are held of the open batch, about.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Puts what stages left of the sealed batch in order.
    pub(super) fn arrange(&mut self, time: Timestamp) -> Result<(), RunError> {
        self.held_bytes = 0;
        for output in &mut self.outputs {
            let parts = output.parts_by.parts(std::mem::take(&mut output.kept), &output.arrow);
            output.parts = parts.map_err(|error| misfit(&output.name, time, error))?;
            parts::keep_first(&mut output.parts, output.rows_max);
        }
        Ok(())
    }

    /// What a checkpoint keeps of the batch: the rows of every output that has a batch at this tick, each part's.
    pub(super) fn sections(&self, absent: &[NodeId]) -> Vec<Section> {
        let present = self.outputs.iter().filter(|output| !self.skipped && output.is_present(absent));
        let sections = present.flat_map(|output| {
            (0u32..).zip(&output.parts).map(|(partition, batches)| Section {
                kind: SectionKind::Output,
                stream: output.name.clone(),
                table: String::new(),
                partition,
                batches: batches.clone(),
            })
        });
        sections.collect()
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
            let undeliverable = |why| RunError::Undeliverable { output: section.stream.clone(), batch: time, why };
            let output = self.outputs.iter_mut().find(|output| output.name == section.stream);
            let output = output.ok_or_else(|| undeliverable("the pipeline no longer has it"))?;
            if section.batches.iter().any(|batch| batch.schema().fields() != output.arrow.fields()) {
                return Err(undeliverable("its rows now have other fields"));
            }
            if !present.contains(&section.stream) {
                output.parts.clear();
                present.push(section.stream.clone());
            }
            output.parts.resize(section.partition as usize, Vec::new());
            output.parts.push(section.batches);
        }
        Ok(present)
    }

    /// Stages the batch of every output, in order. An output whose sources all have no batch at this tick has none either.
    pub(super) fn stage(&mut self, time: Timestamp, absent: &[NodeId]) -> Result<(), RunError> {
        let skipped = self.skipped;
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
        (self.held_bytes, self.skipped) = (0, false);
        self.outputs.iter_mut().for_each(|output| {
            output.kept.clear();
            output.parts.clear();
        });
    }
}

impl OutputFeed {
    /// Whether it has a batch at this tick. Of dead letters there is one only if there are any.
    fn is_present(&self, absent: &[NodeId]) -> bool {
        let is_wanted = !self.has_letters || self.parts.iter().any(|rows| !rows.is_empty());
        is_wanted && self.presence.is_present(absent)
    }

    fn stage(&mut self, time: Timestamp) -> Result<(), PortError> {
        SinkBatch { time, schema: &self.schema, parts: &self.parts }.stage(&mut *self.sink)
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        self.sink.deliver(time)
    }
}

fn misfit(output: &str, batch: Timestamp, error: ArrowError) -> RunError {
    failed(output, batch, PortError::configuration(format!("rows that do not fit the schema: {error}")))
}

fn failed(output: &str, batch: Timestamp, error: PortError) -> RunError {
    RunError::Sink { output: output.to_owned(), batch, error }
}
