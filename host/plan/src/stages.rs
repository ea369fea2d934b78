//! The typed graph as stages: chains of steps that run for one partition at a time, with exchanges between them.
//!
//! A stage begins at a source or behind an exchange, and ends where rows go to other partitions, or to a sink. Rows are
//! pushed through its steps chunk by chunk; a step's children stand behind it.

use tidemill_model::connector::SourceSpec;

use crate::graph::{Condition, Node, NodeId, Operator, Plan, Reducer};

/// The stages of a plan, in the order in which they run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stages {
    /// A stage's exchanges are filled by stages before it.
    pub stages: Vec<Stage>,
    /// How many exchanges there are.
    pub exchanges: usize,
}

/// Steps that run for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Where its rows come from: they are pushed to step 0.
    pub input: Input,
    /// How many partitions it runs for.
    pub partitions: u32,
    /// In which order the rows of its streams are.
    pub order: Order,
    /// The steps; a step's children come behind it.
    pub steps: Vec<Step>,
}

/// Where a stage's rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A source's chunks, as they come.
    Source(NodeId),
    /// What other stages left for this partition.
    Exchanges(Vec<ExchangeId>, Sequence),
}

/// How a stage takes what was left for a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// As it lies: exchange by exchange, and in each by partition.
    Any,
    /// In the order of the stream that it reads.
    Arrival,
}

/// In which order the rows of a stage's streams are, those of all partitions together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they came: those of one input of a union before those of the next, each in the order of its source. Behind them come
    /// the rows that functions make when the batch ends, by partition.
    Arrival {
        /// How many there are whose rows come one after the other, those that are made at the end among them.
        origins: u32,
    },
    /// By partition: the stage makes its rows anew, each partition its own.
    Partition,
}

impl Order {
    /// Of how many streams rows come one after the other.
    pub fn origins(self) -> u32 {
        match self {
            Order::Arrival { origins } => origins,
            Order::Partition => 1,
        }
    }
}

/// A place where stages leave rows for the partitions of another stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub usize);

/// What is done to rows at one place of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub kind: StepKind,
    /// The steps that get what this one gives.
    pub children: Vec<usize>,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Hands rows on as they are: a source, a union.
    Pass(NodeId),
    /// [`Operator::Map`].
    Map(NodeId),
    /// [`Operator::Filter`].
    Filter(NodeId),
    /// The first half of a reduce, count or distinct: one row for each key of this partition.
    Combine(NodeId, ExchangeId),
    /// The second half: one row for each key.
    Merge(NodeId),
    /// [`Operator::UpdateState`].
    UpdateState(NodeId),
    /// [`Operator::Sort`] over all rows.
    Sort(NodeId),
    /// [`Operator::Limit`] over all rows.
    Limit(NodeId),
    /// Sends each row to its key's partition, for the node that reads it.
    Scatter(NodeId, ExchangeId),
    /// Leaves all rows for one partition.
    Gather(ExchangeId),
    /// Leaves the rows for partition `first` + this one.
    Collect {
        /// The union's exchange.
        exchange: ExchangeId,
        /// The union's partition for this stage's partition 0.
        first: u32,
        /// How many origins the inputs before this one have.
        origin: u32,
    },
    /// An output function.
    OutputFunction(usize),
    /// Gathers rows for the sink of an output.
    Output(usize),
}

impl StepKind {
    /// The stream that the step works for, of one that does not work for an output.
    pub fn node(self) -> Option<NodeId> {
        match self {
            StepKind::Pass(id)
            | StepKind::Map(id)
            | StepKind::Filter(id)
            | StepKind::Combine(id, _)
            | StepKind::Merge(id)
            | StepKind::UpdateState(id)
            | StepKind::Sort(id)
            | StepKind::Limit(id)
            | StepKind::Scatter(id, _) => Some(id),
            _ => None,
        }
    }
}

impl Stages {
    /// The stages of a plan.
    pub fn of(plan: &Plan) -> Stages {
        let mut builder = Builder { plan, stages: Vec::new(), places: Vec::new(), exchanges: 0 };
        for index in 0..plan.nodes.len() {
            let place = builder.place(NodeId(index));
            builder.places.push(place);
        }
        for index in 0..plan.outputs.len() {
            builder.output(index);
        }
        Stages { stages: builder.stages, exchanges: builder.exchanges }
    }

    /// How many instances of plugins are there at once: one for each partition of each step that calls a function.
    pub fn instances(&self, plan: &Plan) -> u64 {
        let of_stage = |stage: &Stage| {
            let calling = stage.steps.iter().filter(|step| calls_guest(plan, step.kind)).count();
            calling as u64 * u64::from(stage.partitions)
        };
        self.stages.iter().map(of_stage).sum()
    }
}

/// Where a stream's rows appear.
#[derive(Clone)]
struct Place {
    stage: usize,
    step: usize,
    /// The names of the fields by which its rows are partitioned.
    by: Option<Vec<String>>,
}

struct Builder<'a> {
    plan: &'a Plan,
    stages: Vec<Stage>,
    places: Vec<Place>,
    exchanges: usize,
}

impl Builder<'_> {
    fn place(&mut self, id: NodeId) -> Place {
        let node = &self.plan.nodes[id.0];
        let input = node.inputs.first().map(|input| self.places[input.0].clone());
        match (&node.operator, input) {
            (Operator::Source(spec), _) => {
                let partitions = source_partitions(spec).unwrap_or(self.plan.partitions);
                self.stage(Input::Source(id), partitions, Order::Arrival { origins: 2 }, StepKind::Pass(id), None)
            }
            (Operator::Map(_), Some(input)) => {
                let by = self.names_that_stay(&input, id);
                self.step(&input, StepKind::Map(id), by)
            }
            (Operator::Filter(_), Some(input)) => {
                let by = input.by.clone();
                self.step(&input, StepKind::Filter(id), by)
            }
            (Operator::Reduce(reduce), Some(input)) => self.reduce(&input, id, Some(&reduce.by)),
            (Operator::Count, Some(input)) => self.reduce(&input, id, Some(&[])),
            (Operator::Distinct, Some(input)) => self.reduce(&input, id, None),
            (Operator::UpdateState(update), Some(input)) => self.update_state(&input, id, &update.by),
            (Operator::Sort(_), Some(input)) => self.gather(&input, StepKind::Sort(id)),
            (Operator::Limit(_), Some(input)) => self.gather(&input, StepKind::Limit(id)),
            (Operator::Union, _) => self.union(id),
            (_, None) => unreachable!("a plan's operators have inputs"),
        }
    }

    /// The fields by which a map's rows are still partitioned: those that it keeps, if it keeps all of them.
    fn names_that_stay(&self, input: &Place, id: NodeId) -> Option<Vec<String>> {
        let Operator::Map(map) = &self.plan.nodes[id.0].operator else { return None };
        let from = &self.plan.nodes[self.plan.nodes[id.0].inputs[0].0].schema;
        let by = input.by.clone()?;
        let kept = |name: &String| map.keep.iter().any(|&field| from.fields()[field].name == *name);
        by.iter().all(kept).then_some(by)
    }

    fn reduce(&mut self, input: &Place, id: NodeId, by: Option<&[usize]>) -> Place {
        let exchange = self.exchange();
        self.step(input, StepKind::Combine(id, exchange), None);
        let one = by.is_some_and(<[usize]>::is_empty);
        let partitions = if one { 1 } else { self.plan.partitions };
        let names = self.key_names(id, by);
        let input = Input::Exchanges(vec![exchange], Sequence::Any);
        self.stage(input, partitions, Order::Partition, StepKind::Merge(id), Some(names))
    }

    fn key_names(&self, id: NodeId, by: Option<&[usize]>) -> Vec<String> {
        let from = &self.plan.nodes[self.plan.nodes[id.0].inputs[0].0].schema;
        match by {
            Some(by) => by.iter().map(|&field| from.fields()[field].name.clone()).collect(),
            None => from.fields().iter().map(|field| field.name.clone()).collect(),
        }
    }

    fn update_state(&mut self, input: &Place, id: NodeId, by: &[usize]) -> Place {
        let names = self.key_names(id, Some(by));
        if input.by.as_ref() == Some(&names) && self.stages[input.stage].partitions == self.plan.partitions {
            return self.step(input, StepKind::UpdateState(id), Some(names));
        }
        let exchange = self.exchange();
        self.step(input, StepKind::Scatter(id, exchange), None);
        let input = Input::Exchanges(vec![exchange], Sequence::Arrival);
        self.stage(input, self.plan.partitions, Order::Partition, StepKind::UpdateState(id), Some(names))
    }

    fn gather(&mut self, input: &Place, kind: StepKind) -> Place {
        let exchange = self.exchange();
        self.step(input, StepKind::Gather(exchange), None);
        self.stage(Input::Exchanges(vec![exchange], Sequence::Arrival), 1, Order::Partition, kind, None)
    }

    fn union(&mut self, id: NodeId) -> Place {
        let (mut first, mut origin) = (0, 0);
        let mut exchanges = Vec::new();
        for input in &self.plan.nodes[id.0].inputs {
            let place = self.places[input.0].clone();
            let exchange = self.exchange();
            exchanges.push(exchange);
            self.step(&place, StepKind::Collect { exchange, first, origin }, None);
            first += self.stages[place.stage].partitions;
            origin += self.stages[place.stage].order.origins();
        }
        let order = Order::Arrival { origins: origin + 1 };
        self.stage(Input::Exchanges(exchanges, Sequence::Arrival), first, order, StepKind::Pass(id), None)
    }

    fn output(&mut self, index: usize) {
        if self.plan.outputs[index].dead_letters.is_some() {
            return; // They do not come out of a stream.
        }
        let mut place = self.places[self.plan.outputs[index].from.0].clone();
        if self.plan.outputs[index].function.is_some() {
            place = self.step(&place, StepKind::OutputFunction(index), None);
        }
        self.step(&place, StepKind::Output(index), None);
    }

    fn exchange(&mut self) -> ExchangeId {
        self.exchanges += 1;
        ExchangeId(self.exchanges - 1)
    }

    fn stage(&mut self, input: Input, partitions: u32, order: Order, kind: StepKind, by: Option<Vec<String>>) -> Place {
        self.stages.push(Stage { input, partitions, order, steps: vec![Step { kind, children: Vec::new() }] });
        Place { stage: self.stages.len() - 1, step: 0, by }
    }

    fn step(&mut self, parent: &Place, kind: StepKind, by: Option<Vec<String>>) -> Place {
        let steps = &mut self.stages[parent.stage].steps;
        steps.push(Step { kind, children: Vec::new() });
        let step = steps.len() - 1;
        steps[parent.step].children.push(step);
        Place { stage: parent.stage, step, by }
    }
}

/// For each node how many partitions it has, in a pipeline of so many.
pub(crate) fn partitions(nodes: &[Node], of_pipeline: u32) -> Vec<u64> {
    let mut all: Vec<u64> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut of_inputs = node.inputs.iter().map(|input| all[input.0]);
        let partitions = match &node.operator {
            Operator::Source(spec) => source_partitions(spec).unwrap_or(of_pipeline).into(),
            Operator::Map(_) | Operator::Filter(_) => of_inputs.next().unwrap_or(0),
            Operator::Union => of_inputs.fold(0, u64::saturating_add),
            Operator::Reduce(reduce) if reduce.by.is_empty() => 1,
            Operator::Reduce(_) | Operator::Distinct | Operator::UpdateState(_) => of_pipeline.into(),
            Operator::Count | Operator::Sort(_) | Operator::Limit(_) => 1,
        };
        all.push(partitions);
    }
    all
}

fn calls_guest(plan: &Plan, kind: StepKind) -> bool {
    match kind {
        StepKind::Map(_) | StepKind::UpdateState(_) | StepKind::OutputFunction(_) => true,
        StepKind::Filter(id) => matches!(plan.nodes[id.0].operator, Operator::Filter(Condition::Function(_))),
        StepKind::Combine(id, _) | StepKind::Merge(id) => match &plan.nodes[id.0].operator {
            Operator::Reduce(reduce) => matches!(reduce.reducer, Reducer::Guest(_)),
            _ => false,
        },
        _ => false,
    }
}

fn source_partitions(spec: &SourceSpec) -> Option<u32> {
    match spec {
        SourceSpec::Queue(queue) => queue.partitions,
        _ => None,
    }
}
