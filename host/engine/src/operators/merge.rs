//! The second half of a reduce: accumulators of a key from all partitions to one row.

use std::ops::Range;

use tidemill_model::{
    columns::{Column, Rows, RowsBuffer},
    function::Phase,
    key,
    schema::Schema,
};
use tidemill_state::keys::KeyTable;

use super::{
    Batch, Operator, Out,
    arrange::Runs,
    combine::{KEPT_BYTES_MAX, KEPT_KEYS_MAX},
    for_guest,
};
use crate::{
    failure::Cause,
    reduce::{Accumulate, Room},
};

/// One row for each key of one partition.
///
/// The host's own accumulators are merged as they come. A guest has room for so many only: its accumulators are kept
/// until the batch ends, and if they are more than that, they are merged group by group, as many groups at a time as it
/// can take.
pub(crate) struct Merge {
    schema: Schema,
    key_schema: Schema,
    state: Schema,
    reduce: Box<dyn Accumulate>,
    table: KeyTable,
    /// The group of each row that came last, or of each that is kept.
    groups: Vec<u32>,
    kept: RowsBuffer,
}

impl Merge {
    /// `schema` is the stream's; its first `keys` fields are the key.
    pub(crate) fn new(schema: &Schema, keys: usize, reduce: Box<dyn Accumulate>, seed: u64) -> Merge {
        Merge {
            schema: schema.clone(),
            key_schema: schema.project(&(0..keys).collect::<Vec<_>>()),
            state: reduce.state().clone(),
            kept: RowsBuffer::new(reduce.state()),
            reduce,
            table: KeyTable::new(seed),
            groups: Vec::new(),
        }
    }

    /// Merges what was kept, and pushes what it comes to.
    fn merge_kept(&mut self, room: Room, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let kept = std::mem::replace(&mut self.kept, RowsBuffer::new(&self.state));
        let groups = std::mem::take(&mut self.groups);
        let (columns, count) = (kept.columns(), self.table.touched().len());
        let rows = kept.with_columns(&columns);
        if count <= room.groups && kept.bytes() <= room.bytes {
            self.reduce.add(batch, Phase::Merge, &rows, &groups, count)?;
            return self.push_merged(0..count, batch, out);
        }
        let mut runs = Runs::new(rows, &groups, count);
        let mut first = 0;
        while first < count {
            let slice = runs.groups_within(usize::MAX, room.bytes).min(room.groups);
            let arranged = runs.next(slice)?;
            let arranged = arranged.arranged();
            self.reduce.add(batch, Phase::Merge, &arranged.rows, &arranged.groups(), slice)?;
            self.push_merged(first..first + slice, batch, out)?;
            first += slice;
        }
        Ok(())
    }

    /// Takes the accumulators of the groups in `range`, all that the reducer has, and pushes their rows.
    fn push_merged(&mut self, range: Range<usize>, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let mut accumulators = RowsBuffer::new(&self.state);
        self.reduce.take(batch, Phase::Merge, range.len(), &mut |rows| Ok(accumulators.extend(rows)?))?;
        let ids = &self.table.touched()[range];
        for_guest(&accumulators.with_columns(&accumulators.columns()), &mut |chunk, of_chunk| {
            let mut keys = RowsBuffer::new(&self.key_schema);
            key::decode(ids[of_chunk].iter().map(|&id| self.table.key(id)), &mut keys)?;
            let key_columns = keys.columns();
            let for_rows = batch.clone();
            self.reduce.finish(&for_rows, chunk, &mut |rows| {
                let columns: Vec<Column<'_>> = key_columns.iter().chain(rows.columns).copied().collect();
                out.push(batch, &Rows { schema: &self.schema, len: rows.len, columns: &columns })
            })
        })
    }
}

impl Operator for Merge {
    fn begin(&mut self, _batch: &Batch) {
        self.reduce.begin();
        self.groups.clear();
        self.kept.clear();
        if self.table.len() > KEPT_KEYS_MAX || self.table.memory_bytes() > KEPT_BYTES_MAX {
            self.table.clear();
        }
        self.table.begin_batch();
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        let accumulators = Rows { schema: &self.state, len: rows.len, columns: &rows.columns[1..] };
        if self.reduce.room().is_some() {
            self.table.group(rows.columns[0], &mut self.groups);
            return Ok(self.kept.extend(&accumulators)?);
        }
        self.groups.clear();
        self.table.group(rows.columns[0], &mut self.groups);
        self.reduce.add(batch, Phase::Merge, &accumulators, &self.groups, self.table.touched().len())
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        match (self.reduce.room(), self.table.touched().len()) {
            (_, 0) => Ok(()),
            (Some(room), _) => self.merge_kept(room, batch, out),
            (None, count) => self.push_merged(0..count, batch, out),
        }
    }

    fn held_bytes(&self) -> usize {
        self.kept.bytes() + self.groups.len() * size_of::<u32>()
    }
}
