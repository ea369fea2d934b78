//! Rows under numbers: what a window keeps of past batches for one partition.
//!
//! A **pane** is all rows of a number. It comes as a whole, is never changed, and goes as a whole; no number is used twice. So
//! what a batch changes is the panes that came, and the numbers of those that went: its cost does not follow what there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow_schema::ArrowError;
use tidemill_model::{
    columns::{Column, Rows, RowsBuffer, columns_of, compact},
    key::{Slot, check_key},
    schema::{Field, Kind, Schema, Type},
    table::TableKind,
    time::Interval,
};

use crate::{
    history::History,
    table::{ApplyError, BlockLimits, FIXED_COLUMNS, StateError, block_schema, checked_schema, split_rows},
};

/// What a row of a block says of its number: the pane has gone, is there from now on, or has this row.
const WENT: i64 = 0;
const CAME: i64 = 1;
const HAS: i64 = 2;

/// What a row of a block says of its pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has gone.
    Went,
    /// It is there from now on, without rows yet.
    Came,
    /// It has this row.
    Has,
}

impl Change {
    /// That of a number in a block that was checked.
    pub fn of(number: i64) -> Change {
        match number {
            WENT => Change::Went,
            CAME => Change::Came,
            _ => Change::Has,
        }
    }
}

/// Panes by number.
#[derive(Debug)]
pub struct NumberedTable {
    schema: Schema,
    panes: BTreeMap<i64, Pane>,
    /// Those that came in this batch.
    came: BTreeSet<i64>,
    /// Those that went in this batch.
    went: BTreeMap<i64, Pane>,
    /// How many rows the panes have.
    rows: usize,
    /// What the rows of keys come to, if somebody asks.
    history: Option<Box<History>>,
}

/// The rows of a number, each with its key.
#[derive(Debug)]
pub struct Pane {
    rows: RowsBuffer,
}

/// The columns of a block before the rows' own.
pub(crate) fn fixed_fields() -> Vec<Field> {
    vec![
        Field::new("number", Type::required(Kind::Integer)),
        Field::new("change", Type::required(Kind::Integer)),
        Field::new("key", Type::required(Kind::Bytes)),
    ]
}

/// The schema of a pane: `key: bytes, state: record<...>`.
fn pane_schema(rows: &Schema) -> Schema {
    let fields = block_schema(TableKind::Blocks, rows).fields()[FIXED_COLUMNS - 1..].to_vec();
    Schema::try_new(fields).expect("the names are different")
}

impl Pane {
    /// No rows yet; `rows` is their schema.
    pub fn new(rows: &Schema) -> Pane {
        Pane { rows: RowsBuffer::new(&pane_schema(rows)) }
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of its rows and their keys.
    pub fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    /// Adds rows, each with its key's canonical bytes (empty where there are no keys).
    ///
    /// # Errors
    /// They do not fit into columns any more; the pane then serves for nothing.
    pub fn extend(&mut self, keys: Column<'_>, rows: &Rows<'_>) -> Result<(), StateError> {
        let schema = self.rows.schema().clone();
        let record = Column { validity: None, offsets: &[], values: &[] };
        let is_empty = rows.schema.is_empty();
        let columns: Vec<Column<'_>> =
            [keys].into_iter().chain((!is_empty).then_some(record)).chain(rows.columns.iter().copied()).collect();
        Ok(self.rows.extend(&Rows { schema: &schema, len: rows.len, columns: &columns })?)
    }

    /// The columns of its rows: of the keys' canonical bytes, and of the rows' fields.
    pub fn columns(&self) -> (Column<'_>, Vec<Column<'_>>) {
        let columns = self.rows.columns();
        (columns[0], columns.get(FIXED_COLUMNS - 1..).unwrap_or_default().to_vec())
    }
}

impl NumberedTable {
    /// No panes. `schema` is that of their rows.
    pub fn new(schema: &Schema) -> NumberedTable {
        NumberedTable {
            schema: schema.clone(),
            panes: BTreeMap::new(),
            came: BTreeSet::new(),
            went: BTreeMap::new(),
            rows: 0,
            history: None,
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no pane.
    pub fn is_empty(&self) -> bool {
        self.panes.is_empty()
    }

    /// Bytes of memory, roughly; what went in this batch is still there.
    pub fn memory_bytes(&self) -> usize {
        let panes = self.panes.values().chain(self.went.values());
        let of_history = self.history.as_ref().map_or(0, |history| history.memory_bytes());
        panes.map(|pane| pane.rows.bytes() + size_of::<Pane>()).sum::<usize>() + of_history
    }

    /// The panes that there are, by number.
    pub fn panes(&self) -> impl DoubleEndedIterator<Item = (i64, &Pane)> + '_ {
        self.panes.iter().map(|(&number, pane)| (number, pane))
    }

    /// The panes of some numbers, by number.
    pub fn panes_in(&self, numbers: impl RangeBounds<i64>) -> impl Iterator<Item = (i64, &Pane)> + '_ {
        self.panes.range(numbers).map(|(&number, pane)| (number, pane))
    }

    /// Begins a history with the panes of numbers up to `until`; the others are added with [`NumberedTable::end_history`], and
    /// from then on panes come and go there too. `None`: there is one already.
    pub fn begin_history(&mut self, every: Interval, until: i64, seed: u64) -> Option<&mut History> {
        if self.history.is_some() {
            return None;
        }
        self.history = Some(Box::new(History::new(&self.schema, every, seed)));
        self.add_to_history(until);
        self.history.as_deref_mut()
    }

    /// Adds the panes that the history does not have yet.
    pub fn end_history(&mut self) {
        self.add_to_history(i64::MAX);
    }

    fn add_to_history(&mut self, until: i64) {
        let Some(history) = &mut self.history else { return };
        for (&number, pane) in self.panes.range((Bound::Excluded(history.until), Bound::Included(until))) {
            history.insert(number, pane);
        }
    }

    /// What the rows of keys come to.
    ///
    /// # Panics
    /// It was not begun: a defect of the caller.
    pub fn history(&self) -> &History {
        self.history.as_deref().unwrap_or_else(|| unreachable!("no history was begun"))
    }

    /// The same, to put there what was merged.
    ///
    /// # Panics
    /// As for [`NumberedTable::history`].
    pub fn history_mut(&mut self) -> &mut History {
        self.history.as_deref_mut().unwrap_or_else(|| unreachable!("no history was begun"))
    }

    /// How many keys there are, or more, where that is not known.
    pub fn keys_max(&self) -> usize {
        self.history.as_ref().map_or(self.rows, |history| history.len())
    }

    /// The pane of a number.
    pub fn pane(&self, number: i64) -> Option<&Pane> {
        self.panes.get(&number)
    }

    /// Adds a pane of rows of the table's schema.
    ///
    /// # Panics
    /// There is one of that number, or there was one in this batch: a defect of the caller.
    pub fn put(&mut self, number: i64, pane: Pane) {
        let is_new = !self.went.contains_key(&number) && !self.panes.contains_key(&number);
        assert!(is_new, "the pane {number} comes a second time");
        self.note_come(number, &pane);
        self.panes.insert(number, pane);
        self.came.insert(number);
    }

    /// Removes a pane, if there is one of that number.
    pub fn remove(&mut self, number: i64) {
        let Some(pane) = self.panes.remove(&number) else { return };
        self.note_gone(number, &pane);
        if !self.came.remove(&number) {
            self.went.insert(number, pane);
        }
    }

    /// Removes panes between batches, as a block that says that they went does.
    pub fn forget(&mut self, numbers: &[i64]) {
        for number in numbers {
            if let Some(pane) = self.panes.remove(number) {
                self.note_gone(*number, &pane);
            }
        }
    }

    fn note_come(&mut self, number: i64, pane: &Pane) {
        self.rows += pane.len();
        if let Some(history) = &mut self.history {
            history.insert(number, pane);
        }
    }

    fn note_gone(&mut self, number: i64, pane: &Pane) {
        self.rows -= pane.len();
        if let Some(history) = &mut self.history {
            history.remove(number, pane);
        }
    }

    /// What the batch changed: the numbers that went, then the panes that came.
    pub(crate) fn changes(&self, limits: BlockLimits) -> impl Iterator<Item = Result<RecordBatch, StateError>> + '_ {
        let numbers: Vec<i64> = self.went.keys().copied().collect();
        let went = (!numbers.is_empty()).then(|| self.block(&numbers, WENT, None));
        let came = self.came.iter().map(|&number| (number, &self.panes[&number]));
        went.into_iter().chain(came.flat_map(move |(number, pane)| self.blocks(number, pane, limits)))
    }

    /// All panes, by number.
    pub(crate) fn whole(&self, limits: BlockLimits) -> impl Iterator<Item = Result<RecordBatch, StateError>> + '_ {
        self.panes().flat_map(move |(number, pane)| self.blocks(number, pane, limits))
    }

    /// That a pane is there, then its rows.
    fn blocks(
        &self,
        number: i64,
        pane: &Pane,
        limits: BlockLimits,
    ) -> impl Iterator<Item = Result<RecordBatch, StateError>> {
        let bytes_per_row = pane.rows.bytes().div_ceil(pane.len().max(1)).max(1);
        let step = limits.rows_max.min(limits.bytes_max / bytes_per_row).max(1);
        let came = self.block(&[number], CAME, None);
        let rows = (0..pane.len()).step_by(step).map(|first| {
            let mut part = RowsBuffer::new(pane.rows.schema());
            let columns = pane.rows.columns();
            part.extend_range(&pane.rows.with_columns(&columns), first..pane.len().min(first + step))?;
            self.block(&vec![number; part.len()], HAS, Some(part))
        });
        let blocks: Vec<_> = std::iter::once(came).chain(rows).collect();
        blocks.into_iter()
    }

    /// A block of these numbers, with rows of a pane or blank ones.
    fn block(&self, numbers: &[i64], change: i64, rows: Option<RowsBuffer>) -> Result<RecordBatch, StateError> {
        let mut buffer = rows.unwrap_or_else(|| RowsBuffer::new(&pane_schema(&self.schema)));
        if buffer.is_empty() {
            buffer.push_blanks(numbers.len())?;
        }
        let layout = |error: ArrowError| StateError::Layout(error.to_string());
        let rows = buffer.to_batch(&buffer.schema().to_arrow()).map_err(layout)?;
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(numbers.to_vec())), Arc::new(Int64Array::from(vec![change; numbers.len()]))];
        columns.extend(rows.columns().iter().cloned());
        let arrow = block_schema(TableKind::Blocks, &self.schema).to_arrow();
        let options = RecordBatchOptions::new().with_row_count(Some(numbers.len()));
        RecordBatch::try_new_with_options(arrow, columns, &options).map_err(layout)
    }

    /// Applies a block. That a pane is there is said once for each of the partitions that it comes from, and so is that it went.
    pub(crate) fn apply(&mut self, keys: &Schema, block: &RecordBatch) -> Result<(), ApplyError> {
        checked_schema(TableKind::Blocks, &self.schema, block)?;
        let block = compact(block);
        let columns = columns_of(&block);
        let [numbers, changes] = [columns[0].integers(), columns[1].integers()];
        check(keys, changes, &columns[2])?;
        // It is made anew of what is there then.
        self.history = None;
        let pane_schema = pane_schema(&self.schema);
        let rows = Rows { schema: &pane_schema, len: block.num_rows(), columns: &columns[2..] };
        for (row, (&number, &change)) in numbers.iter().zip(changes).enumerate() {
            match change {
                WENT => self.forget(&[number]),
                CAME => drop(self.panes.entry(number).or_insert_with(|| Pane::new(&self.schema))),
                _ => {
                    // That it came may have been said to another partition.
                    let pane = self.panes.entry(number).or_insert_with(|| Pane::new(&self.schema));
                    pane.rows.extend_range(&rows, row..row + 1)?;
                    self.rows += 1;
                }
            }
        }
        Ok(())
    }

    /// Ends a batch.
    pub(crate) fn end_batch(&mut self) {
        self.came.clear();
        self.went.clear();
    }

    /// Ends a batch that does not count.
    pub(crate) fn undo(&mut self) {
        for number in std::mem::take(&mut self.came) {
            self.forget(&[number]);
        }
        for (number, pane) in std::mem::take(&mut self.went) {
            self.note_come(number, &pane);
            self.panes.insert(number, pane);
        }
    }
}

fn check(keys: &Schema, changes: &[i64], of_rows: &Column<'_>) -> Result<(), ApplyError> {
    for (row, change) in changes.iter().enumerate() {
        match *change {
            WENT | CAME => {}
            HAS if keys.is_empty() => {}
            HAS => check_key(keys, of_rows.slice(row)).map_err(|error| ApplyError::Key { row, error })?,
            other => return Err(ApplyError::Layout(format!("row {row} makes the unknown change {other}"))),
        }
    }
    Ok(())
}

/// The numbers of a block's rows.
pub fn numbers(block: &RecordBatch) -> &[i64] {
    let numbers = block.columns().first().and_then(|numbers| numbers.as_any().downcast_ref::<Int64Array>());
    numbers.map_or(&[], |numbers| numbers.values())
}

/// What a block of changes says, if all of its rows say the same.
pub fn said(block: &RecordBatch) -> Option<Change> {
    let changes = block.columns().get(1)?.as_any().downcast_ref::<Int64Array>()?.values();
    let first = *changes.first()?;
    changes.iter().all(|change| *change == first).then(|| Change::of(first))
}

/// The rows of a block by partition. That panes come and go is said to all of them.
pub(crate) fn split(schema: &Schema, block: &RecordBatch, partitions: u32) -> Result<Vec<RecordBatch>, ApplyError> {
    let schema = checked_schema(TableKind::Blocks, schema, block)?;
    split_rows(&schema, block, partitions, |columns, row| {
        let has_row = columns[1].integers()[row] == HAS;
        has_row.then(|| Slot::of(columns[2].slice(row)).partition(partitions))
    })
}

#[cfg(test)]
mod tests;
