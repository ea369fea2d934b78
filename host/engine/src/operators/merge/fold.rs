//! Accumulators of a window: those of keys with batches that came or went are merged anew, two at a time, and the rows of all keys
//! are given.

use std::{collections::HashSet, ops::Range};

use tidemill_model::{columns::RowsBuffer, function::Phase, key, time::Timestamp};
use tidemill_state::history::{self, History};

use super::Merge;
use crate::{
    failure::Cause,
    operators::{
        Batch, GuestSlot, Out, Policy,
        chunks::{CHUNK_BYTES, CHUNK_ROWS, push_in_chunks},
        letters::Letter,
        policy::{Attempt, Calls},
    },
    reduce::{Accumulate, Capacity},
};

/// What is merged at once.
const SLICE: Capacity = Capacity { groups: CHUNK_ROWS, bytes: CHUNK_BYTES };

impl Merge {
    /// Merges all that is stale. Keys of which that fails are set aside, if the policy says so.
    pub(in crate::operators) fn fold(&mut self, history: &mut History, batch: &mut Batch) -> Result<(), Cause> {
        let mut aside = HashSet::new();
        for mut round in history.stale() {
            round.retain(|merge| history.is_ready(merge) && !aside.contains(&merge.key));
            for merges in slices(&round, self.slice(), |merge| bytes_of(history, merge)) {
                let Some(mut policy) = self.policy.take_if(|policy| policy.is_asked()) else {
                    put_merged(&mut *self.reduce, history, merges, batch)?;
                    continue;
                };
                let mut folding = Folding { merge: self, history, merges, batch, aside: &mut aside };
                let done = policy.run(merges.len(), &mut folding);
                self.policy = Some(policy);
                done?;
            }
        }
        Ok(())
    }

    /// The same where nothing is given: what fails stays stale, and is tried again where the next window ends.
    pub(in crate::operators) fn fold_quietly(&mut self, history: &mut History, batch: &Batch) -> Result<(), Cause> {
        merge_quietly(&mut *self.reduce, history, batch)
    }

    /// Gives the rows of all keys of which all is merged.
    pub(in crate::operators) fn give(
        &mut self,
        history: &History,
        batch: &mut Batch,
        out: &mut dyn Out,
    ) -> Result<(), Cause> {
        self.shape.gives = super::Gives::Rows;
        let keys = history.keys().filter_map(|key| Some(Given { key, node: history.merged(key)? }));
        let keys: Vec<Given> = keys.collect();
        let bytes_of = |given: &Given| history.accumulator_bytes(given.node) + history.key(given.key).len();
        for keys in slices(&keys, SLICE, bytes_of) {
            let mut giving = Giving { merge: self, history, keys, batch, out };
            let Some(mut policy) = giving.merge.policy.take_if(|policy| policy.is_asked()) else {
                giving.give()?;
                continue;
            };
            let done = policy.run(keys.len(), &mut giving);
            self.policy = Some(policy);
            done?;
        }
        Ok(())
    }

    /// What can be merged at once.
    fn slice(&self) -> Capacity {
        slice_of(&*self.reduce)
    }

    /// Sets a key of the window aside.
    fn set_key_aside(&self, policy: &mut Policy, key: &[u8], reason: &str, batch: &mut Batch) -> Result<(), Cause> {
        let mut decoded = RowsBuffer::new(&self.shape.key_schema);
        key::decode(std::iter::once(key), &mut decoded)?;
        let columns = decoded.columns();
        let key = decoded.with_columns(&columns);
        policy.set_aside(batch, &Letter { row: None, reason, key: Some((&key, 0)), values: None })
    }
}

/// Merges all that is stale; what fails stays so.
pub(in crate::operators) fn merge_quietly(
    reduce: &mut dyn Accumulate,
    history: &mut History,
    batch: &Batch,
) -> Result<(), Cause> {
    for mut round in history.stale() {
        round.retain(|merge| history.is_ready(merge));
        for merges in slices(&round, slice_of(reduce), |merge| bytes_of(history, merge)) {
            let merged = put_merged(reduce, history, merges, batch);
            if let Some(guest) = reduce.guest() {
                guest.end_attempt(merged.is_ok())?;
            }
            match merged {
                Err(cause) if cause.is_of_rows() => reduce.forget(),
                merged => merged?,
            }
        }
    }
    Ok(())
}

/// One call: two accumulators of each group to one.
fn put_merged(
    reduce: &mut dyn Accumulate,
    history: &mut History,
    merges: &[history::Merge],
    batch: &Batch,
) -> Result<(), Cause> {
    // What is merged stays, whenever and wherever that is done: nobody is told of a batch or a partition.
    let batch = &Batch { time: Timestamp(0), partition: 0, partitions: 1, ..batch.clone() };
    let mut halves = RowsBuffer::new(reduce.state());
    // Row by row of its group, the older one first: whoever merges gets them as they came.
    let nodes: Vec<u32> = merges.iter().flat_map(|merge| merge.halves).collect();
    history.read(&nodes, &mut halves)?;
    let groups: Vec<u32> = (0..merges.len() as u32).flat_map(|group| [group; 2]).collect();
    reduce.add(batch, Phase::Merge, &halves.with_columns(&halves.columns()), &groups, merges.len())?;
    reduce.take(batch, Phase::Merge, merges.len(), &mut |rows| {
        history.put(merges, rows);
        Ok(())
    })
}

fn slice_of(reduce: &dyn Accumulate) -> Capacity {
    let Capacity { groups, bytes } = reduce.capacity().unwrap_or(SLICE);
    Capacity { groups: groups.min(SLICE.groups), bytes: bytes.min(SLICE.bytes) }
}

fn bytes_of(history: &History, merge: &history::Merge) -> usize {
    merge.halves.iter().map(|&half| history.accumulator_bytes(half)).sum()
}

/// Parts of `all`, each of as many as there is room for, and of one at least.
fn slices<T>(all: &[T], room: Capacity, bytes_of: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let (mut slices, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, one) in all.iter().enumerate() {
        let more = bytes_of(one);
        if at > start && (at - start >= room.groups || bytes + more > room.bytes) {
            slices.push(&all[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += more;
    }
    slices.extend((start < all.len()).then(|| &all[start..]));
    slices
}

/// Accumulators of keys that are merged, each part for itself.
struct Folding<'a> {
    merge: &'a mut Merge,
    history: &'a mut History,
    merges: &'a [history::Merge],
    batch: &'a mut Batch,
    /// The keys that were set aside.
    aside: &'a mut HashSet<u32>,
}

impl Calls for Folding<'_> {
    fn attempt(&mut self, _policy: &mut Policy, range: Range<usize>) -> Attempt {
        match put_merged(&mut *self.merge.reduce, self.history, &self.merges[range], self.batch) {
            Err(cause) if cause.is_of_rows() => {
                self.merge.reduce.forget();
                Ok(Err(cause))
            }
            merged => merged.map(Ok),
        }
    }

    fn guest(&mut self) -> Option<&mut GuestSlot> {
        self.merge.reduce.guest()
    }

    fn set_aside(&mut self, policy: &mut Policy, at: usize, reason: &str) -> Result<(), Cause> {
        let key = self.merges[at].key;
        // Two nodes of a key that have nothing to do with one another may fail in a round.
        if !self.aside.insert(key) {
            return Ok(());
        }
        self.merge.set_key_aside(policy, self.history.key(key), reason, self.batch)
    }
}

/// A key, and its accumulator.
struct Given {
    key: u32,
    node: u32,
}

/// Rows of keys that are given, each part for itself.
struct Giving<'a, 'o> {
    merge: &'a mut Merge,
    history: &'a History,
    keys: &'a [Given],
    batch: &'a mut Batch,
    out: &'a mut (dyn Out + 'o),
}

impl Giving<'_, '_> {
    /// The accumulators of some keys.
    fn accumulators(&self, range: Range<usize>) -> Result<RowsBuffer, Cause> {
        let nodes: Vec<u32> = self.keys[range].iter().map(|given| given.node).collect();
        let mut accumulators = RowsBuffer::new(&self.merge.state);
        self.history.read(&nodes, &mut accumulators)?;
        Ok(accumulators)
    }

    /// All of them, where nothing is done about those that fail.
    fn give(&mut self) -> Result<(), Cause> {
        let accumulators = self.accumulators(0..self.keys.len())?;
        let (columns, for_rows) = (accumulators.columns(), self.batch.clone());
        let keys = self.keys.iter().map(|given| self.history.key(given.key));
        let Merge { shape, reduce, .. } = &mut *self.merge;
        let (batch, out) = (&mut *self.batch, &mut *self.out);
        let accumulators = accumulators.with_columns(&columns);
        shape.rows(keys, &accumulators, &for_rows, &mut **reduce, &mut |rows| out.push(batch, rows))
    }
}

impl Calls for Giving<'_, '_> {
    fn attempt(&mut self, _policy: &mut Policy, range: Range<usize>) -> Attempt {
        let accumulators = self.accumulators(range.clone())?;
        let mut finished = RowsBuffer::new(self.merge.shape.given());
        let keys = self.keys[range].iter().map(|given| self.history.key(given.key));
        let Merge { shape, reduce, .. } = &mut *self.merge;
        let columns = accumulators.columns();
        let accumulators = accumulators.with_columns(&columns);
        match shape.rows(keys, &accumulators, self.batch, &mut **reduce, &mut |rows| Ok(finished.extend(rows)?)) {
            Err(cause) if cause.is_of_rows() => {
                reduce.forget();
                return Ok(Err(cause));
            }
            given => given?,
        }
        push_in_chunks(self.batch, &finished.with_columns(&finished.columns()), self.out).map(Ok)
    }

    fn guest(&mut self) -> Option<&mut GuestSlot> {
        self.merge.reduce.guest()
    }

    fn set_aside(&mut self, policy: &mut Policy, at: usize, reason: &str) -> Result<(), Cause> {
        self.merge.set_key_aside(policy, self.history.key(self.keys[at].key), reason, self.batch)
    }
}
