//! Which stages a plan has: each part of a node's work comes into a stage by the way that the node says.

use super::{ExchangeId, Input, Leaves, Order, Sequence, Stage, Stages, Step, StepKind};
use crate::graph::{Keys, Node, NodeId, Placement, Plan, Port, Way};

/// The stages of a plan.
pub(super) fn build(plan: &Plan) -> Stages {
    let mut builder = Builder { plan, stages: Vec::new(), places: Vec::new(), exchanges: 0 };
    for index in 0..plan.nodes.len() {
        let places = builder.places_of(NodeId(index));
        builder.places.push(places);
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
    /// For each node where the rows of each of its parts appear; those of the last are the stream's.
    places: Vec<Vec<Place>>,
    exchanges: usize,
}

impl Builder<'_> {
    /// Where a stream's rows appear.
    fn place(&self, id: NodeId) -> Place {
        let Some(place) = self.places[id.0].last() else { unreachable!("a node has a part") };
        place.clone()
    }

    fn places_of(&mut self, id: NodeId) -> Vec<Place> {
        let node = self.plan.node(id);
        let mut at = node.inputs.first().map(|input| self.place(*input));
        let mut places = Vec::new();
        let by = placed_by(&node.placement, at.as_ref().and_then(|input| input.by.clone()));
        for (number, part) in node.parts.iter().enumerate() {
            let kind = StepKind::Part(id, number);
            at = Some(match (&part.way, at) {
                (_, None) => {
                    let partitions =
                        node.source().and_then(|source| source.partitions()).unwrap_or(self.plan.partitions);
                    self.stage(Input::Source(id), partitions, Order::Arrival { origins: 2 }, kind)
                }
                (Way::Here, Some(from)) if number == 0 && !node.shared.is_empty() => self.apart(&from, id, kind),
                (Way::Here, Some(from)) if number == 0 => self.step(&from, node.reads, kind, None),
                (Way::Here, Some(from)) => self.step(&from, Port::Rows, kind, None),
                (Way::ByKey(keys), Some(from)) => self.by_key(&from, id, keys, kind),
                (Way::ByGroup { is_one }, Some(from)) => {
                    let partitions = if *is_one { 1 } else { self.plan.partitions };
                    let exchange = self.exchange();
                    self.stages[from.stage].steps[from.step].leaves = Some(Leaves::Exchange(exchange));
                    let input = Input::Exchanges(vec![exchange], Sequence::Any);
                    self.stage(input, partitions, Order::Partition, kind)
                }
                (Way::One { .. }, Some(from)) => self.one(&from, id, kind),
                (Way::Round { partitions }, Some(from)) => {
                    let origins = self.stages[from.stage].order.origins().max(2);
                    let exchange = self.leave(&from, Port::Rows, StepKind::Spread(id));
                    self.stage(
                        Input::Exchanges(vec![exchange], Sequence::Arrival),
                        *partitions,
                        Order::Arrival { origins },
                        kind,
                    )
                }
                (Way::Behind { batches }, Some(_)) => self.behind(id, *batches, kind),
            });
            if number == 0 {
                at.iter().for_each(|at| self.share(id, at.stage));
            }
            places.extend(at.clone());
        }
        places.iter_mut().last().into_iter().for_each(|place| place.by.clone_from(&by));
        places
    }

    /// Rows stay where they are and in their order, and wait there for all that comes before them.
    fn apart(&mut self, from: &Place, id: NodeId, kind: StepKind) -> Place {
        let Stage { partitions, order, .. } = self.stages[from.stage];
        let exchange = self.leave(from, Port::Rows, StepKind::Collect { reader: id, first: 0, origin: 0 });
        self.stage(Input::Exchanges(vec![exchange], Sequence::Arrival), partitions, order, kind)
    }

    /// The side inputs of a node go to the stage that it begins.
    fn share(&mut self, id: NodeId, stage: usize) {
        for (place, input) in self.plan.node(id).shared.iter().enumerate() {
            let from = self.place(input.from);
            let exchange = self.leave(&from, Port::Rows, StepKind::Share { reader: id, place });
            self.stages[stage].shared.push(exchange);
        }
    }

    /// All of a stream, or of what stands beside the parts of a node.
    fn one(&mut self, from: &Place, id: NodeId, kind: StepKind) -> Place {
        let node = self.plan.node(id);
        let places = match (node.reads, node.inputs.first()) {
            (Port::Rejected, Some(input)) => self.places[input.0].clone(),
            _ => vec![from.clone()],
        };
        let left = places.iter().map(|place| self.leave(place, node.reads, StepKind::Gather(id)));
        let input = Input::Exchanges(left.collect(), Sequence::Arrival);
        self.stage(input, 1, Order::Partition, kind)
    }

    /// Where the rows of the only input are placed by these fields already, they stay.
    fn by_key(&mut self, from: &Place, id: NodeId, keys: &Keys, kind: StepKind) -> Place {
        let inputs = self.plan.node(id).inputs.clone();
        if let ([only], [fields]) = (&inputs[..], &keys.fields[..]) {
            let names = self.plan.node(*only).schema.names_of(fields);
            let waits = !self.plan.node(id).shared.is_empty();
            if !waits && from.by.as_ref() == Some(&names) && self.stages[from.stage].partitions == self.plan.partitions
            {
                return self.step(from, Port::Rows, kind, None);
            }
        }
        let places: Vec<(usize, Place)> = inputs.iter().map(|input| self.place(*input)).enumerate().collect();
        let exchanges = places
            .iter()
            .map(|(input, place)| self.leave(place, Port::Rows, StepKind::Scatter { reader: id, input: *input }));
        let input = Input::Exchanges(exchanges.collect(), Sequence::Arrival);
        self.stage(input, self.plan.partitions, Order::Partition, kind)
    }

    fn behind(&mut self, id: NodeId, batches: u32, kind: StepKind) -> Place {
        let (mut first, mut origin) = (0, 0);
        let mut exchanges = Vec::new();
        for input in &self.plan.node(id).inputs {
            let place = self.place(*input);
            exchanges.push(self.leave(&place, Port::Rows, StepKind::Collect { reader: id, first, origin }));
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
        let mut place = self.place(self.plan.outputs[index].from);
        if self.plan.outputs[index].function.is_some() {
            place = self.step(&place, Port::Rows, StepKind::OutputFunction(index), None);
        }
        self.step(&place, Port::Rows, StepKind::Output(index), Some(Leaves::Output(index)));
    }

    fn exchange(&mut self) -> ExchangeId {
        self.exchanges += 1;
        ExchangeId(self.exchanges - 1)
    }

    /// A step that leaves rows for another stage.
    fn leave(&mut self, from: &Place, port: Port, kind: StepKind) -> ExchangeId {
        let exchange = self.exchange();
        self.step(from, port, kind, Some(Leaves::Exchange(exchange)));
        exchange
    }

    fn stage(&mut self, input: Input, partitions: u32, order: Order, kind: StepKind) -> Place {
        let steps = vec![Step { kind, leaves: None, children: Vec::new(), beside: Vec::new() }];
        self.stages.push(Stage { input, partitions, order, shared: Vec::new(), steps });
        Place { stage: self.stages.len() - 1, step: 0, by: None }
    }

    fn step(&mut self, parent: &Place, port: Port, kind: StepKind, leaves: Option<Leaves>) -> Place {
        let steps = &mut self.stages[parent.stage].steps;
        steps.push(Step { kind, leaves, children: Vec::new(), beside: Vec::new() });
        let step = steps.len() - 1;
        match port {
            Port::Rows => steps[parent.step].children.push(step),
            Port::State | Port::Rejected => steps[parent.step].beside.push((port, step)),
        }
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
        Way::Round { .. } => origins.max(2),
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
                Way::Round { partitions } => partitions.into(),
                Way::Behind { .. } => of_inputs.clone().fold(0, u64::saturating_add),
            };
        }
        all.push(partitions);
    }
    all
}
