//! The first half of a reduce: a partition's rows to one accumulator a key, before anything goes to other partitions.
//!
//! Map output is grouped where it lies, chunk by chunk, and its values go straight on to the reducer: nothing is kept a
//! row. The table of keys is kept over batches, because the same keys come again; it is bounded, because keys are
//! hostile.

#[cfg(test)]
mod tests;

use std::ops::Range;

use tidemill_model::{
    columns::{Column, ColumnFull, Rows, RowsBuffer},
    function::Phase,
    key::{self, KeyBuffer, Slot},
    schema::{Field, Kind, Schema, Type},
    time::Timestamp,
};
use tidemill_plan::graph::Reducer;
use tidemill_state::keys::KeyTable;

use super::{
    Batch, GuestSlot, Letters, Making, Operator, Out, Policy,
    chunks::{CHUNK_BYTES, CHUNK_ROWS, next},
    letters::Letter,
    policy::{Attempt, Calls},
    scattered::{Placed, Scattered},
};
use crate::{
    arrival::Arrival,
    failure::{Cause, RunError},
    pieces::Piece,
    presence::Presence,
    reduce::{Accumulate, Capacity, reduce_of, reducer_of},
};

/// More keys than this are not kept when groups begin anew.
const KEPT_KEYS_MAX: usize = 2 << 20;

/// What has more bytes than this is not kept from batch to batch: a table when groups begin anew, the room of rows.
pub(super) const KEPT_BYTES_MAX: usize = 256 << 20;

/// With so many groups the accumulators are handed on, and the batch goes on with new ones.
const GROUPS_MAX: usize = 1 << 20;

/// The same with keys of so many bytes.
const KEY_BYTES_MAX: usize = 64 << 20;

/// What can be added at once of what the host accumulates itself.
const UNBOUNDED: Capacity = Capacity { groups: usize::MAX, bytes: usize::MAX };

/// The key's field in the rows that go to the merge: no field of a plugin can have this name.
const KEY_FIELD: &str = "canonical key";

/// Accumulators by key for the rows of one partition.
pub(crate) struct Combine {
    by: Vec<usize>,
    reduce: Box<dyn Accumulate>,
    table: KeyTable,
    /// For each key of the table its partition.
    placement: Vec<u32>,
    keys: KeyBuffer,
    groups: Vec<u32>,
    groups_max: usize,
    /// At least the bytes of the keys that have groups.
    key_bytes: usize,
    key_bytes_max: usize,
    left: Scattered,
    /// A count, of nothing too: where there is a batch, partition 0 has a group.
    counts_nothing: Option<Presence>,
    partitions: u32,
    /// Of a guest.
    policy: Option<Policy>,
    /// Rows of this batch that were added or set aside.
    rows_so_far: u64,
}

/// The rows between the two halves: the key's canonical bytes, then the accumulator.
pub(super) fn exchange_schema(state: &Schema) -> Schema {
    let mut fields = vec![Field::new(KEY_FIELD, Type::required(Kind::Bytes))];
    fields.extend_from_slice(state.fields());
    Schema::try_new(fields).expect("no field of a plugin has a space in its name")
}

/// The operator of the first half of a reduce.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let (reduce, reducer) = (reduce_of(making.node), reducer_of(&making)?);
    let partitions = if reduce.by.is_empty() { 1 } else { making.partitions };
    let counts_nothing = reduce.counts_nothing.then(|| making.presence.clone());
    // What the host accumulates itself can fail only when it is finished.
    let policy = making.policy.filter(|_| reduce.reducer == Reducer::Guest);
    Ok(Box::new(Combine::new(reduce.by.clone(), reducer, partitions, counts_nothing, policy, making.seed)))
}

impl Combine {
    /// `partitions`: of the merge.
    pub(crate) fn new(
        by: Vec<usize>,
        reduce: Box<dyn Accumulate>,
        partitions: u32,
        counts_nothing: Option<Presence>,
        policy: Option<Policy>,
        seed: u64,
    ) -> Combine {
        let schema = exchange_schema(reduce.state());
        Combine {
            by,
            reduce,
            table: KeyTable::new(seed),
            placement: Vec::new(),
            keys: KeyBuffer::default(),
            groups: Vec::new(),
            groups_max: GROUPS_MAX,
            key_bytes: 0,
            key_bytes_max: KEY_BYTES_MAX,
            left: Scattered::new(&schema),
            counts_nothing,
            partitions,
            policy,
            rows_so_far: 0,
        }
    }

    /// Adds rows at once, or, if failing calls are made again or searched for rows, so that each call stands alone.
    fn add_by_policy(&mut self, batch: &mut Batch, rows: &Rows<'_>) -> Result<(), Cause> {
        match self.policy.take() {
            Some(mut policy) if policy.is_asked() => {
                let added = policy.run(rows.len, &mut Adding { combine: self, batch, rows });
                self.policy = Some(policy);
                self.rows_so_far += rows.len as u64;
                added
            }
            policy => {
                self.policy = policy;
                self.add(batch, rows)
            }
        }
    }

    /// No groups, and nothing accumulated.
    fn begin_anew(&mut self) {
        self.reduce.forget();
        self.forget_groups();
    }

    fn add(&mut self, batch: &Batch, rows: &Rows<'_>) -> Result<(), Cause> {
        self.groups.clear();
        let keys = key_column(rows, &self.by, &mut self.keys)?;
        self.table.group(keys, &mut self.groups);
        self.key_bytes += keys.values.len();
        let count = self.table.touched().len();
        self.reduce.add(batch, Phase::Combine, rows, &self.groups, count)?;
        let is_full = self.reduce.is_full() || count > self.groups_max || self.has_many_key_bytes();
        if is_full { self.flush(batch) } else { Ok(()) }
    }

    /// Whether the keys that have groups have many bytes. The table's own size would not do: it has the keys of earlier
    /// batches too, and when accumulators are handed on must depend on this batch alone.
    fn has_many_key_bytes(&mut self) -> bool {
        if self.key_bytes <= self.key_bytes_max {
            return false;
        }
        // A key was counted with each of its rows. With half of the bytes left it is not soon counted again.
        self.key_bytes = self.table.touched().iter().map(|&id| self.table.key(id).len()).sum();
        self.key_bytes > self.key_bytes_max / 2
    }

    /// Hands the accumulators to the partitions of their keys.
    fn flush(&mut self, batch: &Batch) -> Result<(), Cause> {
        let count = self.table.touched().len();
        if count == 0 {
            return Ok(());
        }
        for id in self.placement.len()..self.table.len() {
            self.placement.push(Slot::of(self.table.key(id as u32)).partition(self.partitions));
        }
        let of_groups: Vec<u32> = self.table.touched().iter().map(|&id| self.placement[id as usize]).collect();
        let placed = Placed::of(&of_groups, self.partitions);
        let (table, left) = (&self.table, &mut self.left);
        let key_bytes = self.key_bytes;
        self.reduce.take(batch, Phase::Combine, count, &mut |accumulators| {
            let bytes = key_bytes + accumulators.bytes() + size_of::<i32>() * count;
            for (partition, groups) in placed.runs() {
                // Whoever merges takes them partition by partition, whenever they were handed on.
                left.place(partition).add(Arrival::of_partition(batch.partition), bytes, |rows| {
                    for &group in groups {
                        rows.node_mut(0).push_bytes(table.key(table.touched()[group as usize]))?;
                    }
                    take_behind_key(rows, accumulators, groups)
                })?;
            }
            Ok(())
        })?;
        self.forget_groups();
        Ok(())
    }

    /// No key has a group any more; if there are too many keys, they are forgotten too.
    fn forget_groups(&mut self) {
        if begin_groups(&mut self.table) {
            self.placement = Vec::new();
        }
        self.key_bytes = 0;
    }
}

/// Rows that are added, each part for itself: what a call accumulates is handed on before the next one is made.
struct Adding<'a> {
    combine: &'a mut Combine,
    batch: &'a mut Batch,
    rows: &'a Rows<'a>,
}

impl Calls for Adding<'_> {
    fn attempt(&mut self, _policy: &mut Policy, range: Range<usize>) -> Attempt {
        let mut part = RowsBuffer::new(self.rows.schema);
        part.extend_range(self.rows, range)?;
        let combine = &mut *self.combine;
        let added = combine.add(self.batch, &part.with_columns(&part.columns()));
        match added.and_then(|()| combine.flush(self.batch)) {
            Err(cause) if cause.is_of_rows() => {
                combine.begin_anew();
                Ok(Err(cause))
            }
            done => done.map(Ok),
        }
    }

    fn guest(&mut self) -> Option<&mut GuestSlot> {
        self.combine.reduce.guest()
    }

    fn set_aside(&mut self, policy: &mut Policy, at: usize, reason: &str) -> Result<(), Cause> {
        policy.set_aside(self.batch, &Letter::of_row(self.rows, at, self.combine.rows_so_far, reason))
    }
}

/// Appends the accumulators at `groups` behind keys that were pushed already.
fn take_behind_key(rows: &mut RowsBuffer, accumulators: &Rows<'_>, groups: &[u32]) -> Result<(), Cause> {
    for field in 0..accumulators.schema.len() {
        rows.take_field(field + 1, accumulators.field(field), groups)?;
    }
    rows.end_rows(groups.len());
    Ok(())
}

impl Operator for Combine {
    fn begin(&mut self, _batch: &Batch) {
        self.reduce.begin();
        self.forget_groups();
        self.rows_so_far = 0;
        self.policy.iter_mut().for_each(Policy::begin);
        self.left.clear();
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        let mut first = 0;
        while first < rows.len {
            let Capacity { groups, bytes } = self.reduce.at_once().unwrap_or(UNBOUNDED);
            let range = next(rows, first, groups.min(CHUNK_ROWS), bytes.min(CHUNK_BYTES));
            first = range.end;
            if range.len() == rows.len {
                return self.add_by_policy(batch, rows);
            }
            let mut chunk = RowsBuffer::new(rows.schema);
            chunk.extend_range(rows, range)?;
            self.add_by_policy(batch, &chunk.with_columns(&chunk.columns()))?;
        }
        Ok(())
    }

    fn finish(&mut self, batch: &mut Batch, _out: &mut dyn Out) -> Result<(), Cause> {
        let counts_nothing =
            self.counts_nothing.as_ref().is_some_and(|batches| batches.is_present(batch.time, &batch.absent));
        if counts_nothing && batch.partition == 0 && self.table.touched().is_empty() {
            self.groups.clear();
            self.table.group(Column { offsets: &[0, 0], ..Column::default() }, &mut self.groups);
        }
        self.flush(batch)
    }

    fn leave(&mut self, all: bool) -> Vec<(u32, Piece)> {
        self.left.take(all)
    }

    fn work_at_end(&self, _time: Timestamp) -> usize {
        self.table.touched().len()
    }

    fn held_bytes(&self) -> usize {
        let of_letters = self.policy.as_ref().map_or(0, Policy::held_bytes);
        self.left.bytes() + self.key_bytes + self.reduce.bytes() + of_letters
    }

    fn letters(&mut self) -> Option<&mut Letters> {
        self.policy.as_mut()?.letters()
    }
}

/// No key of a table has a group any more. Whether there were so many keys that they were forgotten too.
pub(super) fn begin_groups(table: &mut KeyTable) -> bool {
    let are_many = table.len() > KEPT_KEYS_MAX || table.memory_bytes() > KEPT_BYTES_MAX;
    if are_many {
        table.clear();
    }
    table.begin_batch();
    are_many
}

/// The canonical bytes of the key fields of every row: the column itself where it is that.
pub(crate) fn key_column<'a>(rows: &Rows<'a>, by: &[usize], keys: &'a mut KeyBuffer) -> Result<Column<'a>, ColumnFull> {
    if let [only] = by
        && key::is_plain_type(&rows.schema.fields()[*only].ty)
    {
        return Ok(rows.field(*only)[0]);
    }
    keys.clear();
    rows.encode_keys(by, keys)?;
    Ok(keys.column())
}
