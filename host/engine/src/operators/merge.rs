//! The second half of a reduce: accumulators of a key from all partitions to one row.

mod fold;

use std::ops::Range;

use tidemill_model::{
    columns::{Column, Rows, RowsBuffer},
    function::Phase,
    key,
    schema::Schema,
    time::Timestamp,
};
use tidemill_state::keys::KeyTable;

pub(super) use fold::merge_quietly;

use super::{
    Batch, GuestSlot, Letters, Making, Operator, Out, Policy,
    arrange::{Arranged, Numbers, Runs},
    chunks::{for_guest_beside, push_in_chunks},
    combine::{KEPT_BYTES_MAX, begin_groups, exchange_schema},
    for_guest,
    key_bytes::KeyBytes,
    letters::Letter,
    policy::{Attempt, Calls},
};
use crate::{
    failure::{Cause, RunError},
    reduce::{Accumulate, Capacity, Consume, reduce_of, reducer_of},
};

/// One row for each key of one partition.
///
/// The host's own accumulators are merged as they come. A guest has room for so many only: its accumulators are kept
/// until the batch ends, and if they are more than that, they are merged group by group, as many groups at a time as it
/// can take.
pub(crate) struct Merge {
    shape: Shape,
    state: Schema,
    reduce: Box<dyn Accumulate>,
    table: KeyTable,
    /// The group of each row that came last, or of each that is kept.
    groups: Vec<u32>,
    kept: RowsBuffer,
    key_bytes: KeyBytes,
    policy: Option<Policy>,
}

/// What rows come out.
struct Shape {
    /// The stream's.
    schema: Schema,
    key_schema: Schema,
    /// That of rows as they come in.
    exchange: Schema,
    gives: Gives,
}

/// What is given for each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    /// Its row of the stream.
    Rows,
    /// Its canonical bytes and its accumulator, as rows come to a merge.
    Accumulators,
}

/// The operator of the second half of a reduce.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let (keys, reducer) = (reduce_of(making.node).by.len(), reducer_of(&making)?);
    Ok(Box::new(Merge::new(&making.node.schema, keys, reducer, making.policy, making.seed)))
}

/// What it takes: what the first half leaves.
pub(super) fn takes(making: &Making<'_>) -> Result<Schema, RunError> {
    Ok(exchange_schema(reducer_of(making)?.state()))
}

impl Merge {
    /// `schema` is the stream's; its first `keys` fields are the key.
    pub(crate) fn new(
        schema: &Schema,
        keys: usize,
        reduce: Box<dyn Accumulate>,
        policy: Option<Policy>,
        seed: u64,
    ) -> Merge {
        Merge {
            shape: Shape {
                schema: schema.clone(),
                key_schema: schema.project(&(0..keys).collect::<Vec<_>>()),
                exchange: exchange_schema(reduce.state()),
                gives: Gives::Rows,
            },
            state: reduce.state().clone(),
            kept: RowsBuffer::new(reduce.state()),
            reduce,
            table: KeyTable::new(seed),
            groups: Vec::new(),
            key_bytes: KeyBytes::default(),
            policy,
        }
    }

    /// Bytes of the keys, and of the accumulators, or of those that are kept and their groups.
    fn held_of_keys(&self) -> usize {
        let of_accumulators = match self.reduce.capacity() {
            Some(_) => self.kept.bytes() + self.groups.len() * size_of::<u32>(),
            None => self.reduce.bytes(),
        };
        self.key_bytes.bytes() + of_accumulators
    }

    /// Merges what was kept, and pushes what it comes to.
    fn merge_kept(&mut self, capacity: Capacity, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let kept = std::mem::replace(&mut self.kept, RowsBuffer::new(&self.state));
        let groups = std::mem::take(&mut self.groups);
        let (columns, count) = (kept.columns(), self.table.touched().len());
        let rows = kept.with_columns(&columns);
        if let Some(mut policy) = self.policy.take_if(|policy| policy.is_asked()) {
            let merged = self.merge_by_policy(&mut policy, Runs::new(rows, &groups, count), capacity, batch, out);
            self.policy = Some(policy);
            return merged;
        }
        if count <= capacity.groups && kept.bytes() <= capacity.bytes {
            self.reduce.add(batch, Phase::Merge, &rows, &groups, count)?;
            return self.push_merged(0..count, batch, out);
        }
        let mut runs = Runs::new(rows, &groups, count);
        let mut first = 0;
        while first < count {
            let slice = runs.groups_within(usize::MAX, capacity.bytes).min(capacity.groups);
            let arranged = runs.next(slice)?;
            let arranged = arranged.arranged();
            self.reduce.add(batch, Phase::Merge, &arranged.rows, &arranged.groups(), slice)?;
            self.push_merged(first..first + slice, batch, out)?;
            first += slice;
        }
        Ok(())
    }

    /// Merges groups so that those that fail can be set aside. Their rows are pushed when all calls for them are made.
    fn merge_by_policy(
        &mut self,
        policy: &mut Policy,
        mut runs: Runs<'_>,
        capacity: Capacity,
        batch: &mut Batch,
        out: &mut dyn Out,
    ) -> Result<(), Cause> {
        let (mut first, count) = (0, self.table.touched().len());
        while first < count {
            let slice = runs.groups_within(usize::MAX, capacity.bytes).min(capacity.groups);
            let arranged = runs.next(slice)?;
            let runs = arranged.arranged();
            policy.run(slice, &mut Merging { merge: self, batch, out, runs, first })?;
            first += slice;
        }
        Ok(())
    }

    /// Merges all accumulators of some groups, which begin with `first`; gives the output rows.
    fn merged(&mut self, first: usize, runs: &Arranged<'_>, batch: &Batch) -> Result<RowsBuffer, Cause> {
        let mut accumulators = RowsBuffer::new(&self.state);
        self.reduce.add(batch, Phase::Merge, &runs.rows, &runs.groups(), runs.ends.len())?;
        self.reduce.take(batch, Phase::Merge, runs.ends.len(), &mut |rows| Ok(accumulators.extend(rows)?))?;
        let mut finished = RowsBuffer::new(self.shape.given());
        let ids = &self.table.touched()[first..first + runs.ends.len()];
        let (shape, table, reduce) = (&self.shape, &self.table, &mut *self.reduce);
        for_guest(&accumulators.with_columns(&accumulators.columns()), &mut |chunk, of_chunk| {
            let keys = ids[of_chunk].iter().map(|&id| table.key(id));
            shape.rows(keys, chunk, batch, reduce, &mut |rows| Ok(finished.extend(rows)?))
        })?;
        Ok(finished)
    }

    /// Pushes what the host has merged itself. Groups of which no row can be made are set aside, if the policy says so.
    fn push_own(&mut self, count: usize, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let Some(mut policy) = self.policy.take_if(|policy| policy.is_asked()) else {
            return self.push_merged(0..count, batch, out);
        };
        let mut accumulators = RowsBuffer::new(&self.state);
        self.reduce.take(batch, Phase::Merge, count, &mut |rows| Ok(accumulators.extend(rows)?))?;
        let (columns, ends) = (accumulators.columns(), (1..=count as u32).collect::<Vec<_>>());
        let runs = Arranged { rows: accumulators.with_columns(&columns), ends: &ends, numbers: Numbers::From(0) };
        let pushed = policy.run(count, &mut Merging { merge: self, batch, out, runs, first: 0 });
        self.policy = Some(policy);
        pushed
    }

    /// Takes the accumulators of the groups in `range`, all that the reducer has, and pushes their rows.
    fn push_merged(&mut self, range: Range<usize>, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let mut accumulators = RowsBuffer::new(&self.state);
        self.reduce.take(batch, Phase::Merge, range.len(), &mut |rows| Ok(accumulators.extend(rows)?))?;
        let ids = &self.table.touched()[range];
        let key_bytes = |of: Range<usize>| ids[of].iter().map(|&id| self.table.key(id).len()).sum();
        let (shape, table, reduce) = (&self.shape, &self.table, &mut *self.reduce);
        for_guest_beside(&accumulators.with_columns(&accumulators.columns()), &key_bytes, &mut |chunk, of_chunk| {
            let keys = ids[of_chunk].iter().map(|&id| table.key(id));
            let for_rows = batch.clone();
            shape.rows(keys, chunk, &for_rows, reduce, &mut |rows| out.push(batch, rows))
        })
    }

    /// Merges what came since the last time, and gives what is wanted of each key.
    pub(super) fn end(&mut self, gives: Gives, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        self.shape.gives = gives;
        match (self.reduce.capacity(), self.table.touched().len()) {
            (_, 0) => {}
            (Some(capacity), _) => self.merge_kept(capacity, batch, out)?,
            (None, count) => self.push_own(count, batch, out)?,
        }
        self.table.begin_batch();
        self.key_bytes = KeyBytes::default();
        Ok(())
    }
}

impl Shape {
    /// The schema of the rows that are given.
    fn given(&self) -> &Schema {
        match self.gives {
            Gives::Rows => &self.schema,
            Gives::Accumulators => &self.exchange,
        }
    }

    /// Gives the rows of these keys to `consume`, of which there are these accumulators.
    fn rows<'a>(
        &self,
        keys: impl Iterator<Item = &'a [u8]>,
        accumulators: &Rows<'_>,
        batch: &Batch,
        reduce: &mut dyn Accumulate,
        consume: &mut Consume<'_>,
    ) -> Result<(), Cause> {
        if self.gives == Gives::Accumulators {
            let mut bytes = RowsBuffer::new(&self.exchange.project(&[0]));
            keys.into_iter().try_for_each(|key| bytes.node_mut(0).push_bytes(key))?;
            let columns: Vec<Column<'_>> = bytes.columns().iter().chain(accumulators.columns).copied().collect();
            return consume(&Rows { schema: &self.exchange, len: accumulators.len, columns: &columns });
        }
        let mut decoded = RowsBuffer::new(&self.key_schema);
        key::decode(keys, &mut decoded)?;
        let keys = decoded.columns();
        reduce.finish(batch, accumulators, &mut |rows| {
            let columns: Vec<Column<'_>> = keys.iter().chain(rows.columns).copied().collect();
            consume(&Rows { schema: &self.schema, len: rows.len, columns: &columns })
        })
    }
}

/// Groups that are merged, each part for itself.
struct Merging<'a, 'o> {
    merge: &'a mut Merge,
    batch: &'a mut Batch,
    out: &'a mut (dyn Out + 'o),
    runs: Arranged<'a>,
    /// The first of these groups among all.
    first: usize,
}

impl Calls for Merging<'_, '_> {
    fn attempt(&mut self, _policy: &mut Policy, range: Range<usize>) -> Attempt {
        let mut part = RowsBuffer::new(self.runs.rows.schema);
        part.extend_range(&self.runs.rows, self.runs.rows_of(range.clone()))?;
        let columns = part.columns();
        let ends = self.runs.ends_of(range.clone());
        let runs = Arranged { rows: part.with_columns(&columns), ends: &ends, numbers: Numbers::From(0) };
        match self.merge.merged(self.first + range.start, &runs, self.batch) {
            Ok(rows) => push_in_chunks(self.batch, &rows.with_columns(&rows.columns()), self.out).map(Ok),
            Err(cause) if cause.is_of_rows() => {
                self.merge.reduce.forget();
                Ok(Err(cause))
            }
            Err(cause) => Err(cause),
        }
    }

    fn guest(&mut self) -> Option<&mut GuestSlot> {
        self.merge.reduce.guest()
    }

    fn set_aside(&mut self, policy: &mut Policy, at: usize, reason: &str) -> Result<(), Cause> {
        let mut key = RowsBuffer::new(&self.merge.shape.key_schema);
        let id = self.merge.table.touched()[self.first + at];
        key::decode(std::iter::once(self.merge.table.key(id)), &mut key)?;
        let columns = key.columns();
        let key = key.with_columns(&columns);
        policy.set_aside(self.batch, &Letter { row: None, reason, key: Some((&key, 0)), values: None })
    }
}

impl Operator for Merge {
    fn begin(&mut self, _batch: &Batch) {
        self.policy.iter_mut().for_each(Policy::begin);
        self.reduce.begin();
        self.groups.clear();
        self.kept.clear_within(KEPT_BYTES_MAX);
        self.key_bytes = KeyBytes::default();
        begin_groups(&mut self.table);
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        let accumulators = Rows { schema: &self.state, len: rows.len, columns: &rows.columns[1..] };
        if self.reduce.capacity().is_some() {
            self.table.group(rows.columns[0], &mut self.groups);
            self.kept.extend(&accumulators)?;
        } else {
            self.groups.clear();
            self.table.group(rows.columns[0], &mut self.groups);
            self.reduce.add(batch, Phase::Merge, &accumulators, &self.groups, self.table.touched().len())?;
        }
        self.key_bytes.count(&self.table);
        batch.hold(self.held_of_keys())
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        self.end(Gives::Rows, batch, out)
    }

    fn work_at_end(&self, _time: Timestamp) -> usize {
        self.table.touched().len()
    }

    fn held_bytes(&self) -> usize {
        let of_letters = self.policy.as_ref().map_or(0, Policy::held_bytes);
        self.held_of_keys() + of_letters
    }

    fn letters(&mut self) -> Option<&mut Letters> {
        self.policy.as_mut()?.letters()
    }
}
