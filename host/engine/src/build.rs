//! Tasks of a plan: for every stage and partition the operators of its steps.

use tidemill_model::schema::Schema;
use tidemill_plan::{
    graph::{Caller, Node, NodeId, OnError, Part, Plan, Port, Role, Then, Way},
    stages::{Stage, Stages, StepKind},
};

use crate::{
    failure::RunError,
    operators::{
        Batch, Gather, Guests, KeyFields, Making, Map, MapKind, Operator, Policy, Recipe, Scatter, Share, Spread,
    },
    presence::Presence,
    stop::Stopper,
    task::{StepFacts, Task},
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
    /// For waits before retries, and looks at whether a batch goes on.
    pub(crate) stopper: &'a Stopper,
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
        let budget = self.guests.budget().clone();
        let stopper = Some(self.stopper.clone());
        let batch = Batch { budget, stopper, ..Batch::new(self.plan.interval, partition, stage.partitions) };
        let operators: Result<Vec<_>, RunError> = stage
            .steps
            .iter()
            .map(|step| Ok((self.facts(step.kind), self.operator(step.kind, stage, partition)?)))
            .collect();
        Ok(Task::new(stage, input, batch, operators?))
    }

    /// What is pushed to step 0 of a stage.
    fn input_schema(&self, stage: &Stage) -> Result<Schema, RunError> {
        let StepKind::Part(id, part) = stage.steps[0].kind else {
            unreachable!("a stage begins with a part of a node")
        };
        let node = self.plan.node(id);
        match Recipe::of(node.parts[part].role).takes {
            Some(takes) => takes(&self.making(id, stage, 0, None)),
            // Where rows of several inputs come, those of each have their own.
            None => Ok(self.rows_for(id)),
        }
    }

    fn operator(&self, kind: StepKind, stage: &Stage, partition: u32) -> Result<Box<dyn Operator>, RunError> {
        let policy = self.policy(kind);
        Ok(match kind {
            StepKind::Part(id, part) => {
                let Part { role, .. } = self.plan.node(id).parts[part];
                (Recipe::of(role).make)(self.making(id, stage, partition, policy))?
            }
            StepKind::Scatter { reader, input } => match &self.plan.node(reader).parts[0].way {
                Way::ByKey(keys) => {
                    let schema = &self.read_by(reader)[input].schema;
                    Box::new(Scatter::new(schema, KeyFields::new(keys, input, schema), self.plan.partitions))
                }
                other => unreachable!("rows are scattered by key, not {other:?}"),
            },
            StepKind::Gather(reader) => {
                let Way::One { rows_max } = self.plan.node(reader).parts[0].way else {
                    unreachable!("rows are gathered for one partition")
                };
                Box::new(Gather::new(&self.rows_for(reader), rows_max))
            }
            StepKind::Spread(reader) => {
                let Way::Round { partitions } = self.plan.node(reader).parts[0].way else {
                    unreachable!("rows are spread over partitions")
                };
                Box::new(Spread::new(&self.rows_for(reader), partitions, partition, stage.order))
            }
            StepKind::Collect { reader, first, origin } => {
                let counts = self.plan.node(reader).parts[0].role == Role::Pass;
                Box::new(Gather::for_union(&self.rows_for(reader), first + partition, origin, counts))
            }
            StepKind::Share { reader, place } => Box::new(Share::new(&self.plan.node(reader).shared[place])),
            StepKind::OutputFunction(output) => self.output_function(output, policy)?,
            StepKind::Output(output) => Box::new(Gather::new(&self.plan.outputs[output].schema, self.rows_max[output])),
        })
    }

    fn making(&self, id: NodeId, stage: &Stage, partition: u32, policy: Option<Policy>) -> Making<'_> {
        let node = self.plan.node(id);
        Making {
            node,
            inputs: self.read_by(id),
            guests: self.guests,
            presence: &self.presence[id.0],
            partitions: self.plan.partitions,
            origins: stage.order.origins(),
            seed: self.seed ^ u64::from(partition) << 32,
            policy,
        }
    }

    fn facts(&self, kind: StepKind) -> StepFacts {
        let name = match kind.owner() {
            Caller::Stream(id) => self.plan.node(id).name.clone(),
            Caller::Output(output) => self.plan.outputs[output].name.clone(),
        };
        let then = match kind {
            StepKind::Part(id, _) => self.plan.node(id).then(),
            _ => self.caller(kind).map_or(Then::Stop, |(_, _, on_error)| on_error.then),
        };
        let letters = self.caller(kind).and_then(|(caller, ..)| self.plan.dead_letters_of(caller));
        let needs = match kind {
            StepKind::Part(id, 0) if self.plan.node(id).fails_if_absent => {
                let input = |input: &NodeId| (self.plan.node(*input).name.clone(), self.presence[input.0].clone());
                self.plan.node(id).inputs.iter().map(input).collect()
            }
            _ => Vec::new(),
        };
        StepFacts { name, then, letters, needs }
    }

    /// Who calls a function at a step that may fail, if it calls one; the function's name, and what happens then.
    fn caller(&self, kind: StepKind) -> Option<(Caller, String, OnError)> {
        let (caller, (name, on_error)) = match kind {
            StepKind::Part(id, _) => (Caller::Stream(id), self.plan.node(id).may_fail()?),
            StepKind::OutputFunction(output) => {
                (Caller::Output(output), self.plan.outputs[output].function.as_ref()?.may_fail())
            }
            _ => return None,
        };
        Some((caller, name, on_error))
    }

    /// What is done about failing calls at a step, if it makes any.
    fn policy(&self, kind: StepKind) -> Option<Policy> {
        let (caller, function, on_error) = self.caller(kind)?;
        let name = match caller {
            Caller::Stream(id) => &self.plan.node(id).name,
            Caller::Output(output) => &self.plan.outputs[output].name,
        };
        let of_output = self.plan.dead_letters_of(caller).map(|output| &self.plan.outputs[output].schema);
        let letters = of_output.or_else(|| match caller {
            Caller::Stream(id) => self.plan.rejected_of(id).map(|node| &node.schema),
            Caller::Output(_) => None,
        });
        Some(Policy::new(name, (&function, on_error), letters, self.stopper.clone()))
    }

    fn output_function(&self, output: usize, policy: Option<Policy>) -> Result<Box<dyn Operator>, RunError> {
        let output = &self.plan.outputs[output];
        let function = output.function.as_ref().expect("an output step with a function is of such an output");
        // A stream may have the same name.
        let place = format!("outputs.{}", output.name);
        let (guest, presence) = (self.guests.slot(&place, function)?, &self.presence[output.from.0]);
        Ok(Box::new(Map::new(&output.name, &output.schema, guest, MapKind::Output, presence, &[], policy)))
    }

    /// The rows that a node reads of its first input.
    fn rows_for(&self, id: NodeId) -> Schema {
        let node = self.plan.node(id);
        // What stands beside a stream is handed on as it is.
        if node.reads == Port::Rows { self.read_by(id)[0].schema.clone() } else { node.schema.clone() }
    }

    /// What a node reads; itself, of a source.
    fn read_by(&self, id: NodeId) -> Vec<&Node> {
        let node = self.plan.node(id);
        if node.inputs.is_empty() {
            return vec![node];
        }
        node.inputs.iter().map(|input| self.plan.node(*input)).collect()
    }
}
