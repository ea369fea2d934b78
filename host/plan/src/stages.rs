//! The typed graph as stages: chains of steps that run for one partition at a time, with exchanges between them.
//!
//! A stage begins at a source or behind an exchange, and ends where rows go to other partitions, or to a sink. Rows are
//! pushed through its steps chunk by chunk; a step's children stand behind it.

mod build;

use std::collections::BTreeMap;

use crate::graph::{Caller, NodeId, Plan, Port};

pub(crate) use build::{origins, partitions, placed_by};

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
    /// Where the side inputs of its first step are left, all of them for partition 0.
    pub shared: Vec<ExchangeId>,
    /// The steps; a step's children come behind it.
    pub steps: Vec<Step>,
}

/// Where a stage's rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A source's chunks, as they come.
    Source(NodeId),
    /// What other stages left for this partition. Of a part that reads several inputs there is an exchange for each, in their
    /// order.
    Exchanges(Vec<ExchangeId>, Sequence),
}

/// How a stage takes what was left for a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// As it lies: exchange by exchange, and in each by partition.
    Any,
    /// Input by input, each in the order of its stream.
    Arrival,
}

/// In which order the rows of a stage's streams are, those of all partitions together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they came: those of one input of a union before those of the next, each in the order of its source. Behind them come
    /// the rows that functions make when the batch ends, by partition.
    Arrival {
        /// How many there are whose rows come one after the other, those that are made at the end among them. Of a window those of
        /// each batch count.
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
    /// Where it leaves rows, if it does.
    pub leaves: Option<Leaves>,
    /// The steps that get what this one gives.
    pub children: Vec<usize>,
    /// Those that get what stands beside it.
    pub beside: Vec<(Port, usize)>,
}

/// Where a step leaves rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// For partitions of another stage.
    Exchange(ExchangeId),
    /// For the sink of an output.
    Output(usize),
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// A part of a node's work.
    Part(NodeId, usize),
    /// Sends each row to its key's partition.
    Scatter {
        /// The node that reads it.
        reader: NodeId,
        /// As which of its inputs.
        input: usize,
    },
    /// Leaves all rows for one partition, for the node that reads them.
    Gather(NodeId),
    /// Spreads rows over partitions, for the node that reads them.
    Spread(NodeId),
    /// Leaves rows for the partition of a union that belongs to this one, or of a node that must wait for its side inputs.
    Collect {
        /// The node.
        reader: NodeId,
        /// Its partition for this stage's partition 0.
        first: u32,
        /// How many origins its inputs before this one have.
        origin: u32,
    },
    /// Leaves the rows of a side input, for the node that reads it.
    Share {
        /// The node.
        reader: NodeId,
        /// Which of its side inputs.
        place: usize,
    },
    /// An output function.
    OutputFunction(usize),
    /// Gathers rows for the sink of an output.
    Output(usize),
}

impl StepKind {
    /// Whose the step is: where rows are left for a stream that reads them, that one's.
    pub fn owner(self) -> Caller {
        match self {
            StepKind::Part(id, _)
            | StepKind::Scatter { reader: id, .. }
            | StepKind::Gather(id)
            | StepKind::Spread(id)
            | StepKind::Share { reader: id, .. }
            | StepKind::Collect { reader: id, .. } => Caller::Stream(id),
            StepKind::OutputFunction(output) | StepKind::Output(output) => Caller::Output(output),
        }
    }

    /// Who calls a function here.
    pub fn caller(self, plan: &Plan) -> Option<Caller> {
        match self {
            StepKind::Part(id, _) => plan.node(id).function.is_some().then_some(Caller::Stream(id)),
            StepKind::OutputFunction(output) => Some(Caller::Output(output)),
            _ => None,
        }
    }
}

impl Stages {
    /// The stages of a plan.
    pub fn of(plan: &Plan) -> Stages {
        build::build(plan)
    }

    /// How many instances of plugins are there at once: one for each partition of each step that calls a function.
    pub fn instances(&self, plan: &Plan) -> u64 {
        self.instances_by_plugin(plan).values().sum()
    }

    /// The same, by plugin.
    pub fn instances_by_plugin<'a>(&self, plan: &'a Plan) -> BTreeMap<&'a str, u64> {
        let mut counts = BTreeMap::new();
        for stage in &self.stages {
            let callers = stage.steps.iter().filter_map(|step| step.kind.caller(plan));
            let functions = callers.filter_map(|caller| match caller {
                Caller::Stream(id) => plan.node(id).function.as_ref(),
                Caller::Output(output) => plan.outputs[output].function.as_ref(),
            });
            for function in functions {
                *counts.entry(function.plugin.as_str()).or_default() += u64::from(stage.partitions);
            }
        }
        counts
    }
}
