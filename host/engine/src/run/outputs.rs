//! The outputs of a run: rows by output and partition, staged and then delivered in the order of the pipeline.

use arrow_array::RecordBatch;
use tidemill_model::{
    columns::RowsBuffer,
    ports::{PortError, Sink, SinkBatch},
    time::Timestamp,
};
use tidemill_plan::{
    graph::{NodeId, Plan},
    stages::{Stages, StepKind},
};

use crate::{failure::RunError, presence::Presence};

pub(super) struct Outputs {
    outputs: Vec<OutputFeed>,
}

struct OutputFeed {
    name: String,
    schema: tidemill_model::schema::Schema,
    arrow: arrow_schema::SchemaRef,
    sink: Box<dyn Sink>,
    partitions: Vec<Vec<RecordBatch>>,
    presence: Presence,
}

impl Outputs {
    pub(super) fn new(plan: &Plan, stages: &Stages, presence: &[Presence], sinks: Vec<Box<dyn Sink>>) -> Outputs {
        let outputs = plan.outputs.iter().enumerate().zip(sinks).map(|((index, output), sink)| {
            let of_output = |kind: &StepKind| *kind == StepKind::Output(index);
            let stage = stages.stages.iter().find(|stage| stage.steps.iter().any(|step| of_output(&step.kind)));
            let partitions = stage.map_or(1, |stage| stage.partitions as usize);
            OutputFeed {
                name: output.name.clone(),
                schema: output.schema.clone(),
                arrow: output.schema.to_arrow(),
                sink,
                partitions: vec![Vec::new(); partitions],
                presence: presence[output.from.0].clone(),
            }
        });
        Outputs { outputs: outputs.collect() }
    }

    /// Takes what a stage left for the sink of an output.
    pub(super) fn put(
        &mut self,
        output: usize,
        partition: u32,
        time: Timestamp,
        rows: RowsBuffer,
    ) -> Result<(), RunError> {
        let output = &mut self.outputs[output];
        let batch = rows.to_batch(&output.arrow).map_err(|error| {
            let error = PortError::configuration(format!("rows that do not fit the schema: {error}"));
            failed(&output.name, time, error)
        })?;
        output.partitions[partition as usize].push(batch);
        Ok(())
    }

    /// Stages and delivers the batch of every output, in order. An output whose sources all have no batch at this tick
    /// has none either.
    pub(super) fn deliver(&mut self, time: Timestamp, absent: &[NodeId]) -> Result<(), RunError> {
        for output in self.outputs.iter_mut().filter(|output| output.presence.is_present(absent)) {
            let batch = SinkBatch { time, schema: &output.schema, partitions: &output.partitions };
            output.sink.stage(&batch).map_err(|error| failed(&output.name, time, error))?;
        }
        for output in self.outputs.iter_mut().filter(|output| output.presence.is_present(absent)) {
            output.sink.deliver(time).map_err(|error| failed(&output.name, time, error))?;
        }
        self.outputs.iter_mut().for_each(|output| output.partitions.iter_mut().for_each(Vec::clear));
        Ok(())
    }
}

fn failed(output: &str, batch: Timestamp, error: PortError) -> RunError {
    RunError::Sink { output: output.to_owned(), batch, error }
}
