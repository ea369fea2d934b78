//! The second half of a reduce: accumulators of a key from all partitions to one row.

use tidemill_model::{
    columns::{Column, Rows, RowsBuffer},
    function::Phase,
    key,
    schema::Schema,
};
use tidemill_state::keys::KeyTable;

use super::{
    Batch, Operator, Out,
    chunks::CHUNK_ROWS,
    combine::{KEPT_BYTES_MAX, KEPT_KEYS_MAX},
};
use crate::{failure::Cause, reduce::Accumulate};

/// One row for each key of one partition.
pub(crate) struct Merge {
    schema: Schema,
    key_schema: Schema,
    reduce: Box<dyn Accumulate>,
    table: KeyTable,
    groups: Vec<u32>,
}

impl Merge {
    /// `schema` is the stream's; its first `keys` fields are the key.
    pub(crate) fn new(schema: &Schema, keys: usize, reduce: Box<dyn Accumulate>, seed: u64) -> Merge {
        Merge {
            schema: schema.clone(),
            key_schema: schema.project(&(0..keys).collect::<Vec<_>>()),
            reduce,
            table: KeyTable::new(seed),
            groups: Vec::new(),
        }
    }
}

impl Operator for Merge {
    fn begin(&mut self, _batch: &Batch) {
        self.reduce.begin();
        if self.table.len() > KEPT_KEYS_MAX || self.table.memory_bytes() > KEPT_BYTES_MAX {
            self.table.clear();
        }
        self.table.begin_batch();
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        self.groups.clear();
        self.table.group(rows.columns[0], &mut self.groups);
        let state = self.reduce.state().clone();
        let accumulators = Rows { schema: &state, len: rows.len, columns: &rows.columns[1..] };
        self.reduce.add(batch, Phase::Merge, &accumulators, &self.groups, self.table.touched().len())
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let count = self.table.touched().len();
        if count == 0 {
            return Ok(());
        }
        let mut accumulators = RowsBuffer::new(self.reduce.state());
        self.reduce.take(batch, Phase::Merge, count, &mut |rows| Ok(accumulators.extend(rows)?))?;
        let mut chunk = RowsBuffer::new(self.reduce.state());
        for first in (0..count).step_by(CHUNK_ROWS) {
            let range = first..count.min(first + CHUNK_ROWS);
            chunk.clear();
            chunk.extend_range(&accumulators.with_columns(&accumulators.columns()), range.clone())?;
            let mut keys = RowsBuffer::new(&self.key_schema);
            key::decode(self.table.touched()[range].iter().map(|&id| self.table.key(id)), &mut keys)?;
            let key_columns = keys.columns();
            let schema = &self.schema;
            let for_rows = batch.clone();
            self.reduce.finish(&for_rows, &chunk.with_columns(&chunk.columns()), &mut |rows| {
                let columns: Vec<Column<'_>> = key_columns.iter().chain(rows.columns).copied().collect();
                out.push(batch, &Rows { schema, len: rows.len, columns: &columns })
            })?;
        }
        Ok(())
    }
}
