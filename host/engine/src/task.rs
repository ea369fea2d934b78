//! A stage for one partition: its steps, and rows on their way through them.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use tidemill_model::{
    columns::{Rows, columns_of, compact},
    schema::Schema,
    time::Timestamp,
};
use tidemill_plan::{
    graph::{NodeId, Port, Then},
    stages::{ExchangeId, Leaves, Order, Stage},
};
use tidemill_state::table::Table;

use crate::{
    arrival::{Arrival, Arrived},
    failure::Cause,
    operators::{Batch, Letters, Operator, Out, Rejections, SharedRows},
    pieces::{Piece, Slice},
    presence::Presence,
    store::Lent,
};

/// The steps of a stage for one partition. Used batch after batch.
pub(crate) struct Task {
    pub(crate) batch: Batch,
    input: Schema,
    order: Order,
    steps: Vec<Step>,
    begun: bool,
    /// Where the tables belong that the steps have now: for each the step and the place in the store.
    lent: Vec<(usize, usize)>,
}

struct Step {
    leaves: Option<Leaves>,
    facts: StepFacts,
    operator: Box<dyn Operator>,
    children: Vec<usize>,
    beside: Vec<(Port, usize)>,
    /// The letters that were pushed to those who read them, and are still to be left for an output.
    letters: Vec<Piece>,
}

/// What is known of a step besides its operator.
pub(crate) struct StepFacts {
    /// The stream or output that it belongs to.
    pub(crate) name: String,
    /// What becomes of a batch in which it fails.
    pub(crate) then: Then,
    /// The output for its dead letters.
    pub(crate) letters: Option<usize>,
    /// The streams without which it fails, by their names.
    pub(crate) needs: Vec<(String, Presence)>,
}

/// What a step failed with, and whose it is.
#[derive(Debug)]
pub(crate) struct TaskFailure {
    pub(crate) stream: String,
    pub(crate) cause: Box<Cause>,
    /// The batch is to be skipped, and the run goes on.
    pub(crate) skips: bool,
}

/// Rows that a task leaves.
pub(crate) enum Left {
    /// For a partition of another stage.
    Exchange(ExchangeId, u32, Piece),
    /// For the sink of an output.
    Output(usize, Piece),
}

impl Task {
    /// `operators` are those of the stage's steps.
    pub(crate) fn new(
        shape: &Stage,
        input: &Schema,
        batch: Batch,
        operators: Vec<(StepFacts, Box<dyn Operator>)>,
    ) -> Task {
        let steps = shape.steps.iter().zip(operators);
        let steps = steps
            .map(|(step, (facts, operator))| Step {
                facts,
                leaves: step.leaves,
                operator,
                children: step.children.clone(),
                beside: step.beside.clone(),
                letters: Vec::new(),
            })
            .collect();
        Task { batch, input: input.clone(), order: shape.order, steps, begun: false, lent: Vec::new() }
    }

    /// The stream at which it begins.
    pub(crate) fn name(&self) -> &str {
        self.steps.first().map_or("", |step| &step.facts.name)
    }

    /// A new batch, unless this one has begun already.
    pub(crate) fn begin(&mut self, time: Timestamp) {
        if !std::mem::replace(&mut self.begun, true) {
            self.batch.time = time;
            self.batch.rejections = Rejections::default();
            for step in &mut self.steps {
                step.letters.clear();
                step.operator.begin(&self.batch);
            }
        }
    }

    /// The side inputs of its first step, for a batch that has begun.
    pub(crate) fn share(&mut self, shared: &Arc<[SharedRows]>) {
        self.steps.iter_mut().take(1).for_each(|step| step.operator.share(shared));
    }

    /// Pushes a source's chunk.
    pub(crate) fn push_chunk(&mut self, arrived: &Arrived) -> Result<(), TaskFailure> {
        let rows = compact(&arrived.chunk.rows);
        let columns = columns_of(&rows);
        let schema = self.input.clone();
        self.push(0, arrived.arrival, &Rows { schema: &schema, len: rows.num_rows(), columns: &columns })
    }

    /// Pushes what another stage left.
    pub(crate) fn push_slice(&mut self, slice: &Slice) -> Result<(), TaskFailure> {
        slice.with_rows(|rows| self.push(slice.input, slice.arrival, rows))
    }

    fn push(&mut self, input: usize, arrival: Arrival, rows: &Rows<'_>) -> Result<(), TaskFailure> {
        if rows.len == 0 {
            return Ok(());
        }
        let looked = self.batch.look_up();
        self.named(looked, Some(0))?;
        self.batch.input = input;
        self.batch.arrival = match self.order {
            Order::Arrival { .. } => arrival,
            Order::Partition => Arrival::of_partition(self.batch.partition),
        };
        let mut failed = None;
        let pushed = push_to(&mut self.steps, 0, 0, &mut self.batch, rows, &mut failed);
        self.named(pushed, failed)
    }

    /// Ends the batch: every step gives what it still has, and the next batch can begin. The sources `absent` have no batch.
    pub(crate) fn finish(&mut self, absent: &Arc<[NodeId]>) -> Result<(), TaskFailure> {
        self.batch.absent = absent.clone();
        self.batch.input = 0;
        self.batch.arrival =
            Arrival { origin: self.order.origins() - 1, ..Arrival::of_partition(self.batch.partition) };
        for index in 0..self.steps.len() {
            let mut failed = None;
            let looked = self.batch.look_up();
            self.named(looked, Some(index))?;
            let (before, behind) = self.steps.split_at_mut(index + 1);
            let Step { operator, children, beside, facts, letters, .. } = &mut before[index];
            let mut out = Children { steps: behind, first: index + 1, children, beside, failed: &mut failed };
            let finished = facts.check_needs(&self.batch).and_then(|()| operator.finish(&mut self.batch, &mut out));
            let finished = finished.and_then(|()| {
                let rejected = operator.letters().filter(|_| out.is_read(Port::Rejected));
                letters.extend(rejected.into_iter().flat_map(Letters::take));
                push_letters(letters, &mut self.batch, &mut out)
            });
            self.named(finished, failed.or(Some(index)))?;
        }
        self.begun = false;
        Ok(())
    }

    /// What was left since the last time, for other stages and for sinks; all of it when the batch has ended.
    pub(crate) fn leave(&mut self) -> Vec<Left> {
        let mut left = Vec::new();
        for step in &mut self.steps {
            for (to, piece) in step.operator.leave(!self.begun) {
                left.extend(step.leaves.map(|leaves| match leaves {
                    Leaves::Exchange(exchange) => Left::Exchange(exchange, to, piece),
                    Leaves::Output(output) => Left::Output(output, piece),
                }));
            }
            let is_read = step.beside.iter().any(|(port, _)| *port == Port::Rejected);
            let letters = std::mem::take(&mut step.letters).into_iter();
            // Those that are read stay until the batch ends.
            let more = step.operator.letters().filter(|_| !is_read).map(Letters::take);
            if let Some(output) = step.facts.letters {
                left.extend(letters.chain(more.into_iter().flatten()).map(|piece| Left::Output(output, piece)));
            }
        }
        left
    }

    /// How much there is to do when the batch of a tick ends, as rows.
    pub(crate) fn work_at_end(&self, time: Timestamp) -> usize {
        self.steps.iter().map(|step| step.operator.work_at_end(time)).sum()
    }

    /// Bytes of rows that the steps hold until the batch ends, about. What a skipped batch has left is none of the next.
    pub(crate) fn held_bytes(&self) -> usize {
        if !self.begun {
            return 0;
        }
        self.steps.iter().map(|step| step.operator.held_bytes()).sum()
    }

    /// Whether a batch has begun for it, and not ended.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Gets the tables of its steps for a batch.
    pub(crate) fn lend(&mut self, mut lent: Lent) {
        lent.sort_by_key(|(step, ..)| *step);
        let mut by_step: BTreeMap<usize, Vec<Table>> = BTreeMap::new();
        for (step, place, table) in lent {
            self.lent.push((step, place));
            by_step.entry(step).or_default().push(table);
        }
        by_step.into_iter().for_each(|(step, tables)| self.steps[step].operator.lend(tables));
    }

    /// Gives the tables back.
    pub(crate) fn give_back(&mut self) -> Lent {
        let lent = std::mem::take(&mut self.lent);
        let mut steps: Vec<usize> = lent.iter().map(|(step, _)| *step).collect();
        steps.dedup();
        let tables = steps.into_iter().flat_map(|step| self.steps[step].operator.give_back());
        lent.into_iter().zip(tables).map(|((step, place), table)| (step, place, table)).collect()
    }

    /// The batch does not count, and the next one can begin.
    pub(crate) fn abandon(&mut self) {
        self.begun = false;
    }

    fn named(&self, result: Result<(), Cause>, failed: Option<usize>) -> Result<(), TaskFailure> {
        result.map_err(|cause| {
            let facts = failed.and_then(|failed| self.steps.get(failed)).map(|step| &step.facts);
            let skips = match cause {
                Cause::OverBudget { .. } => self.batch.budget.skips,
                _ => facts.is_some_and(|facts| facts.then == Then::SkipBatch),
            };
            TaskFailure {
                stream: facts.map_or_else(String::new, |facts| facts.name.clone()),
                skips: cause.is_of_batch() && skips,
                cause: Box::new(cause),
            }
        })
    }
}

impl StepFacts {
    /// An error if one of the streams has no batch without which it fails.
    fn check_needs(&self, batch: &Batch) -> Result<(), Cause> {
        match self.needs.iter().find(|(_, presence)| presence.is_missing(batch.time, &batch.absent)) {
            Some((stream, _)) => Err(Cause::Absent { stream: stream.clone() }),
            None => Ok(()),
        }
    }
}

/// Pushes rows to step `index`; `steps` begin with step `first`. The first step that fails is noted.
fn push_to(
    steps: &mut [Step],
    first: usize,
    index: usize,
    batch: &mut Batch,
    rows: &Rows<'_>,
    failed: &mut Option<usize>,
) -> Result<(), Cause> {
    let (before, behind) = steps.split_at_mut(index + 1 - first);
    let step = &mut before[index - first];
    let Step { operator, children, beside, .. } = step;
    let mut children = Children { steps: behind, first: index + 1, children, beside, failed };
    let pushed = operator.push(batch, rows, &mut children);
    if pushed.is_err() && failed.is_none() {
        *failed = Some(index);
    }
    pushed
}

/// The children of a step, all of them behind it.
struct Children<'a> {
    steps: &'a mut [Step],
    first: usize,
    children: &'a [usize],
    beside: &'a [(Port, usize)],
    failed: &'a mut Option<usize>,
}

impl Out for Children<'_> {
    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>) -> Result<(), Cause> {
        // Behind the first step there is one input.
        batch.input = 0;
        batch.look_up()?;
        for &child in self.children {
            push_to(self.steps, self.first, child, batch, rows, self.failed)?;
        }
        Ok(())
    }

    fn is_read(&self, port: Port) -> bool {
        self.beside.iter().any(|(of, _)| *of == port)
    }

    fn push_beside(&mut self, port: Port, batch: &mut Batch, rows: &Rows<'_>) -> Result<(), Cause> {
        batch.input = 0;
        for &(_, child) in self.beside.iter().filter(|(of, _)| *of == port) {
            push_to(self.steps, self.first, child, batch, rows, self.failed)?;
        }
        Ok(())
    }
}

/// Pushes letters to those who read them as rows, each at its place.
fn push_letters(letters: &[Piece], batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
    let at_end = batch.arrival;
    for (piece, arrival, range) in letters.iter().flat_map(Piece::runs) {
        batch.arrival = arrival;
        piece.with_rows(range, |rows| out.push_beside(Port::Rejected, batch, rows))?;
    }
    batch.arrival = at_end;
    Ok(())
}
