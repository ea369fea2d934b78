//! Which stages a plan has: each part of a node's work comes into a stage by the way that the node says.

use super::{ExchangeId, Input, Leaves, Order, Sequence, Stage, Stages, Step, StepKind};
use crate::graph::{Keys, Node, NodeId, Placement, Plan, Way};

/// The stages of a plan.
pub(super) fn build(plan: &Plan) -> Stages {
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
        let node = self.plan.node(id);
        let mut at = node.inputs.first().map(|input| self.places[input.0].clone());
        let by = placed_by(&node.placement, at.as_ref().and_then(|input| input.by.clone()));
        for (number, part) in node.parts.iter().enumerate() {
            let kind = StepKind::Part(id, number);
            at = Some(match (&part.way, at) {
                (_, None) => {
                    let partitions =
                        node.source().and_then(|source| source.partitions()).unwrap_or(self.plan.partitions);
                    self.stage(Input::Source(id), partitions, Order::Arrival { origins: 2 }, kind)
                }
                (Way::Here, Some(from)) => self.step(&from, kind, None),
                (Way::ByKey(keys), Some(from)) => self.by_key(&from, id, keys, kind),
                (Way::ByGroup { is_one }, Some(from)) => {
                    let partitions = if *is_one { 1 } else { self.plan.partitions };
                    let exchange = self.exchange();
                    self.stages[from.stage].steps[from.step].leaves = Some(Leaves::Exchange(exchange));
                    let input = Input::Exchanges(vec![exchange], Sequence::Any);
                    self.stage(input, partitions, Order::Partition, kind)
                }
                (Way::One { .. }, Some(from)) => {
                    let exchange = self.leave(&from, StepKind::Gather(id));
                    let input = Input::Exchanges(vec![exchange], Sequence::Arrival);
                    self.stage(input, 1, Order::Partition, kind)
                }
                (Way::Behind { batches }, Some(_)) => self.behind(id, *batches, kind),
            });
        }
        let Some(place) = at else { unreachable!("a node has a part") };
        Place { by, ..place }
    }

    /// Where the rows of the only input are placed by these fields already, they stay.
    fn by_key(&mut self, from: &Place, id: NodeId, keys: &Keys, kind: StepKind) -> Place {
        let inputs = self.plan.node(id).inputs.clone();
        if let ([only], [fields]) = (&inputs[..], &keys.fields[..]) {
            let names = self.plan.node(*only).schema.names_of(fields);
            if from.by.as_ref() == Some(&names) && self.stages[from.stage].partitions == self.plan.partitions {
                return self.step(from, kind, None);
            }
        }
        let places = inputs.iter().map(|input| self.places[input.0].clone()).enumerate();
        let places: Vec<(usize, Place)> = places.collect();
        let exchanges =
            places.iter().map(|(input, place)| self.leave(place, StepKind::Scatter { reader: id, input: *input }));
        let input = Input::Exchanges(exchanges.collect(), Sequence::Arrival);
        self.stage(input, self.plan.partitions, Order::Partition, kind)
    }

    fn behind(&mut self, id: NodeId, batches: u32, kind: StepKind) -> Place {
        let (mut first, mut origin) = (0, 0);
        let mut exchanges = Vec::new();
        for input in &self.plan.node(id).inputs {
            let place = self.places[input.0].clone();
            exchanges.push(self.leave(&place, StepKind::Collect { reader: id, first, origin }));
            first += self.stages[place.stage].partitions;
            origin = self.stages[place.stage].order.origins().saturating_add(origin);
        }
        let order = Order::Arrival { origins: origin.saturating_mul(batches).saturating_add(1) };
        self.stage(Input::Exchanges(exchanges, Sequence::Arrival), first, order, kind)
    }

    fn output(&mut self, index: usize) {
        if self.plan.outputs[index].dead_letters.is_some() {
            return; // They do not come out of a stream.
        }
        let mut place = self.places[self.plan.outputs[index].from.0].clone();
        if self.plan.outputs[index].function.is_some() {
            place = self.step(&place, StepKind::OutputFunction(index), None);
        }
        self.step(&place, StepKind::Output(index), Some(Leaves::Output(index)));
    }

    fn exchange(&mut self) -> ExchangeId {
        self.exchanges += 1;
        ExchangeId(self.exchanges - 1)
    }

    /// A step that leaves rows for another stage.
    fn leave(&mut self, from: &Place, kind: StepKind) -> ExchangeId {
        let exchange = self.exchange();
        self.step(from, kind, Some(Leaves::Exchange(exchange)));
        exchange
    }

    fn stage(&mut self, input: Input, partitions: u32, order: Order, kind: StepKind) -> Place {
        let steps = vec![Step { kind, leaves: None, children: Vec::new() }];
        self.stages.push(Stage { input, partitions, order, steps });
        Place { stage: self.stages.len() - 1, step: 0, by: None }
    }

    fn step(&mut self, parent: &Place, kind: StepKind, leaves: Option<Leaves>) -> Place {
        let steps = &mut self.stages[parent.stage].steps;
        steps.push(Step { kind, leaves, children: Vec::new() });
        let step = steps.len() - 1;
        steps[parent.step].children.push(step);
        Place { stage: parent.stage, step, by: None }
    }
}

/// The names of the fields by which a stream's rows are placed, of an input that is placed by those of `input`.
pub(crate) fn placed_by(placement: &Placement, input: Option<Vec<String>>) -> Option<Vec<String>> {
    match placement {
        Placement::Unknown => None,
        Placement::AsInput => input,
        Placement::AsInputBy(names) => input.filter(|by| by.iter().all(|name| names.contains(name))),
        Placement::By(names) => Some(names.clone()),
    }
}

/// Of how many streams the rows of a node come one after the other, as its stage has it ([`Order::origins`]).
pub(crate) fn origins(node: &Node, of_inputs: impl Iterator<Item = u64>) -> u64 {
    let of_inputs: Vec<u64> = of_inputs.collect();
    let first = of_inputs.first().copied().unwrap_or(2); // A source's own, and what functions make when a batch ends.
    node.parts.iter().fold(first, |origins, part| match &part.way {
        Way::Here => origins,
        Way::Behind { batches } => {
            let all = of_inputs.iter().fold(0, |all: u64, of_input| all.saturating_add(*of_input));
            all.saturating_mul((*batches).into()).saturating_add(1)
        }
        Way::ByKey(_) | Way::ByGroup { .. } | Way::One { .. } => 1,
    })
}

/// For each node how many partitions it has, in a pipeline of so many.
pub(crate) fn partitions(nodes: &[Node], of_pipeline: u32) -> Vec<u64> {
    let mut all: Vec<u64> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let of_inputs = node.inputs.iter().map(|input| all[input.0]);
        let mut partitions = match node.source() {
            Some(source) => source.partitions().unwrap_or(of_pipeline).into(),
            None => of_inputs.clone().next().unwrap_or(0),
        };
        for part in &node.parts {
            partitions = match part.way {
                Way::Here => partitions,
                Way::ByKey(_) | Way::ByGroup { is_one: false } => of_pipeline.into(),
                Way::ByGroup { is_one: true } | Way::One { .. } => 1,
                Way::Behind { .. } => of_inputs.clone().fold(0, u64::saturating_add),
            };
        }
        all.push(partitions);
    }
    all
}
