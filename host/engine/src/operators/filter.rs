//! The rows whose condition is true.

use tidemill_guest::{Mapped, Origins, RejectedRows};
use tidemill_model::columns::{Column, Rows, RowsBuffer};

use super::{Batch, GuestSlot, Operator, Out, for_guest};
use crate::failure::Cause;

/// A filter.
pub(crate) struct Filter {
    stream: String,
    condition: FilterCondition,
    chunk: u32,
    chosen: Vec<u32>,
}

/// Who says which rows stay.
pub(crate) enum FilterCondition {
    /// A boolean field.
    Field(usize),
    /// A map that answers each row with one boolean, or rejects it.
    Function(Box<GuestSlot>),
}

impl Filter {
    pub(crate) fn new(stream: &str, condition: FilterCondition) -> Filter {
        Filter { stream: stream.to_owned(), condition, chunk: 0, chosen: Vec::new() }
    }
}

impl Operator for Filter {
    fn begin(&mut self, _batch: &Batch) {
        self.chunk = 0;
        if let FilterCondition::Function(guest) = &mut self.condition {
            guest.begin();
        }
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        match self.condition {
            FilterCondition::Field(_) => self.push_chunk(batch, rows, out),
            FilterCondition::Function(_) => for_guest(rows, &mut |chunk, _| self.push_chunk(batch, chunk, out)),
        }
    }
}

impl Filter {
    fn push_chunk(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        self.chosen.clear();
        let chosen = &mut self.chosen;
        match &mut self.condition {
            FilterCondition::Field(field) => choose(&rows.field(*field)[0], rows.len, chosen),
            FilterCondition::Function(guest) => {
                let context = batch.context(self.chunk, false);
                self.chunk += 1;
                let columns = guest.input(rows);
                let schema = guest.function.binding.input.clone();
                let input = Rows { schema: &schema, len: rows.len, columns: &columns };
                let stream = &self.stream;
                let mut answer = Ok(());
                let mut consume = |mapped: Mapped<'_>| answer = judge(stream, rows.len, &mapped, batch, chosen);
                let called = guest.call(|instance| instance.map_rows(&context, &input, &mut consume));
                answer.and(called)?;
            }
        }
        if chosen.len() == rows.len {
            return out.push(batch, rows);
        }
        if chosen.is_empty() {
            return Ok(());
        }
        let mut taken = RowsBuffer::new(rows.schema);
        taken.take(rows, chosen)?;
        out.push(batch, &taken.with_columns(&taken.columns()))
    }
}

/// Appends the rows that are true; a missing value is false.
fn choose(condition: &Column<'_>, len: usize, chosen: &mut Vec<u32>) {
    chosen.extend((0..len).filter(|&row| condition.is_valid(row) && condition.boolean(row)).map(|row| row as u32));
}

/// Every row must be answered once, in order, or rejected: a row of which nothing is said would be lost unseen. Rejected
/// rows are counted and go.
fn judge(
    stream: &str,
    rows: usize,
    mapped: &Mapped<'_>,
    batch: &mut Batch,
    chosen: &mut Vec<u32>,
) -> Result<(), Cause> {
    let (condition, rejected) = (&mapped.rows.columns[0], &mapped.rejected);
    if let Some(first) = rejected.first() {
        batch.rejections.add(stream, rejected.len() as u64, &first.reason);
    }
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
