//! Keys to dense numbers: the hash table under grouping, shuffles and state.
//!
//! A key gets an id when it is first met and keeps it: ids are dense and in order of first appearance. In each batch it
//! also gets a group number, dense and in order of first appearance in that batch. A table is kept over batches,
//! because the same keys come again.
//!
//! The layout follows measurements of a word count: keys of up to 16 bytes lie inside the 32-byte slot as two integers,
//! longer ones are compared by hash first; rows are hashed and their slots prefetched 32 at a time before any is
//! probed. Open addressing, linear probing, at most 3/4 full. The hash is keyed with the seed given to
//! [`KeyTable::new`], because keys are hostile; it is not the durable hash of [`Slot`](tidemill_model::key::Slot).
//!
//! It grows without a pause: a larger table takes over the keys of the one before little by little (`keys/growth.rs`).
//!
//! The table has no bound of its own: whoever puts keys in looks at [`KeyTable::memory_bytes`].

mod growth;
mod hash;
mod prefetch;
#[cfg(test)]
mod tests;

use tidemill_model::columns::Column;

use growth::Old;
use hash::{Hasher, INLINE_BYTES, Inline};
use prefetch::prefetch;

/// Rows that are hashed before the first of them is probed.
const AHEAD: usize = 32;

/// Slots of a new table. Few, because a pipeline of many partitions has many tables; and fewer in tests, so that they meet growth
/// and crowded tables.
const SLOTS_MIN: usize = if cfg!(test) { 1 << 3 } else { 1 << 6 };

/// Keys, their ids, and their groups of the current batch.
#[derive(Debug)]
pub struct KeyTable {
    hasher: Hasher,
    slots: Vec<TableSlot>,
    /// Number of slots - 1; the number is a power of two.
    mask: usize,
    /// The keys of the table before that have not moved yet.
    old: Old,
    /// How many keys there are, in both.
    used: usize,
    /// Key i is bytes[ends[i - 1] .. ends[i]].
    ends: Vec<u64>,
    bytes: Vec<u8>,
    batch: u32,
    /// For each group of this batch its key's id.
    touched: Vec<u32>,
}

/// Half a cache line; all zeros where it is free.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(32))]
struct TableSlot {
    low: u64,
    high: u64,
    /// The key's length in bytes + 1; 0: the slot is free.
    len_plus_one: u32,
    id: u32,
    /// The group in batch `batch`.
    group: u32,
    batch: u32,
}

const _: () = assert!(size_of::<TableSlot>() == 32);

/// Stands for the length of a key that has moved; no key is so long.
const MOVED: u32 = u32::MAX;

impl TableSlot {
    fn is_free(&self) -> bool {
        self.len_plus_one == 0
    }

    /// Its key is in the next table.
    fn has_moved(&self) -> bool {
        self.len_plus_one == MOVED
    }

    fn hash(&self, hasher: &Hasher) -> u64 {
        hasher.hash(Inline { low: self.low, high: self.high }, self.len_plus_one - 1)
    }
}

impl KeyTable {
    /// An empty table. Tables of different seeds place keys differently, and answer the same.
    pub fn new(seed: u64) -> KeyTable {
        KeyTable {
            hasher: Hasher::new(seed),
            slots: vec![TableSlot::default(); SLOTS_MIN],
            mask: SLOTS_MIN - 1,
            old: Old::default(),
            used: 0,
            ends: Vec::new(),
            bytes: Vec::new(),
            batch: 1,
            touched: Vec::new(),
        }
    }

    /// How many ids were given: the keys, and those that were removed.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of memory, roughly.
    pub fn memory_bytes(&self) -> usize {
        (self.slots.capacity() + self.old.slots.capacity()) * size_of::<TableSlot>()
            + self.ends.capacity() * 8
            + self.bytes.capacity()
            + self.touched.capacity() * 4
    }

    /// The key with an id below [`KeyTable::len`].
    pub fn key(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start as usize..self.ends[id] as usize]
    }

    /// For each group of this batch its key's id.
    pub fn touched(&self) -> &[u32] {
        &self.touched
    }

    /// Starts a batch: no key has a group.
    pub fn begin_batch(&mut self) {
        self.touched.clear();
        self.move_old(growth::SLOTS_OF_BATCH);
        match self.batch.checked_add(1) {
            Some(batch) => self.batch = batch,
            None => {
                self.slots.iter_mut().chain(&mut self.old.slots).for_each(|slot| slot.batch = 0);
                self.batch = 1;
            }
        }
    }

    /// The batch has ended: nothing counts as touched until the next one begins.
    pub fn end_batch(&mut self) {
        self.touched.clear();
    }

    /// Forgets all keys, and their ids.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.slots.resize(SLOTS_MIN, TableSlot::default());
        self.slots.shrink_to_fit();
        self.mask = SLOTS_MIN - 1;
        self.old = Old::default();
        self.used = 0;
        self.ends = Vec::new();
        self.bytes = Vec::new();
        self.touched.clear();
    }

    /// Makes room for so many keys more, so that the table need not grow while they come.
    pub fn reserve(&mut self, keys: usize) {
        let slots = (self.used.saturating_add(keys)).saturating_mul(4).div_ceil(3).next_power_of_two();
        if slots > self.slots.len() {
            self.grow(slots);
        }
        self.ends.reserve(keys);
    }

    /// Appends each key's group of this batch to `groups`; keys that are new get an id, keys that are new in this batch
    /// a group.
    pub fn group(&mut self, keys: Column<'_>, groups: &mut Vec<u32>) {
        self.for_each_slot(keys, groups, |table, at| {
            let slot = &mut table.slots[at];
            if slot.batch != table.batch {
                slot.batch = table.batch;
                slot.group = table.touched.len() as u32;
                table.touched.push(slot.id);
            }
            slot.group
        });
    }

    /// Appends each key's id to `ids`; keys that are new get one.
    pub fn insert(&mut self, keys: Column<'_>, ids: &mut Vec<u32>) {
        self.for_each_slot(keys, ids, |table, at| table.slots[at].id);
    }

    /// Gives one key an id, if it has none.
    pub fn insert_one(&mut self, key: &[u8]) {
        let inline = self.hasher.inline(key, 0, key.len());
        let hash = self.hasher.hash(inline, key.len() as u32);
        self.slot_of(inline, hash, key, 0, key.len());
    }

    /// Forgets the key of an id below [`KeyTable::len`], if it is not forgotten yet. The id is not given again, and
    /// [`KeyTable::key`] still answers for it.
    pub fn remove(&mut self, id: u32) {
        let hash = self.hash_of(id);
        match find(&self.slots, hash, id) {
            Some(at) => self.free(at),
            None => self.used -= usize::from(self.old.remove(hash, id)),
        }
    }

    fn hash_of(&self, id: u32) -> u64 {
        let key = self.key(id);
        self.hasher.hash(self.hasher.inline(key, 0, key.len()), key.len() as u32)
    }

    /// Brings near where the key of an id is, which is to be [renumbered](KeyTable::renumber) soon.
    pub fn prefetch(&self, id: u32) {
        let hash = self.hash_of(id) as usize;
        prefetch(&self.slots, hash & self.mask);
        prefetch(&self.old.slots, hash & self.old.slots.len().wrapping_sub(1));
    }

    /// Gives the key of an id a lower one, behind which no other is in use up to its own. Both are below [`KeyTable::len`].
    pub fn renumber(&mut self, from: u32, to: u32) {
        let hash = self.hash_of(from);
        let slot = match find(&self.slots, hash, from) {
            Some(at) => Some(&mut self.slots[at]),
            None => self.old.find(hash, from),
        };
        slot.into_iter().for_each(|slot| slot.id = to);
        // Where the next key begins that has not moved is said by the end of the one before, which stays what it was: it is not
        // before `to`, and written when that key has moved.
        let (from, to) = (from as usize, to as usize);
        let begin = |id: usize| id.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let (start, end, at) = (begin(from), self.ends[from] as usize, begin(to));
        self.bytes.copy_within(start..end, at);
        self.ends[to] = (at + end - start) as u64;
    }

    /// Forgets all ids from this one on, which no key has any more, and lets memory go that is far more than is needed.
    pub fn truncate(&mut self, ids: usize) {
        self.ends.truncate(ids);
        self.bytes.truncate(self.ends.last().map_or(0, |&end| end as usize));
        if self.ends.capacity() > 4 * ids {
            self.ends.shrink_to(2 * ids);
            self.bytes.shrink_to(2 * self.bytes.len());
        }
        let slots = (self.used * 2).next_power_of_two().max(SLOTS_MIN);
        if slots * 4 <= self.slots.len() {
            self.grow(slots);
        }
    }

    /// Frees a slot, and moves those behind it that a search would not find any more.
    fn free(&mut self, at: usize) {
        let (mut free, mut next) = (at, at);
        loop {
            next = (next + 1) & self.mask;
            let slot = self.slots[next];
            if slot.is_free() {
                break;
            }
            let home = slot.hash(&self.hasher) as usize & self.mask;
            // The slot may move if its home is not between the free place and where it is.
            if (next.wrapping_sub(home) & self.mask) >= (next.wrapping_sub(free) & self.mask) {
                self.slots[free] = slot;
                free = next;
            }
        }
        self.slots[free] = TableSlot::default();
        self.used -= 1;
    }

    /// Finds or makes the slot of every key, and appends what `visit` makes of it, in order.
    #[inline(always)]
    fn for_each_slot(
        &mut self,
        keys: Column<'_>,
        numbers: &mut Vec<u32>,
        mut visit: impl FnMut(&mut KeyTable, usize) -> u32,
    ) {
        let mut hashed = [(Inline::default(), 0u64); AHEAD];
        let mut found = [0; AHEAD];
        let rows = keys.offsets.len().saturating_sub(1);
        for first in (0..rows).step_by(AHEAD) {
            let ends = &keys.offsets[first..=rows.min(first + AHEAD)];
            let (hasher, mask, slots) = (self.hasher, self.mask, &self.slots[..]);
            for (row, ahead) in ends.windows(2).zip(&mut hashed) {
                let (start, end) = span(row);
                let key = hasher.inline(keys.values, start, end);
                let hash = hasher.hash(key, (end - start) as u32);
                prefetch(slots, hash as usize & mask);
                *ahead = (key, hash);
            }
            for ((row, &(key, hash)), number) in ends.windows(2).zip(&hashed).zip(&mut found) {
                let (start, end) = span(row);
                let at = self.slot_of(key, hash, keys.values, start, end);
                *number = visit(self, at);
            }
            numbers.extend_from_slice(&found[..ends.len() - 1]);
        }
    }

    /// Finds or makes the slot of the key `values[start..end]`.
    #[inline(always)]
    fn slot_of(&mut self, key: Inline, hash: u64, values: &[u8], start: usize, end: usize) -> usize {
        let len = end - start;
        let mut at = hash as usize & self.mask;
        loop {
            let slot = &self.slots[at];
            if slot.low == key.low && slot.high == key.high && slot.len_plus_one == len as u32 + 1 {
                if len <= INLINE_BYTES || self.is_key(slot.id, &values[start..end]) {
                    return at;
                }
            } else if slot.is_free() {
                return self.insert_at(key, hash, &values[start..end], at);
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Whether the key of an id, which has the same length, is this one.
    #[inline(never)]
    fn is_key(&self, id: u32, key: &[u8]) -> bool {
        let end = self.ends[id as usize] as usize;
        &self.bytes[end - key.len()..end] == key
    }

    #[cold]
    #[inline(never)]
    fn insert_at(&mut self, key: Inline, hash: u64, bytes: &[u8], at: usize) -> usize {
        let mut at = at;
        if self.old.is_there() {
            if let Some(slot) = self.take_old(key, hash, bytes) {
                self.slots[at] = slot;
                return at;
            }
            self.move_old(growth::SLOTS_OF_KEY);
            at = self.free_slot(hash);
        }
        if self.used * 4 >= self.slots.len() * 3 {
            self.grow(self.slots.len() * 2);
            at = self.free_slot(hash);
        }
        let id = u32::try_from(self.ends.len()).expect("four thousand million keys do not fit in memory");
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len() as u64);
        self.used += 1;
        let len_plus_one = bytes.len() as u32 + 1;
        self.slots[at] = TableSlot { low: key.low, high: key.high, len_plus_one, id, group: 0, batch: 0 };
        at
    }

    fn free_slot(&self, hash: u64) -> usize {
        let mut at = hash as usize & self.mask;
        while !self.slots[at].is_free() {
            at = (at + 1) & self.mask;
        }
        at
    }
}

/// Where the key of an id is, which has this hash.
fn find(slots: &[TableSlot], hash: u64, id: u32) -> Option<usize> {
    let mask = slots.len() - 1;
    let mut at = hash as usize & mask;
    while !slots[at].is_free() {
        if slots[at].id == id && !slots[at].has_moved() {
            return Some(at);
        }
        at = (at + 1) & mask;
    }
    None
}

/// Where a row's key begins and ends. Offsets are not negative; read without a sign they need one check less.
#[inline(always)]
fn span(row: &[i32]) -> (usize, usize) {
    (row[0].cast_unsigned() as usize, row[1].cast_unsigned() as usize)
}
