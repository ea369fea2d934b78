//! Tasks of a plan: for every stage and partition the operators of its steps.

use std::sync::Arc;

use tidemill_model::{ports::Clock, schema::Schema, time::Timestamp};
use tidemill_plan::{
    graph::{Caller, Condition, FunctionUse, Node, NodeId, Operator as Op, Plan, Then},
    stages::{ExchangeId, Input, Stage, Stages, StepKind},
};

use crate::{
    arrival::Arrival,
    failure::RunError,
    operators::{
        Batch, Combine, Filter, Gather, Guests, Limit, Map, Merge, Operator, Pass, Policy, Rejections, Scatter, Sort,
        UpdateState, exchange_schema, filter::FilterCondition, map::MapKind,
    },
    presence::Presence,
    reduce::reducer_of,
    task::{Place, Task},
};

/// What operators are made from.
pub(crate) struct Builder<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) stages: &'a Stages,
    pub(crate) guests: &'a Guests,
    /// For each node whether it has a batch.
    pub(crate) presence: &'a [Presence],
    /// For the hashes of keys.
    pub(crate) seed: u64,
    /// For each output how many rows its sink looks at.
    pub(crate) rows_max: &'a [Option<usize>],
    /// For waits before retries.
    pub(crate) clock: &'a Arc<dyn Clock>,
}

impl Builder<'_> {
    /// For every stage its tasks, one a partition.
    pub(crate) fn tasks(&self) -> Result<Vec<Vec<Option<Box<Task>>>>, RunError> {
        let stages = self.stages.stages.iter();
        stages
            .map(|stage| {
                let input = self.input_schema(stage)?;
                (0..stage.partitions)
                    .map(|partition| Ok(Some(Box::new(self.task(stage, partition, &input)?))))
                    .collect()
            })
            .collect()
    }

    fn task(&self, stage: &Stage, partition: u32, input: &Schema) -> Result<Task, RunError> {
        let batch = Batch {
            time: Timestamp(0),
            interval: self.plan.interval,
            partition,
            partitions: stage.partitions,
            arrival: Arrival::default(),
            absent: Arc::new([]),
            rejections: Rejections::default(),
        };
        let operators: Result<Vec<_>, RunError> =
            (0..stage.steps.len()).map(|step| self.operator(stage, step, partition, input)).collect();
        Ok(Task::new(stage, input, batch, operators?))
    }

    /// What is pushed to step 0 of a stage.
    fn input_schema(&self, stage: &Stage) -> Result<Schema, RunError> {
        Ok(match (&stage.input, stage.steps[0].kind) {
            (Input::Exchanges(..), StepKind::Merge(id)) => {
                exchange_schema(reducer_of(self.plan, self.node(id), self.guests)?.0.state())
            }
            (Input::Exchanges(..), StepKind::UpdateState(id) | StepKind::Sort(id) | StepKind::Limit(id)) => {
                self.input_of(id).clone()
            }
            (_, StepKind::Pass(id)) => self.node(id).schema.clone(),
            (_, kind) => unreachable!("no stage begins with {kind:?}"),
        })
    }

    fn operator(
        &self,
        stage: &Stage,
        step: usize,
        partition: u32,
        input: &Schema,
    ) -> Result<(Place, Box<dyn Operator>), RunError> {
        let seed = self.seed ^ u64::from(partition) << 32;
        let kind = stage.steps[step].kind;
        let operator: Box<dyn Operator> = match kind {
            StepKind::Pass(_) => Box::new(Pass),
            StepKind::Map(id) => self.map(id, self.policy(kind))?,
            StepKind::Filter(id) => self.filter(self.node(id), self.policy(kind))?,
            StepKind::Combine(id, _) => {
                let node = self.node(id);
                let (reduce, by) = reducer_of(self.plan, node, self.guests)?;
                let partitions = if by.is_empty() { 1 } else { self.plan.partitions };
                let counts_nothing = matches!(node.operator, Op::Count).then(|| self.presence[id.0].clone());
                Box::new(Combine::new(by, reduce, partitions, counts_nothing, self.policy(kind), seed))
            }
            StepKind::Merge(id) => {
                let (reduce, by) = reducer_of(self.plan, self.node(id), self.guests)?;
                Box::new(Merge::new(&self.node(id).schema, by.len(), reduce, self.policy(kind), seed))
            }
            StepKind::UpdateState(id) => self.update_state(self.node(id), self.policy(kind), seed)?,
            StepKind::Sort(id) => match &self.node(id).operator {
                Op::Sort(keys) => Box::new(Sort::new(&self.node(id).schema, keys)),
                other => unreachable!("a sort step is of a sort, not of {other:?}"),
            },
            StepKind::Limit(id) => match self.node(id).operator {
                Op::Limit(rows_max) => Box::new(Limit::new(rows_max)),
                ref other => unreachable!("a limit step is of a limit, not of {other:?}"),
            },
            StepKind::Scatter(id, _) => match &self.node(id).operator {
                Op::UpdateState(update) => {
                    Box::new(Scatter::new(self.input_of(id), update.by.clone(), self.plan.partitions))
                }
                other => unreachable!("rows are scattered for an update-state, not for {other:?}"),
            },
            StepKind::Gather(exchange) => {
                Box::new(Gather::new(&self.parent_schema(stage, step, input), self.rows_wanted(exchange)))
            }
            StepKind::Collect { first, origin, .. } => {
                Box::new(Gather::for_union(&self.parent_schema(stage, step, input), first + partition, origin))
            }
            StepKind::OutputFunction(output) => self.output_function(output, self.policy(kind))?,
            StepKind::Output(output) => Box::new(Gather::new(&self.plan.outputs[output].schema, self.rows_max[output])),
        };
        Ok((self.place(kind, stage, step), operator))
    }

    fn place(&self, kind: StepKind, stage: &Stage, step: usize) -> Place {
        let name = self.name(kind, stage, step);
        match self.caller(kind) {
            Some((caller, function)) => {
                Place { name, then: function.on_error.then, letters: self.plan.dead_letters_of(caller) }
            }
            None => Place { name, then: Then::Stop, letters: None },
        }
    }

    /// Who calls which function at a step, if it calls one.
    fn caller(&self, kind: StepKind) -> Option<(Caller, &FunctionUse)> {
        match kind {
            StepKind::OutputFunction(output) => {
                Some((Caller::Output(output), self.plan.outputs[output].function.as_ref()?))
            }
            StepKind::Map(id)
            | StepKind::Filter(id)
            | StepKind::Combine(id, _)
            | StepKind::Merge(id)
            | StepKind::UpdateState(id) => Some((Caller::Stream(id), self.node(id).operator.function()?)),
            _ => None,
        }
    }

    /// What is done about failing calls at a step, if it makes any.
    fn policy(&self, kind: StepKind) -> Option<Policy> {
        let (caller, function) = self.caller(kind)?;
        let name = match caller {
            Caller::Stream(id) => &self.node(id).name,
            Caller::Output(output) => &self.plan.outputs[output].name,
        };
        let letters = self.plan.dead_letters_of(caller).map(|output| &self.plan.outputs[output].schema);
        Some(Policy::new(name, function, letters, self.clock.clone()))
    }

    fn map(&self, id: NodeId, policy: Option<Policy>) -> Result<Box<dyn Operator>, RunError> {
        let (node, presence) = (self.node(id), &self.presence[id.0]);
        let Op::Map(map) = &node.operator else { unreachable!("a map step is of a map") };
        let guest = self.guests.slot(&node.name, &map.function)?;
        Ok(Box::new(Map::new(&node.name, &node.schema, guest, MapKind::Map, presence, &map.keep, policy)))
    }

    fn filter(&self, node: &Node, policy: Option<Policy>) -> Result<Box<dyn Operator>, RunError> {
        let Op::Filter(condition) = &node.operator else { unreachable!("a filter step is of a filter") };
        let condition = match condition {
            Condition::Field(field) => FilterCondition::Field(*field),
            Condition::Function(function) => {
                FilterCondition::Function(Box::new(self.guests.slot(&node.name, function)?))
            }
        };
        Ok(Box::new(Filter::new(&node.name, condition, policy)))
    }

    fn update_state(&self, node: &Node, policy: Option<Policy>, seed: u64) -> Result<Box<dyn Operator>, RunError> {
        let Op::UpdateState(update) = &node.operator else { unreachable!("an update step is of an update-state") };
        let guest = self.guests.slot(&node.name, &update.function)?;
        Ok(Box::new(UpdateState::new(&node.name, &node.schema, update, guest, policy, self.may_skip(), seed)))
    }

    /// Whether a batch may have to be undone.
    fn may_skip(&self) -> bool {
        let of_streams = self.plan.nodes.iter().filter_map(|node| node.operator.function());
        let of_outputs = self.plan.outputs.iter().filter_map(|output| output.function.as_ref());
        of_streams.chain(of_outputs).any(|function| function.on_error.then == Then::SkipBatch)
    }

    fn output_function(&self, output: usize, policy: Option<Policy>) -> Result<Box<dyn Operator>, RunError> {
        let output = &self.plan.outputs[output];
        let function = output.function.as_ref().expect("an output step with a function is of such an output");
        // A stream may have the same name.
        let place = format!("outputs.{}", output.name);
        let (guest, presence) = (self.guests.slot(&place, function)?, &self.presence[output.from.0]);
        Ok(Box::new(Map::new(&output.name, &output.schema, guest, MapKind::Output, presence, &[], policy)))
    }

    /// What the step that feeds `step` gives.
    fn parent_schema(&self, stage: &Stage, step: usize, input: &Schema) -> Schema {
        let parent = stage.steps.iter().find(|parent| parent.children.contains(&step));
        parent.and_then(|parent| self.node_of(parent.kind)).map_or_else(|| input.clone(), |node| node.schema.clone())
    }

    /// How many rows of a partition the stage behind an exchange looks at; `None`: all.
    fn rows_wanted(&self, exchange: ExchangeId) -> Option<usize> {
        let reads = |stage: &&Stage| matches!(&stage.input, Input::Exchanges(ids, _) if ids.contains(&exchange));
        match self.stages.stages.iter().find(reads)?.steps[0].kind {
            StepKind::Limit(id) => match self.node(id).operator {
                Op::Limit(rows_max) => Some(rows_max),
                _ => None,
            },
            _ => None,
        }
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.plan.nodes[id.0]
    }

    fn input_of(&self, id: NodeId) -> &Schema {
        &self.node(self.node(id).inputs[0]).schema
    }

    fn node_of(&self, kind: StepKind) -> Option<&Node> {
        kind.node().map(|id| self.node(id))
    }

    /// The stream or output that a step works for.
    fn name(&self, kind: StepKind, stage: &Stage, step: usize) -> String {
        match kind {
            StepKind::OutputFunction(output) | StepKind::Output(output) => self.plan.outputs[output].name.clone(),
            _ => {
                let parent = stage.steps.iter().find(|parent| parent.children.contains(&step));
                let node = self.node_of(kind).or_else(|| parent.and_then(|parent| self.node_of(parent.kind)));
                node.map_or_else(String::new, |node| node.name.clone())
            }
        }
    }
}
