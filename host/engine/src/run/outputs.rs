//! The outputs of a run: rows by output and partition, staged and then delivered in the order of the pipeline.

use arrow_array::RecordBatch;
use tidemill_model::{
    columns::RowsBuffer,
    ports::{PortError, Sink, SinkBatch},
    time::Timestamp,
};
use tidemill_plan::{
    graph::{NodeId, Operator, Plan},
    stages::{Stages, StepKind},
};

use crate::failure::RunError;

pub(super) struct Outputs {
    outputs: Vec<OutputFeed>,
}

struct OutputFeed {
    name: String,
    schema: tidemill_model::schema::Schema,
    arrow: arrow_schema::SchemaRef,
    sink: Box<dyn Sink>,
    partitions: Vec<Vec<RecordBatch>>,
    /// The sources without which there is no batch, if all of them have none; `None`: there always is one.
    sources: Option<Vec<NodeId>>,
}

impl Outputs {
    pub(super) fn new(plan: &Plan, stages: &Stages, sinks: Vec<Box<dyn Sink>>) -> Outputs {
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
                sources: sources_of(plan, output.from),
            }
        });
        Outputs { outputs: outputs.collect() }
    }

    /// Takes what a stage left for the sink of an output.
    pub(super) fn put(&mut self, output: usize, partition: u32, rows: RowsBuffer) -> Result<(), RunError> {
        let output = &mut self.outputs[output];
        let batch = rows.to_batch(&output.arrow).map_err(|error| RunError::Sink {
            output: output.name.clone(),
            batch: Timestamp(0),
            error: PortError::configuration(format!("rows that do not fit the schema: {error}")),
        })?;
        output.partitions[partition as usize].push(batch);
        Ok(())
    }

    /// Stages and delivers the batch of every output, in order. An output whose sources all have no batch at this tick
    /// has none either.
    pub(super) fn deliver(&mut self, time: Timestamp, absent: &[NodeId]) -> Result<(), RunError> {
        let is_absent =
            |output: &OutputFeed| output.sources.as_ref().is_some_and(|all| all.iter().all(|id| absent.contains(id)));
        for output in self.outputs.iter_mut().filter(|output| !is_absent(output)) {
            let batch = SinkBatch { time, schema: &output.schema, partitions: &output.partitions };
            output.sink.stage(&batch).map_err(|error| failed(&output.name, time, error))?;
        }
        for output in self.outputs.iter_mut().filter(|output| !is_absent(output)) {
            output.sink.deliver(time).map_err(|error| failed(&output.name, time, error))?;
        }
        self.outputs.iter_mut().for_each(|output| output.partitions.iter_mut().for_each(Vec::clear));
        Ok(())
    }
}

fn failed(output: &str, batch: Timestamp, error: PortError) -> RunError {
    RunError::Sink { output: output.to_owned(), batch, error }
}

/// The sources that a stream's batches hang on. State is there without them: an update-state always has a batch.
fn sources_of(plan: &Plan, id: NodeId) -> Option<Vec<NodeId>> {
    let node = &plan.nodes[id.0];
    match node.operator {
        Operator::Source(_) => Some(vec![id]),
        Operator::UpdateState(_) => None,
        _ => {
            let of_inputs: Option<Vec<_>> = node.inputs.iter().map(|&input| sources_of(plan, input)).collect();
            of_inputs.map(|sources| sources.concat())
        }
    }
}
