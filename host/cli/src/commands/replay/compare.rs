//! What a batch led to then and now, as rows that can be compared and shown.

use std::collections::BTreeMap;

use super::row::Row;
use tidemill_engine::{
    checkpoint::TableRows,
    replay::{BatchRows, Difference, OutputRows, Replayed, difference},
};

/// Both sides.
pub struct Compared<'a> {
    /// There is something to compare with. If not, both sides are what comes out now.
    pub is_committed: bool,
    pub outputs: Vec<OutputCompared<'a>>,
    pub states: Vec<StatesCompared<'a>>,
    /// Counters that are not the same: name, then, now.
    pub counters: Vec<(String, u64, u64)>,
}

/// An output's rows, in order.
pub struct OutputCompared<'a> {
    pub name: String,
    /// `None`: it had no batch.
    pub then: Option<Vec<Row<'a>>>,
    pub now: Option<Vec<Row<'a>>>,
    pub difference: Difference<Row<'a>>,
}

/// The keys of a stream that changed, in their order.
pub struct StatesCompared<'a> {
    pub stream: String,
    pub keys: Vec<KeyCompared<'a>>,
}

/// A key, and what became of it; `None`: nothing, it was not changed.
pub struct KeyCompared<'a> {
    pub key: Row<'a>,
    /// Of a row of a pane its number.
    pub pane: Option<i64>,
    pub then: Option<Change<'a>>,
    pub now: Option<Change<'a>>,
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// Its state; `None`: it has none any more.
    pub state: Option<Row<'a>>,
    /// When its function is to be called without new rows.
    pub wake_at: Option<String>,
}

impl<'a> Compared<'a> {
    pub fn of(replayed: &'a Replayed) -> Compared<'a> {
        let now = &replayed.now;
        let then = replayed.then.as_ref().unwrap_or(now);
        Compared {
            is_committed: replayed.then.is_some(),
            outputs: outputs(then, now),
            states: states(then, now),
            counters: counters(then, now),
        }
    }

    /// Whether the batch comes out as it was committed.
    pub fn is_same(&self) -> bool {
        let mut keys = self.states.iter().flat_map(|stream| &stream.keys);
        self.outputs.iter().all(OutputCompared::is_same) && keys.all(KeyCompared::is_same) && self.counters.is_empty()
    }
}

impl OutputCompared<'_> {
    pub fn is_same(&self) -> bool {
        self.difference.is_none() && self.then.is_some() == self.now.is_some()
    }
}

impl KeyCompared<'_> {
    pub fn is_same(&self) -> bool {
        self.then == self.now
    }
}

fn outputs<'a>(then: &'a BatchRows, now: &'a BatchRows) -> Vec<OutputCompared<'a>> {
    let compared = both(&then.outputs, &now.outputs).map(|(name, then, now)| {
        let (then, now) = (then.map(rows), now.map(rows));
        let difference = difference(then.as_deref().unwrap_or_default(), now.as_deref().unwrap_or_default());
        OutputCompared { name: name.clone(), then, now, difference }
    });
    compared.collect()
}

fn rows(rows: &OutputRows) -> Vec<Row<'_>> {
    let batches = rows.partitions.values().flatten();
    batches.flat_map(|(schema, batch)| (0..batch.num_rows()).map(|row| Row::new(schema, batch, row))).collect()
}

fn states<'a>(then: &'a BatchRows, now: &'a BatchRows) -> Vec<StatesCompared<'a>> {
    let compared = both(&then.states, &now.states).map(|(table, then, now)| {
        let (then, now) = (changes(then), changes(now));
        let keys = both(&then, &now).filter_map(|(_, then, now)| {
            let (key, pane, _) = then.or(now)?;
            let change = |known: Option<&(Row<'a>, Option<i64>, Change<'a>)>| known.map(|(.., change)| change.clone());
            Some(KeyCompared { key: *key, pane: *pane, then: change(then), now: change(now) })
        });
        StatesCompared { stream: table.to_string(), keys: keys.collect() }
    });
    compared.collect()
}

/// By the keys' canonical bytes, which sort as keys do, the key and what became of it. Rows of panes are told apart by the
/// pane's number and their place.
fn changes(blocks: Option<&Vec<TableRows>>) -> BTreeMap<Vec<u8>, (Row<'_>, Option<i64>, Change<'_>)> {
    let rows = blocks.into_iter().flatten().flat_map(|block| (0..block.len()).map(move |row| (block, row)));
    let changes = rows.enumerate().map(|(place, (block, row))| {
        let change = Change {
            state: (!block.is_deleted(row)).then(|| Row::new(&block.state_schema, &block.states, row)),
            wake_at: block.wake_at(row).map(|at| at.utc().to_string()),
        };
        let key = Row::new(&block.key_schema, &block.keys, row);
        let id = match block.pane(row) {
            None => block.key_bytes(row).to_vec(),
            Some(pane) => [pane.to_be_bytes(), (place as u64).to_be_bytes()].concat(),
        };
        (id, (key, block.pane(row), change))
    });
    changes.collect()
}

fn counters(then: &BatchRows, now: &BatchRows) -> Vec<(String, u64, u64)> {
    let [then, now] = [then, now].map(|rows| rows.counters.iter().cloned().collect::<BTreeMap<_, _>>());
    let counters = both(&then, &now).map(|(name, then, now)| {
        let count = |count: Option<&u64>| count.copied().unwrap_or(0);
        (name.clone(), count(then), count(now))
    });
    counters.filter(|(_, then, now)| then != now).collect()
}

/// What is on either side, by name.
fn both<'a, K: Ord, V>(
    then: &'a BTreeMap<K, V>,
    now: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, Option<&'a V>, Option<&'a V>)> {
    let mut names: Vec<&K> = then.keys().chain(now.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| (name, then.get(name), now.get(name)))
}
