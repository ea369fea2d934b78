//! What the accumulators of a key come to, over all panes that have it.
//!
//! Each key has a small **trie** over the times of its panes. A leaf is the accumulator of a pane; a node above is an aligned
//! range of times, of which both halves have leaves, and has the accumulators of both merged, the older one first. A pane that
//! comes or goes makes the ranges above it stale, and no others: they are merged anew, a few for each of its keys. What a trie
//! looks like hangs on the times of the key's panes alone. So does the order in which its accumulators are merged, whatever came,
//! went, was undone or restored before.
//!
//! Nothing of it is stored: all of it can be made of the panes.

#[cfg(test)]
mod tests;
mod trie;

use std::collections::BTreeMap;

use tidemill_model::{
    columns::{Column, Rows, RowsBuffer},
    schema::Schema,
    time::Interval,
};

use crate::{
    keyed::{Action, column::StateColumn},
    keys::KeyTable,
    numbered::Pane,
    table::StateError,
};
use trie::{NONE, Tries};

/// Keys that are gone are dropped for good when there are this many, and as many as live ones. Few in tests, so that they meet
/// it.
const DEAD_MIN: usize = if cfg!(test) { 1 << 2 } else { 1 << 10 };

/// The keys of some panes, and what their accumulators come to.
#[derive(Debug)]
pub struct History {
    schema: Schema,
    seed: u64,
    every: i64,
    /// It has panes of numbers up to this one.
    pub(crate) until: i64,
    keys: KeyTable,
    /// For each key its trie.
    roots: Vec<u32>,
    live: usize,
    tries: Tries,
    /// Accumulators by node.
    columns: Vec<StateColumn>,
    /// The keys in order: by the first pane that each is in, and by its row there.
    firsts: BTreeMap<(u64, u32), u32>,
    /// Keys with something to merge.
    stale: Vec<u32>,
    is_stale: Vec<bool>,
}

/// An accumulator that is to be made of two others, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The one that is made.
    pub node: u32,
    /// What it is made of, the older one first.
    pub halves: [u32; 2],
    /// The key's number.
    pub key: u32,
}

impl History {
    /// No keys. `schema` is that of accumulators, of which there is one at every so many numbers of panes at most; `seed` is for
    /// the hash of keys.
    pub fn new(schema: &Schema, every: Interval, seed: u64) -> History {
        History {
            schema: schema.clone(),
            seed,
            every: every.micros(),
            until: i64::MIN,
            keys: KeyTable::new(seed),
            roots: Vec::new(),
            live: 0,
            tries: Tries::default(),
            columns: schema.fields().iter().map(|field| StateColumn::new(&field.ty)).collect(),
            firsts: BTreeMap::new(),
            stale: Vec::new(),
            is_stale: Vec::new(),
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Bytes of memory, roughly.
    pub fn memory_bytes(&self) -> usize {
        self.keys.memory_bytes()
            + self.tries.memory_bytes()
            + (self.roots.capacity() + self.stale.capacity()) * 4
            + self.is_stale.capacity()
            + self.firsts.len() * 32
            + self.columns.iter().map(StateColumn::memory_bytes).sum::<usize>()
    }

    /// The keys, each by its number: in the order of their first panes, and in each in that of its rows.
    pub fn keys(&self) -> impl Iterator<Item = u32> + '_ {
        self.firsts.values().copied()
    }

    /// The canonical bytes of a key.
    pub fn key(&self, key: u32) -> &[u8] {
        self.keys.key(key)
    }

    /// The accumulator of a key over all panes, by its number; `None`: something is to be merged first.
    pub fn merged(&self, key: u32) -> Option<u32> {
        let root = self.roots[key as usize];
        self.is_merged(root).then_some(root)
    }

    fn is_merged(&self, node: u32) -> bool {
        self.schema.is_empty() || self.tries.merged()[node as usize]
    }

    /// Whether both halves are there.
    pub fn is_ready(&self, merge: &Merge) -> bool {
        merge.halves.iter().all(|&half| self.is_merged(half))
    }

    /// At least the bytes of an accumulator as columns, bitmaps aside.
    pub fn accumulator_bytes(&self, node: u32) -> usize {
        self.columns.iter().map(|column| column.bytes_as_columns(node)).sum()
    }

    /// Appends accumulators to `rows`, which is of their schema.
    ///
    /// # Errors
    /// They do not fit into columns; `rows` then serves for nothing but [`RowsBuffer::clear`].
    pub fn read(&self, nodes: &[u32], rows: &mut RowsBuffer) -> Result<(), StateError> {
        let firsts = self.schema.first_nodes();
        let of_rows = rows.nodes_mut();
        let merged = self.tries.merged();
        self.columns.iter().zip(firsts).try_for_each(|(column, at)| column.read(nodes, merged, &mut of_rows[at..]))?;
        rows.end_rows(nodes.len());
        Ok(())
    }

    /// What is to be merged, in rounds: a round needs those before it. What is not [put](History::put) is asked for again.
    pub fn stale(&mut self) -> Vec<Vec<Merge>> {
        let (stale, merged): (Vec<u32>, Vec<u32>) = std::mem::take(&mut self.stale).into_iter().partition(|&key| {
            let root = self.roots[key as usize];
            root != NONE && !self.is_merged(root)
        });
        merged.into_iter().for_each(|key| self.is_stale[key as usize] = false);
        self.stale = stale;
        // In an order that hangs on the panes that are there, and not on when each key got or lost one.
        let (tries, roots) = (&self.tries, &self.roots);
        self.stale.sort_unstable_by_key(|&key| tries.first(roots[key as usize]));
        let mut rounds = Vec::new();
        for &key in &self.stale {
            self.add_stale(key, self.roots[key as usize], &mut rounds);
        }
        rounds
    }

    /// Adds what is to be merged from a node on; gives the number of the first round in which it is there. What is above a stale
    /// node is stale, and there are no more than 64 nodes one above the other.
    fn add_stale(&self, key: u32, node: u32, rounds: &mut Vec<Vec<Merge>>) -> usize {
        let Some(halves) = self.tries.halves(node).filter(|_| !self.is_merged(node)) else { return 0 };
        let round = halves.map(|half| self.add_stale(key, half, rounds)).into_iter().max().unwrap_or(0);
        if rounds.len() <= round {
            rounds.resize_with(round + 1, Vec::new);
        }
        rounds[round].push(Merge { node, halves, key });
        round + 1
    }

    /// Takes what some merges have given: a row for each.
    pub fn put(&mut self, merges: &[Merge], accumulators: &Rows<'_>) {
        let nodes: Vec<u32> = merges.iter().map(|merge| merge.node).collect();
        self.write(&nodes, &vec![Action::Put; nodes.len()], accumulators.columns);
        nodes.iter().for_each(|&node| self.tries.set_merged(node));
    }

    fn write(&mut self, nodes: &[u32], actions: &[Action], columns: &[Column<'_>]) {
        for (column, first) in self.columns.iter_mut().zip(self.schema.first_nodes()) {
            column.write(nodes, actions, &columns[first..]);
        }
    }

    /// Adds a pane.
    pub(crate) fn insert(&mut self, number: i64, pane: &Pane) {
        let (keys, accumulators) = pane.columns();
        let (at, ids) = (self.at(number), self.ids(keys));
        let (mut leaves, mut actions) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
        for (&key, row) in ids.iter().zip(0u32..) {
            // A key stands in a pane once; a second row would be passed over.
            let leaf = self.edit(key, |tries, root| tries.insert(root, at, row));
            leaves.push(leaf.unwrap_or_default());
            actions.push(if leaf.is_some() { Action::Put } else { Action::Keep });
        }
        let len = self.tries.len();
        self.columns.iter_mut().for_each(|column| column.resize(len));
        self.write(&leaves, &actions, &accumulators);
        self.until = self.until.max(number);
    }

    /// Takes a pane away that was added.
    pub(crate) fn remove(&mut self, number: i64, pane: &Pane) {
        let (at, ids) = (self.at(number), self.ids(pane.columns().0));
        let gone: Vec<u32> =
            ids.into_iter().flat_map(|key| self.edit(key, |tries, root| tries.remove(root, at))).collect();
        let blank = RowsBuffer::new(&self.schema);
        self.write(&gone, &vec![Action::Delete; gone.len()], &blank.columns());
        if self.keys.len() - self.live > self.live.max(DEAD_MIN) {
            self.drop_dead();
        }
    }

    /// Changes the trie of a key, by what `change` makes of its root.
    fn edit<T>(&mut self, key: u32, change: impl FnOnce(&mut Tries, u32) -> (u32, T)) -> T {
        let first = |tries: &Tries, root: u32| (root != NONE).then(|| tries.first(root));
        let old = self.roots[key as usize];
        let before = first(&self.tries, old);
        let (new, changed) = change(&mut self.tries, old);
        let after = first(&self.tries, new);
        if before != after {
            if let Some(first) = before {
                self.firsts.remove(&first);
            }
            self.firsts.extend(after.map(|first| (first, key)));
        }
        self.roots[key as usize] = new;
        self.live = self.live + usize::from(new != NONE) - usize::from(old != NONE);
        if new == NONE {
            self.keys.remove(key);
        } else if !self.is_merged(new) && !std::mem::replace(&mut self.is_stale[key as usize], true) {
            self.stale.push(key);
        }
        changed
    }

    /// The keys anew, without those that are gone.
    fn drop_dead(&mut self) {
        let live: Vec<u32> =
            (0u32..).zip(&self.roots).filter_map(|(key, &root)| (root != NONE).then_some(key)).collect();
        let mut keys = KeyTable::new(self.seed);
        let mut numbers = vec![NONE; self.roots.len()];
        for (&key, number) in live.iter().zip(0u32..) {
            keys.insert_one(self.keys.key(key));
            numbers[key as usize] = number;
        }
        self.keys = keys;
        self.roots = live.iter().map(|&key| self.roots[key as usize]).collect();
        self.firsts.values_mut().for_each(|key| *key = numbers[*key as usize]);
        self.stale = self.stale.iter().map(|&key| numbers[key as usize]).filter(|&key| key != NONE).collect();
        self.is_stale = vec![false; live.len()];
        self.stale.iter().for_each(|&key| self.is_stale[key as usize] = true);
    }

    /// The numbers of these keys.
    fn ids(&mut self, keys: Column<'_>) -> Vec<u32> {
        let mut ids = Vec::new();
        self.keys.insert(keys, &mut ids);
        self.roots.resize(self.keys.len(), NONE);
        self.is_stale.resize(self.keys.len(), false);
        ids
    }

    /// The place of a pane among all that there could be.
    fn at(&self, number: i64) -> u64 {
        number.div_euclid(self.every).cast_unsigned() ^ (1 << 63)
    }
}
