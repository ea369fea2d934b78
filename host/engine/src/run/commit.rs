//! What makes a batch count, and seen: in the order that [`steps`](crate::checkpoint) describes.

use std::collections::BTreeMap;

use tidemill_checkpoint::{Archive, Number, Section, SectionKind, StateSchema};
use tidemill_model::time::Timestamp;
use tidemill_plan::graph::{NodeId, Operator, Plan};
use tidemill_state::table::{BlockLimits, StateError, StateTable};

use super::Run;
use crate::{
    checkpoint::{InputKeeper, Pending, Renames, States, Step},
    failure::RunError,
    task::Task,
};

/// What the streams of a plan keep.
pub(super) fn state_schemas(plan: &Plan) -> Vec<StateSchema> {
    let kept = plan.nodes.iter().filter_map(|node| match &node.operator {
        Operator::UpdateState(update) => Some((node, &update.function)),
        _ => None,
    });
    let schemas = kept.map(|(node, function)| StateSchema {
        stream: node.name.clone(),
        previously: node.previously.clone(),
        function: format!("{}/{}", function.plugin, function.signature.name),
        keys: function.binding.keys.to_string(),
        state: function.signature.state.to_string(),
        version: function.signature.state_version,
    });
    schemas.collect()
}

impl Run {
    /// Commits a batch whose stages have run, if there is a checkpoint, and gives it to the sinks.
    pub(super) fn commit(&mut self, tick: Timestamp, absent: &[NodeId]) -> Result<(), RunError> {
        if let Some(collected) = &mut self.collected {
            *collected = changes(self.tasks.iter_mut().flatten().flatten())?;
            collected.extend(self.outputs.sections(absent));
            return Ok(());
        }
        let Some(keeper) = &mut self.keeper else {
            self.outputs.stage(tick, absent)?;
            return self.outputs.deliver(tick, absent);
        };
        let logged = match self.sources.input() {
            Some(input) => {
                keeper.step(Step::Log, tick, |_| Ok(input.sync()?))?;
                Some(input.batch())
            }
            None => None,
        };
        let pins = self.sources.pins(logged)?;
        let plan = keeper.plan(tick, pins, self.sources.input().zip(logged))?;
        let mut sections = changes(self.tasks.iter_mut().flatten().flatten())?;
        sections.extend(self.outputs.sections(absent));
        keeper.commit(tick, plan, self.counters.with_batch(), &sections)?;
        keeper.step(Step::Stage, tick, |_| self.outputs.stage(tick, absent))?;
        keeper.step(Step::Deliver, tick, |_| self.outputs.deliver(tick, absent))?;
        keeper.delivered(tick);
        Ok(())
    }

    /// Goes on from the checkpoint, if there is one; gives the last batch that counts. A batch that was planned and not
    /// committed is run again.
    pub(super) fn recover(&mut self) -> Result<Option<Timestamp>, RunError> {
        let (Some(keeper), Some(recovered)) = (&self.keeper, self.recovered.take()) else { return Ok(None) };
        if let Some(fell_back) = &recovered.fell_back {
            tracing::warn!(
                "record {} of the checkpoint is damaged and passed over: {}",
                fell_back.number,
                fell_back.what
            );
        }
        let last = recovered.last.as_ref().map(|last| last.commit.batch);
        let last_plan = recovered.last.as_ref().map(|last| &last.plan);
        let planned = recovered.planned.as_ref().map(|planned| &planned.plan);
        if let Some((output, newest)) = self.outputs.ahead_of(last)? {
            return Err(RunError::SinkAhead { output, newest, last });
        }
        let mut pending = Pending::default();
        if self.sources.need_log() {
            let storage = keeper.storage().clone();
            let (input, logged) =
                InputKeeper::open(storage, keeper.fence(), last_plan, planned, keeper.segment_bytes())?;
            self.sources.log_to(input);
            pending = logged;
        }
        self.sources.resume(last_plan, planned, pending, keeper.renames())?;
        let of = |number| (number, keeper.states_of(number));
        let (snapshot, deltas) = (recovered.snapshot.map(of), recovered.deltas.iter().map(|&number| of(number)));
        let schemas = state_schemas(&self.plan);
        let keys = restore(&mut self.tasks, &schemas, keeper.renames(), keeper.archive(), snapshot, deltas)?;
        if let Some(last) = &recovered.last {
            self.counters.restore(&last.commit.counters);
            tracing::info!(keys, "going on behind the batch {}", last.commit.batch);
        }
        for undelivered in &recovered.undelivered {
            self.deliver_again(undelivered.number, undelivered.batch)?;
        }
        if let Some(planned) = recovered.planned.as_ref().map(|planned| planned.plan.batch) {
            tracing::info!("running the batch {planned} again, with the same input");
            self.batch(planned)?;
            return Ok(Some(planned));
        }
        Ok(last)
    }

    fn deliver_again(&mut self, number: u64, batch: Timestamp) -> Result<(), RunError> {
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        let present = self.outputs.restore(batch, keeper.archive().read_sections(number)?)?;
        tracing::info!("delivering the batch {batch} again");
        keeper.step(Step::Deliver, batch, |_| self.outputs.deliver_again(batch, &present))?;
        keeper.delivered(batch);
        Ok(())
    }
}

/// What a batch changed in the state, by stream and partition.
fn changes<'a>(tasks: impl Iterator<Item = &'a mut Box<Task>>) -> Result<Vec<Section>, StateError> {
    let mut sections = Vec::new();
    for task in tasks {
        let partition = task.batch.partition;
        for (stream, table) in task.tables() {
            let batches = table.changes(BlockLimits::default()).collect::<Result<Vec<_>, _>>()?;
            if !batches.is_empty() {
                let (stream, table) = (stream.to_owned(), String::new());
                sections.push(Section { kind: SectionKind::State, stream, table, partition, version: 0, batches });
            }
        }
    }
    Ok(sections)
}

/// Fills the tables of the tasks from a snapshot and the commits behind it, each with what the states were then; gives the
/// number of keys.
pub(super) fn restore<'a>(
    tasks: &mut [Vec<Option<Box<Task>>>],
    schemas: &[StateSchema],
    renames: &Renames,
    archive: &Archive,
    snapshot: Option<(Number, &'a [StateSchema])>,
    deltas: impl Iterator<Item = (Number, &'a [StateSchema])>,
) -> Result<usize, RunError> {
    let mut tables: BTreeMap<String, Vec<&mut StateTable>> = BTreeMap::new();
    for task in tasks.iter_mut().flatten().flatten() {
        for (stream, table) in task.tables() {
            table.note_changes(true);
            tables.entry(stream.to_owned()).or_default().push(table);
        }
    }
    let mut states = States::new(renames.clone());
    for (stream, tables) in tables {
        let schema = schemas.iter().find(|schema| schema.stream == stream);
        states.add(schema.expect("who has a table has a schema").clone(), tables)?;
    }
    states.load(archive, snapshot, deltas)?;
    Ok(states.keys())
}
