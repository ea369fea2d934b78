//! Reducers that need no plugin: count, sum, min, max, mean; and none at all, for distinct.
//!
//! Missing values are passed over. Of no values at all the result is missing, except for count and for sums of fields
//! that are never missing. Integer sums wrap around. Float sums depend on the order of rows, which is fixed.

use std::cmp::Ordering;

use tidemill_model::{
    columns::{Column, Rows, RowsBuffer},
    function::Phase,
    schema::{Field, Kind, Schema, Type},
};
use tidemill_plan::graph::Aggregate;

use super::{Accumulate, Consume};
use crate::{failure::Cause, operators::Batch};

pub(crate) struct NativeReduce {
    aggregate: Option<Aggregate>,
    state: Schema,
    cells: Cells,
    /// Bytes of texts in the cells.
    text_bytes: usize,
}

/// Accumulators by group.
enum Cells {
    /// Distinct: there is nothing to accumulate.
    Nothing,
    Counts(Vec<i64>),
    Integers(Vec<Option<i64>>),
    Floats(Vec<Option<f64>>),
    Texts(Vec<Option<Vec<u8>>>),
    /// Sum and number.
    Means(Vec<(f64, i64)>),
}

impl NativeReduce {
    pub(crate) fn new(aggregate: Option<Aggregate>, input: &Schema) -> NativeReduce {
        let of_field = |field: usize| input.fields()[field].ty.clone();
        let fields = match aggregate {
            None => Vec::new(),
            Some(Aggregate::Count) => vec![Field::new("count", Type::required(Kind::Integer))],
            Some(Aggregate::Sum(field) | Aggregate::Min(field) | Aggregate::Max(field)) => {
                vec![Field::new("value", of_field(field))]
            }
            Some(Aggregate::Mean(_)) => {
                vec![Field::new("sum", Type::required(Kind::Float)), Field::new("count", Type::required(Kind::Integer))]
            }
        };
        let cells = match (aggregate, fields.first().map(|field| &field.ty.kind)) {
            (None, _) => Cells::Nothing,
            (Some(Aggregate::Count), _) => Cells::Counts(Vec::new()),
            (Some(Aggregate::Mean(_)), _) => Cells::Means(Vec::new()),
            (_, Some(Kind::Float)) => Cells::Floats(Vec::new()),
            (_, Some(Kind::Text | Kind::Bytes)) => Cells::Texts(Vec::new()),
            _ => Cells::Integers(Vec::new()),
        };
        let state = Schema::try_new(fields).expect("the fields have different names");
        NativeReduce { aggregate, state, cells, text_bytes: 0 }
    }

    /// Adds values of one column.
    fn add_column(&mut self, column: &Column<'_>, kind: &Kind, groups: &[u32]) {
        let aggregate = self.aggregate;
        let valid = groups.iter().enumerate().filter(|&(row, _)| column.is_valid(row));
        match &mut self.cells {
            Cells::Integers(cells) => valid.for_each(|(row, &group)| {
                merge(&mut cells[group as usize], column.integers()[row], aggregate, i64::wrapping_add, i64::cmp);
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

/// As sort has it: -0.0 and 0.0 are equal, and every NaN is larger than all numbers.
fn compare_floats(left: &f64, right: &f64) -> Ordering {
    left.partial_cmp(right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
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
            Cells::Floats(cells) => size_of_val(&cells[..]),
            Cells::Texts(cells) => size_of_val(&cells[..]) + self.text_bytes,
            Cells::Means(cells) => size_of_val(&cells[..]),
        }
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
        let Some(Aggregate::Mean(_)) = self.aggregate else { return consume(rows) };
        let schema =
            Schema::try_new(vec![Field::new("mean", Type::optional(Kind::Float))]).expect("one field has one name");
        let mut means = RowsBuffer::new(&schema);
        for (sum, &number) in rows.columns[0].floats().iter().zip(rows.columns[1].integers()) {
            if number == 0 {
                means.node_mut(0).push_no_word(true);
            } else {
                means.node_mut(0).push_word((sum / number as f64).to_bits());
            }
            means.end_row();
        }
        consume(&means.with_columns(&means.columns()))
    }
}
