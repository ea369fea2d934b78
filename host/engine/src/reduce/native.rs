//! Reducers that need no plugin: count, sum, min, max, mean; and none at all, for distinct.
//!
//! Missing values are passed over. Of no values at all the result is missing, except for count and for sums of fields
//! that are never missing. Integers are summed in 128 bits, so that what comes out depends on the values alone, and only a sum
//! that is beyond 64 bits in the end fails. Float sums depend on the order of rows, which is fixed.

use std::cmp::Ordering;

use tidemill_model::{
    columns::{Column, Rows, RowsBuffer},
    function::Phase,
    schema::{Field, Kind, Schema, Type},
};
use tidemill_plan::graph::{Aggregate, accumulator};

use super::{Accumulate, Consume};
use crate::{failure::Cause, operators::Batch};

/// Texts of so many bytes are handed on before rows of other partitions are met. Few in tests, so that they meet it.
const TEXT_BYTES_MAX: usize = if cfg!(test) { 1 << 10 } else { 64 << 20 };

pub(crate) struct NativeReduce {
    aggregate: Option<Aggregate>,
    state: Schema,
    /// What comes out for a group, where it is not the accumulator.
    finished: Option<Schema>,
    cells: Cells,
    /// Bytes of texts in the cells.
    text_bytes: usize,
}

/// Accumulators by group.
enum Cells {
    /// Distinct: there is nothing to accumulate.
    Nothing,
    Counts(Vec<i64>),
    /// Smallest and largest ones.
    Integers(Vec<Option<i64>>),
    /// Of integers.
    Sums(Vec<Option<i128>>),
    Floats(Vec<Option<f64>>),
    Texts(Vec<Option<Vec<u8>>>),
    /// Sum and number.
    Means(Vec<(f64, i64)>),
}

impl NativeReduce {
    pub(crate) fn new(aggregate: Option<Aggregate>, input: &Schema) -> NativeReduce {
        let of_field = |field: usize| input.fields()[field].ty.clone();
        let state = accumulator(aggregate, input);
        let cells = match (aggregate, state.fields().first().map(|field| &field.ty.kind)) {
            (None, _) => Cells::Nothing,
            (Some(Aggregate::Count), _) => Cells::Counts(Vec::new()),
            (Some(Aggregate::Mean(_)), _) => Cells::Means(Vec::new()),
            (_, Some(Kind::Float)) => Cells::Floats(Vec::new()),
            (Some(Aggregate::Sum(_)), _) => Cells::Sums(Vec::new()),
            (_, Some(Kind::Text | Kind::Bytes)) => Cells::Texts(Vec::new()),
            _ => Cells::Integers(Vec::new()),
        };
        let finished = match (aggregate, &cells) {
            (Some(Aggregate::Mean(_)), _) => Some(Field::new("mean", Type::optional(Kind::Float))),
            (Some(Aggregate::Sum(field)), Cells::Sums(_)) => Some(Field::new("value", of_field(field))),
            _ => None,
        };
        let schema = |fields| Schema::try_new(fields).expect("the fields have different names");
        NativeReduce { aggregate, state, finished: finished.map(|field| schema(vec![field])), cells, text_bytes: 0 }
    }

    /// Adds values of one column.
    fn add_column(&mut self, column: &Column<'_>, kind: &Kind, groups: &[u32]) {
        let aggregate = self.aggregate;
        let valid = groups.iter().enumerate().filter(|&(row, _)| column.is_valid(row));
        match &mut self.cells {
            Cells::Integers(cells) => valid.for_each(|(row, &group)| {
                merge(&mut cells[group as usize], column.integers()[row], aggregate, |known, _| known, i64::cmp);
            }),
            Cells::Sums(cells) => valid.for_each(|(row, &group)| {
                let cell = &mut cells[group as usize];
                *cell = Some(cell.unwrap_or_default() + i128::from(column.integers()[row]));
            }),
            Cells::Floats(cells) => valid.for_each(|(row, &group)| {
                let value = column.floats()[row];
                merge(&mut cells[group as usize], value, aggregate, |a, b| a + b, compare_floats);
            }),
            Cells::Texts(cells) => valid.for_each(|(row, &group)| {
                let cell = &mut cells[group as usize];
                let value = column.slice(row);
                let wanted = match (aggregate, &cell) {
                    (_, None) => true,
                    (Some(Aggregate::Min(_)), Some(known)) => value < &known[..],
                    (_, Some(known)) => value > &known[..],
                };
                if wanted {
                    self.text_bytes = self.text_bytes + value.len() - cell.as_ref().map_or(0, Vec::len);
                    *cell = Some(value.to_vec());
                }
            }),
            Cells::Means(cells) => valid.for_each(|(row, &group)| {
                let value = if *kind == Kind::Float { column.floats()[row] } else { column.integers()[row] as f64 };
                let cell = &mut cells[group as usize];
                *cell = (cell.0 + value, cell.1 + 1);
            }),
            Cells::Nothing | Cells::Counts(_) => {}
        }
    }

    fn resize(&mut self, count: usize) {
        match &mut self.cells {
            Cells::Nothing => {}
            Cells::Counts(cells) => cells.resize(count, 0),
            Cells::Integers(cells) => cells.resize(count, None),
            Cells::Sums(cells) => cells.resize(count, None),
            Cells::Floats(cells) => cells.resize(count, None),
            Cells::Texts(cells) => cells.resize(count, None),
            Cells::Means(cells) => cells.resize(count, (0.0, 0)),
        }
    }

    /// The accumulators as rows.
    fn rows(&self, count: usize) -> Result<RowsBuffer, Cause> {
        let mut rows = RowsBuffer::new(&self.state);
        let optional = self.state.fields().first().is_some_and(|field| field.ty.optional);
        match &self.cells {
            Cells::Nothing => {}
            Cells::Counts(cells) => cells.iter().for_each(|&cell| rows.node_mut(0).push_word(cell.cast_unsigned())),
            Cells::Integers(cells) => cells.iter().for_each(|cell| match cell {
                Some(value) => rows.node_mut(0).push_word(value.cast_unsigned()),
                None => rows.node_mut(0).push_no_word(optional),
            }),
            Cells::Sums(cells) => cells.iter().for_each(|cell| {
                match cell {
                    Some(sum) => rows.node_mut(0).push_word((sum >> 64) as u64),
                    None => rows.node_mut(0).push_no_word(optional),
                }
                rows.node_mut(1).push_word(cell.unwrap_or_default() as u64);
            }),
            Cells::Floats(cells) => cells.iter().for_each(|cell| match cell {
                Some(value) => rows.node_mut(0).push_word(value.to_bits()),
                None => rows.node_mut(0).push_no_word(optional),
            }),
            Cells::Texts(cells) => {
                for cell in cells {
                    match cell {
                        Some(value) => rows.node_mut(0).push_bytes(value)?,
                        None => rows.node_mut(0).push_no_bytes(optional)?,
                    }
                }
            }
            Cells::Means(cells) => cells.iter().for_each(|&(sum, number)| {
                rows.node_mut(0).push_word(sum.to_bits());
                rows.node_mut(1).push_word(number.cast_unsigned());
            }),
        }
        rows.end_rows(count);
        Ok(rows)
    }

    fn clear(&mut self) {
        self.resize(0);
        self.text_bytes = 0;
    }
}

/// As sort has it: every NaN is larger than all numbers. But -0.0 is smaller than 0.0, so that what comes out does not depend on
/// which of them comes first.
fn compare_floats(left: &f64, right: &f64) -> Ordering {
    if left.is_nan() || right.is_nan() { left.is_nan().cmp(&right.is_nan()) } else { left.total_cmp(right) }
}

/// Takes one more value into a cell.
fn merge<T: Copy>(
    cell: &mut Option<T>,
    value: T,
    aggregate: Option<Aggregate>,
    add: impl Fn(T, T) -> T,
    compare: impl Fn(&T, &T) -> Ordering,
) {
    *cell = Some(match (*cell, aggregate) {
        (None, _) => value,
        (Some(known), Some(Aggregate::Min(_))) => {
            if compare(&value, &known).is_lt() {
                value
            } else {
                known
            }
        }
        (Some(known), Some(Aggregate::Max(_))) => {
            if compare(&value, &known).is_gt() {
                value
            } else {
                known
            }
        }
        (Some(known), _) => add(known, value),
    });
}

impl Accumulate for NativeReduce {
    fn state(&self) -> &Schema {
        &self.state
    }

    fn bytes(&self) -> usize {
        match &self.cells {
            Cells::Nothing => 0,
            Cells::Counts(cells) => size_of_val(&cells[..]),
            Cells::Integers(cells) => size_of_val(&cells[..]),
            Cells::Sums(cells) => size_of_val(&cells[..]),
            Cells::Floats(cells) => size_of_val(&cells[..]),
            Cells::Texts(cells) => size_of_val(&cells[..]) + self.text_bytes,
            Cells::Means(cells) => size_of_val(&cells[..]),
        }
    }

    fn is_full(&self) -> bool {
        self.text_bytes > TEXT_BYTES_MAX
    }

    fn begin(&mut self) {
        self.clear();
    }

    fn add(
        &mut self,
        _batch: &Batch,
        phase: Phase,
        rows: &Rows<'_>,
        groups: &[u32],
        count: usize,
    ) -> Result<(), Cause> {
        self.resize(count);
        match (self.aggregate, phase, &mut self.cells) {
            (None, ..) => {}
            (Some(Aggregate::Count), Phase::Combine, Cells::Counts(cells)) => {
                groups.iter().for_each(|&group| cells[group as usize] += 1);
            }
            (Some(Aggregate::Count), _, Cells::Counts(cells)) => {
                let counts = rows.columns[0].integers();
                groups.iter().zip(counts).for_each(|(&group, count)| cells[group as usize] += count);
            }
            (Some(Aggregate::Sum(_)), Phase::Merge, Cells::Sums(cells)) => {
                for (row, &group) in groups.iter().enumerate() {
                    if let Some(sum) = sum_at(rows, row) {
                        let cell = &mut cells[group as usize];
                        *cell = Some(cell.unwrap_or_default() + sum);
                    }
                }
            }
            (Some(Aggregate::Mean(_)), Phase::Merge, Cells::Means(cells)) => {
                let (sums, numbers) = (rows.columns[0].floats(), rows.columns[1].integers());
                for (row, &group) in groups.iter().enumerate() {
                    let cell = &mut cells[group as usize];
                    *cell = (cell.0 + sums[row], cell.1 + numbers[row]);
                }
            }
            (
                Some(Aggregate::Sum(field) | Aggregate::Min(field) | Aggregate::Max(field) | Aggregate::Mean(field)),
                ..,
            ) => {
                let field = if phase == Phase::Combine { field } else { 0 };
                let column = rows.field(field)[0];
                self.add_column(&column, &rows.schema.fields()[field].ty.kind, groups);
            }
            _ => return Err(Cause::Defect("a reducer's accumulators are not its own".to_owned())),
        }
        Ok(())
    }

    fn take(&mut self, _batch: &Batch, _phase: Phase, count: usize, consume: &mut Consume<'_>) -> Result<(), Cause> {
        self.resize(count);
        let rows = self.rows(count)?;
        self.clear();
        consume(&rows.with_columns(&rows.columns()))
    }

    fn finish(&mut self, _batch: &Batch, rows: &Rows<'_>, consume: &mut Consume<'_>) -> Result<(), Cause> {
        let Some(schema) = &self.finished else { return consume(rows) };
        let mut finished = RowsBuffer::new(schema);
        let optional = schema.fields().iter().any(|field| field.ty.optional);
        for row in 0..rows.len {
            let word = if let Cells::Sums(_) = self.cells {
                sum_at(rows, row).map(|sum| within_64_bits(sum).map(i64::cast_unsigned)).transpose()?
            } else {
                mean_at(rows, row).map(f64::to_bits)
            };
            match word {
                Some(word) => finished.node_mut(0).push_word(word),
                None => finished.node_mut(0).push_no_word(optional),
            }
            finished.end_row();
        }
        consume(&finished.with_columns(&finished.columns()))
    }
}

/// The sum that a row of accumulators holds; none if it is of no values.
fn sum_at(rows: &Rows<'_>, row: usize) -> Option<i128> {
    let (high, low) = (&rows.columns[0], &rows.columns[1]);
    let sum = i128::from(high.integers()[row]) << 64 | i128::from(low.integers()[row].cast_unsigned());
    high.is_valid(row).then_some(sum)
}

fn within_64_bits(sum: i128) -> Result<i64, Cause> {
    let beyond = |_| Cause::Rows(format!("the sum is {sum}, and an integer has 64 bits"));
    i64::try_from(sum).map_err(beyond)
}

/// The mean that a row of accumulators comes to; none if it is of no values.
fn mean_at(rows: &Rows<'_>, row: usize) -> Option<f64> {
    let number = rows.columns[1].integers()[row];
    (number > 0).then(|| rows.columns[0].floats()[row] / number as f64)
}
