//! The sinks of a run: given the rows of batches, which they prepare and then deliver, in the order of the pipeline.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use tidemill_checkpoint::{self as checkpoint, OutboxDraft, OutboxParts, Outboxes, Section, SectionKind, Sections};
use tidemill_model::{
    ports::{Owner, PortError, Sink, SinkBatch, SinkParts, SinkRows},
    schema::Schema,
    time::Timestamp,
};
use tidemill_plan::graph::Plan;

use super::outbox::Outbox;
use crate::failure::RunError;

/// What an output has of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum OutputRows {
    /// It has no batch at this tick.
    #[default]
    Absent,
    /// It has none, though rows were written to its sink.
    Unwanted,
    /// The rows of each part, in order.
    Held(Vec<Vec<RecordBatch>>),
    /// Rows that were written to its sink while the batch was open: these parts of them, in order.
    Written(Vec<u32>),
}

pub(crate) struct Sinks {
    outputs: Vec<OutputSink>,
    outbox: Outbox,
}

struct OutputSink {
    name: String,
    schema: Schema,
    arrow: SchemaRef,
    sink: Box<dyn Sink>,
}

/// By output the newest batch that its sink has made visible, of those that can tell.
pub(crate) struct Newest(Vec<(String, Timestamp)>);

impl OutputRows {
    fn is_present(&self) -> bool {
        matches!(self, OutputRows::Held(_) | OutputRows::Written(_))
    }
}

impl Sinks {
    /// A sink for each output of the plan. `outboxes`: for rows that are too many for a commit's record, if there is a checkpoint.
    pub(crate) fn new(plan: &Plan, sinks: Vec<Box<dyn Sink>>, outboxes: Option<Outboxes>) -> Sinks {
        let outputs = plan.outputs.iter().zip(sinks).map(|(output, sink)| OutputSink {
            name: output.name.clone(),
            arrow: output.schema.to_arrow(),
            schema: output.schema.clone(),
            sink,
        });
        Sinks { outputs: outputs.collect(), outbox: Outbox::new(outboxes) }
    }

    /// Refuses outputs whose places are another's. Nothing is changed.
    pub(crate) fn look(plan: &Plan, sinks: &[Box<dyn Sink>], is_kept: bool) -> Result<(), RunError> {
        plan.outputs.iter().zip(sinks).try_for_each(|(output, sink)| {
            sink.look(&plan.name, is_kept).map_err(|error| RunError::Place { output: output.name.clone(), error })
        })
    }

    /// Makes the places of all outputs this run's.
    pub(crate) fn begin(&mut self, owner: &Owner<'_>) -> Result<(), RunError> {
        self.outputs.iter_mut().try_for_each(|output| {
            output.sink.begin(owner).map_err(|error| RunError::Place { output: output.name.clone(), error })
        })
    }

    /// What sinks say of batches that they have: to be compared with the log.
    pub(crate) fn newest(&self) -> Result<Newest, RunError> {
        newest(self.outputs.iter().map(|output| (&output.name, &output.sink)))
    }

    /// The names of the outputs whose sinks are new.
    pub(crate) fn new_ones(&self) -> Vec<String> {
        new_ones(self.outputs.iter().map(|output| (&output.name, &output.sink)))
    }

    /// Gives rows of an open batch to the sink of an output, and keeps them beside the record that the batch will have. Gives
    /// how many bytes these are.
    pub(crate) fn write(
        &mut self,
        output: usize,
        batch: Timestamp,
        part: u32,
        rows: &RecordBatch,
    ) -> Result<u64, RunError> {
        let output = &mut self.outputs[output];
        let bytes = self.outbox.write(&output.name, part, rows)?;
        output.write(batch, part, rows)?;
        Ok(bytes)
    }

    /// What was written of the batch while it was open, to be published before its commit; and what of it makes the batch.
    pub(super) fn take_outbox(&mut self, rows: &[OutputRows]) -> Option<(OutboxDraft, Vec<OutboxParts>)> {
        let draft = self.outbox.take()?;
        let parts = self.outputs.iter().zip(rows).filter_map(|(output, rows)| match rows {
            OutputRows::Written(parts) => Some(OutboxParts { output: output.name.clone(), parts: parts.clone() }),
            _ => None,
        });
        let parts: Vec<OutboxParts> = parts.collect();
        (!parts.is_empty()).then_some((draft, parts))
    }

    /// What a commit's record keeps of the batch: the rows of every output that has a batch at this tick, each part's, but those
    /// that were written while it was open.
    pub(crate) fn sections(&self, rows: &[OutputRows]) -> Vec<Section> {
        let sections = self.outputs.iter().zip(rows).flat_map(|(output, rows)| {
            let held = if let OutputRows::Held(parts) = rows { &parts[..] } else { &[] };
            (0u32..).zip(held).map(|(partition, batches)| Section {
                kind: SectionKind::Output,
                stream: output.name.clone(),
                table: String::new(),
                partition,
                batches: batches.clone(),
            })
        });
        sections.collect()
    }

    /// Stages the batch of every output that has one, in order.
    pub(super) fn prepare(&mut self, batch: Timestamp, rows: &[OutputRows]) -> Result<(), RunError> {
        self.each(batch, rows, |output, rows| match rows {
            OutputRows::Unwanted => output.sink.discard(batch),
            _ => Ok(()),
        })?;
        self.each(batch, rows, |OutputSink { sink, schema, .. }, rows| match rows {
            OutputRows::Held(parts) => SinkBatch { time: batch, schema, parts }.prepare(&mut **sink),
            OutputRows::Written(parts) => sink.prepare(&SinkParts { time: batch, schema, parts }),
            OutputRows::Absent | OutputRows::Unwanted => Ok(()),
        })
    }

    /// Makes the prepared batch of every output visible, in order.
    pub(super) fn deliver(&mut self, batch: Timestamp, rows: &[OutputRows]) -> Result<(), RunError> {
        self.each(batch, rows, |output, rows| if rows.is_present() { output.sink.deliver(batch) } else { Ok(()) })
    }

    /// Stages and delivers a batch that was committed, from what its record holds and what lies beside it.
    pub(crate) fn deliver_again(
        &mut self,
        batch: Timestamp,
        sections: Vec<Section>,
        beside: Option<(&checkpoint::Outbox, Sections)>,
    ) -> Result<(), RunError> {
        let mut rows = vec![OutputRows::Absent; self.outputs.len()];
        for section in sections.into_iter().filter(|section| section.kind == SectionKind::Output) {
            let output = self.deliverable(batch, &section)?;
            if !rows[output].is_present() {
                rows[output] = OutputRows::Held(Vec::new());
            }
            if let OutputRows::Held(parts) = &mut rows[output] {
                parts.resize(section.partition as usize, Vec::new());
                parts.push(section.batches);
            }
        }
        if let Some((outbox, sections)) = beside {
            self.write_again(batch, outbox, sections, &mut rows)?;
        }
        self.prepare(batch, &rows)?;
        self.deliver(batch, &rows)
    }

    /// Writes the rows of a batch that lie beside its record. They are read little by little, so that it is known at the end
    /// that all of them were right.
    fn write_again(
        &mut self,
        batch: Timestamp,
        outbox: &checkpoint::Outbox,
        sections: Sections,
        rows: &mut [OutputRows],
    ) -> Result<(), RunError> {
        let named = |name: &str| outbox.outputs.iter().find(|output| output.output == name);
        for section in sections {
            let section = section?;
            if named(&section.stream).is_none_or(|output| !output.parts.contains(&section.partition)) {
                continue;
            }
            let output = self.deliverable(batch, &section)?;
            for rows in &section.batches {
                self.outputs[output].write(batch, section.partition, rows)?;
            }
        }
        for OutboxParts { output, parts } in &outbox.outputs {
            let found = self.outputs.iter().position(|found| found.name == *output);
            let found = found.ok_or_else(|| undeliverable(output, batch, "the pipeline no longer has it"))?;
            rows[found] = OutputRows::Written(parts.clone());
        }
        Ok(())
    }

    /// The output of rows that a checkpoint has.
    fn deliverable(&self, batch: Timestamp, section: &Section) -> Result<usize, RunError> {
        let undeliverable = |why| undeliverable(&section.stream, batch, why);
        let output = self.outputs.iter().position(|output| output.name == section.stream);
        let output = output.ok_or_else(|| undeliverable("the pipeline no longer has it"))?;
        let arrow = &self.outputs[output].arrow;
        if section.batches.iter().any(|batch| batch.schema().fields() != arrow.fields()) {
            return Err(undeliverable("its rows now have other fields"));
        }
        Ok(output)
    }

    fn each(
        &mut self,
        batch: Timestamp,
        rows: &[OutputRows],
        action: impl Fn(&mut OutputSink, &OutputRows) -> Result<(), PortError>,
    ) -> Result<(), RunError> {
        let mut outputs = self.outputs.iter_mut().zip(rows);
        outputs.try_for_each(|(output, rows)| action(output, rows).map_err(|error| failed(&output.name, batch, error)))
    }
}

impl OutputSink {
    fn write(&mut self, batch: Timestamp, part: u32, rows: &RecordBatch) -> Result<(), RunError> {
        let written = self.sink.write(&SinkRows { batch, part, schema: &self.schema, rows });
        written.map_err(|error| failed(&self.name, batch, error))
    }
}

impl Newest {
    /// Of outputs that nobody owns yet.
    pub(crate) fn of(plan: &Plan, sinks: &[Box<dyn Sink>]) -> Result<Newest, RunError> {
        newest(plan.outputs.iter().map(|output| &output.name).zip(sinks))
    }

    /// Refuses a log whose last batch some output is ahead of. The sinks must have been asked before that was read, or by its owner:
    /// a host at work adds to both, to the log first.
    pub(crate) fn check(&self, last: Option<Timestamp>) -> Result<(), RunError> {
        match self.0.iter().find(|(_, newest)| Some(*newest) > last) {
            Some((output, newest)) => Err(RunError::SinkAhead { output: output.clone(), newest: *newest, last }),
            None => Ok(()),
        }
    }
}

fn newest<'a>(sinks: impl Iterator<Item = (&'a String, &'a Box<dyn Sink>)>) -> Result<Newest, RunError> {
    let newest = sinks.map(|(output, sink)| match sink.newest() {
        Ok(newest) => Ok(newest.map(|newest| (output.clone(), newest))),
        Err(error) => Err(RunError::Place { output: output.clone(), error }),
    });
    Ok(Newest(newest.filter_map(Result::transpose).collect::<Result<_, _>>()?))
}

/// The outputs whose sinks are new. A log that says otherwise must have been read before: a host at work makes the place first.
pub(crate) fn new_ones<'a>(sinks: impl Iterator<Item = (&'a String, &'a Box<dyn Sink>)>) -> Vec<String> {
    sinks.filter(|(_, sink)| sink.is_new()).map(|(output, _)| output.clone()).collect()
}

pub(super) fn undeliverable(output: &str, batch: Timestamp, why: &'static str) -> RunError {
    RunError::Undeliverable { output: output.to_owned(), batch, why }
}

fn failed(output: &str, batch: Timestamp, error: PortError) -> RunError {
    RunError::Sink { output: output.to_owned(), batch, error }
}
