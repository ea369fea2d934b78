//! The rows whose condition is true.

use std::{ops::Range, sync::Arc};

use tidemill_guest::{Mapped, Origins, RejectedRows};
use tidemill_model::columns::{Column, Rows, RowsBuffer};
use tidemill_plan::graph::{self, Condition};

use super::{
    Batch, GuestSlot, Letters, Making, Operator, Out, Policy, SharedRows, for_guest,
    letters::Letter,
    policy::{Attempt, Calls, Rejecting, reject_rows},
};
use crate::failure::{Cause, RunError};

/// A filter.
struct Filter {
    stream: String,
    condition: FilterCondition,
    chunk: u32,
    chosen: Vec<u32>,
    /// Of a function; not there while it is at work.
    policy: Option<Policy>,
    /// Rows of this batch that the function was given.
    rows_so_far: u64,
}

/// Who says which rows stay.
enum FilterCondition {
    /// A boolean field.
    Field(usize),
    /// A map that answers each row with one boolean, or rejects it.
    Function(Box<GuestSlot>),
}

/// The operator of a stream that filters.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let Making { node, policy, .. } = making;
    let condition = match &node.operator {
        graph::Operator::Filter(Condition::Field(field)) => FilterCondition::Field(*field),
        graph::Operator::Filter(Condition::Function) => {
            FilterCondition::Function(Box::new(making.guests.slot_of(node)?))
        }
        other => unreachable!("a filter is made of {other:?}"),
    };
    Ok(Box::new(Filter::new(&node.name, condition, policy)))
}

impl Filter {
    fn new(stream: &str, condition: FilterCondition, policy: Option<Policy>) -> Filter {
        Filter { stream: stream.to_owned(), condition, chunk: 0, chosen: Vec::new(), policy, rows_so_far: 0 }
    }
}

impl Operator for Filter {
    fn begin(&mut self, _batch: &Batch) {
        (self.chunk, self.rows_so_far) = (0, 0);
        self.policy.iter_mut().for_each(Policy::begin);
        if let FilterCondition::Function(guest) = &mut self.condition {
            guest.begin();
        }
    }

    fn share(&mut self, shared: &Arc<[SharedRows]>) {
        self.guest().into_iter().for_each(|guest| guest.share(shared));
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        match self.condition {
            FilterCondition::Field(field) => {
                self.chosen.clear();
                choose(&rows.field(field)[0], rows.len, &mut self.chosen);
                self.push_chosen(batch, rows, out)
            }
            FilterCondition::Function(_) => for_guest(rows, &mut |chunk, _| self.push_chunk(batch, chunk, out)),
        }
    }

    fn held_bytes(&self) -> usize {
        self.policy.as_ref().map_or(0, Policy::held_bytes)
    }

    fn letters(&mut self) -> Option<&mut Letters> {
        self.policy.as_mut()?.letters()
    }
}

impl Filter {
    fn push_chunk(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        let Some(mut policy) = self.policy.take_if(|policy| policy.is_asked()) else {
            self.ask(rows, None, batch)??;
            return self.push_chosen(batch, rows, out);
        };
        let called = policy.run(rows.len, &mut Filtering { filter: self, batch, rows, out });
        self.policy = Some(policy);
        self.rows_so_far += rows.len as u64;
        called
    }

    fn guest(&mut self) -> Option<&mut GuestSlot> {
        match &mut self.condition {
            FilterCondition::Function(guest) => Some(guest),
            FilterCondition::Field(_) => None,
        }
    }

    /// Asks the function which rows stay.
    fn ask(&mut self, rows: &Rows<'_>, mut letters: Option<Rejecting<'_>>, batch: &mut Batch) -> Attempt {
        self.chosen.clear();
        let FilterCondition::Function(guest) = &mut self.condition else { return Ok(Ok(())) };
        let context = batch.context(self.chunk, false);
        self.chunk += 1;
        let columns = guest.input(rows);
        let schema = guest.function.binding.input.clone();
        let input = Rows { schema: &schema, len: rows.len, columns: &columns };
        let (stream, chosen) = (&self.stream, &mut self.chosen);
        let (mut handed, mut judged) = (None, Ok(()));
        let mut consume = |mapped: Mapped<'_>| {
            judged = judge(rows.len, &mapped, chosen);
            let is_right = judged.is_ok();
            handed = is_right.then(|| reject_rows(stream, &mapped.rejected, rows, letters.as_mut(), batch));
        };
        let called = guest.call(|instance| instance.map_rows(&context, &input, &mut consume));
        guest.outcome(judged.and(called), handed)
    }

    fn push_chosen(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        if self.chosen.len() == rows.len {
            return out.push(batch, rows);
        }
        if self.chosen.is_empty() {
            return Ok(());
        }
        let mut taken = RowsBuffer::new(rows.schema);
        taken.take(rows, &self.chosen)?;
        out.push(batch, &taken.with_columns(&taken.columns()))
    }
}

/// Rows that are filtered by policy.
struct Filtering<'a, 'o> {
    filter: &'a mut Filter,
    batch: &'a mut Batch,
    rows: &'a Rows<'a>,
    out: &'a mut (dyn Out + 'o),
}

impl Calls for Filtering<'_, '_> {
    fn attempt(&mut self, policy: &mut Policy, range: Range<usize>) -> Attempt {
        let letters = Rejecting { policy, first_row: self.filter.rows_so_far + range.start as u64 };
        let mut part = RowsBuffer::new(self.rows.schema);
        part.extend_range(self.rows, range)?;
        let columns = part.columns();
        let part = part.with_columns(&columns);
        match self.filter.ask(&part, Some(letters), self.batch)? {
            Ok(()) => self.filter.push_chosen(self.batch, &part, self.out).map(Ok),
            Err(cause) => Ok(Err(cause)),
        }
    }

    fn guest(&mut self) -> Option<&mut GuestSlot> {
        self.filter.guest()
    }

    fn set_aside(&mut self, policy: &mut Policy, at: usize, reason: &str) -> Result<(), Cause> {
        policy.set_aside(self.batch, &Letter::of_row(self.rows, at, self.filter.rows_so_far, reason))
    }
}

/// Appends the rows that are true; a missing value is false.
fn choose(condition: &Column<'_>, len: usize, chosen: &mut Vec<u32>) {
    chosen.extend((0..len).filter(|&row| condition.is_valid(row) && condition.boolean(row)).map(|row| row as u32));
}

/// Every row must be answered once, in order, or rejected: a row of which nothing is said would be lost unseen.
fn judge(rows: usize, mapped: &Mapped<'_>, chosen: &mut Vec<u32>) -> Result<(), Cause> {
    let (condition, rejected) = (&mapped.rows.columns[0], &mapped.rejected);
    match mapped.origins {
        Origins::Same if rejected.is_empty() => choose(condition, rows, chosen),
        Origins::Rows(origins) if is_each_once(origins, rejected, rows) => {
            choose(condition, origins.len(), chosen);
            chosen.iter_mut().for_each(|answer| *answer = origins[*answer as usize]);
        }
        _ => {
            let what = "a filter's function must answer each row once, in order, or reject it";
            return Err(Cause::Rows(what.to_owned()));
        }
    }
    Ok(())
}

/// Whether each of `rows` rows is either answered, in order, or rejected; no row is rejected twice.
fn is_each_once(answered: &[u32], rejected: &RejectedRows<'_>, rows: usize) -> bool {
    answered.len() + rejected.len() == rows
        && answered.is_sorted_by(|one, next| one < next)
        && rejected.rows().all(|row| answered.binary_search(&row).is_err())
}

#[test]
fn a_filter_without_a_function_holds_nothing() {
    let filter = Filter::new("s", FilterCondition::Field(0), None);
    assert_eq!((filter.held_bytes(), filter.work_at_end(tidemill_model::time::Timestamp(0))), (0, 0));
}
