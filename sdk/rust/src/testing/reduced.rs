//! What a reduce comes to.

use std::{collections::HashMap, hash::Hash, marker::PhantomData};

use crate::{
    bindings::{exports::tidemill::plugin::operators::Phase, tidemill::plugin::data::Batch},
    function::{Operator, ReduceFunction},
    log,
    value::{Read, Write, WriteRow},
};

use super::{
    Failed, Kit,
    batch::{batch_of, check_columns, rows_of, to_bytes},
    orders,
};

/// One row a key.
#[derive(Debug)]
pub struct Reduced<F, K> {
    kit: Kit,
    /// In the order in which they came.
    pub(super) keys: Vec<K>,
    /// One accumulator a key.
    pub(super) states: Batch,
    /// One finished row a key.
    pub(super) rows: Batch,
    function: PhantomData<F>,
}

/// The rows of one partition.
pub(super) struct Part<'r, T> {
    rows: Vec<&'r T>,
    /// The number of each row's key among all keys.
    keys: Vec<usize>,
}

/// Keys by their group numbers.
struct Groups<K> {
    numbers: HashMap<K, usize>,
    keys: Vec<K>,
}

impl<F: ReduceFunction, K: Clone + Eq + Hash> Reduced<F, K> {
    /// Accumulators that an older version wrote, each of a key of its own.
    pub(super) fn migrated<S: Write>(
        kit: &Kit,
        from_version: u32,
        states: impl IntoIterator<Item = (K, S)>,
    ) -> Result<Reduced<F, K>, Failed> {
        let (keys, old): (Vec<K>, Vec<S>) = states.into_iter().unzip();
        let mut operator = kit.open::<F>(Vec::new())?;
        let new = operator.migrate_states(from_version, &S::fields("value"), &batch_of(&old))?;
        Reduced::finished(kit, keys, new)
    }

    pub(super) fn run<'a>(
        kit: &Kit,
        rows: impl IntoIterator<Item = (K, F::Input<'a>)>,
    ) -> Result<Reduced<F, K>, Failed> {
        let (keys, rows): (Vec<K>, Vec<F::Input<'a>>) = rows.into_iter().unzip();
        let mut groups = Groups::default();
        let numbers: Vec<usize> = keys.iter().map(|key| groups.number(key)).collect();
        let mut halves = [Part::default(), Part::default()];
        for (place, (row, key)) in rows.iter().zip(&numbers).enumerate() {
            halves[usize::from(place >= rows.len() / 2)].push(row, *key);
        }
        let (_, states) = reduce_parts::<F>(kit, &halves)?;
        let reduced = Reduced::finished(kit, groups.keys, states)?;
        log::aside(|| orders::check(kit, &rows, &numbers, &reduced))?;
        Ok(reduced)
    }

    pub(super) fn finished(kit: &Kit, keys: Vec<K>, states: Batch) -> Result<Reduced<F, K>, Failed> {
        let rows = if F::signature().finishes {
            let groups = to_bytes(0..keys.len());
            let mut operator = kit.open::<F>(Vec::new())?;
            operator.reduce_groups(kit.call(0, 1), Phase::Finish, states.clone(), groups, keys.len() as u32)?
        } else {
            states.clone()
        };
        let signature = F::signature();
        check_columns(&states, &signature.state)?;
        check_columns(&rows, &signature.output)?;
        Ok(Reduced { kit: kit.clone(), keys, states, rows, function: PhantomData })
    }

    /// The keys in the order in which they came, and the row of each: of the type that the reduce finishes with.
    #[track_caller]
    pub fn rows<'a, T: Read<'a>>(&'a self) -> Vec<(K, T)> {
        let rows: Vec<T> = super::passed(rows_of(&self.rows).map_err(Failed::from));
        self.keys.iter().cloned().zip(rows).collect()
    }

    /// The same keys without the rows of `part`, of which each key is one of these.
    pub fn subtract(&self, part: &Reduced<F, K>) -> Result<Reduced<F, K>, Failed> {
        let mut groups = Groups::default();
        self.keys.iter().for_each(|key| {
            groups.number(key);
        });
        let numbers = (0..self.keys.len()).chain(part.keys.iter().map(|key| groups.number(key))).collect::<Vec<_>>();
        if groups.keys.len() > self.keys.len() {
            return Err(Failed { reason: "a key of the part is not among those that it is taken out of".to_owned() });
        }
        let both: Vec<F::State> = [&self.states, &part.states]
            .into_iter()
            .map(rows_of)
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect();
        let mut operator = self.kit.open::<F>(Vec::new())?;
        let (call, count) = (self.kit.call(0, 1), self.keys.len() as u32);
        let states = operator.reduce_groups(call, Phase::Subtract, batch_of(&both), to_bytes(numbers), count)?;
        Reduced::finished(&self.kit, self.keys.clone(), states)
    }
}

// === impl Part ===

impl<T> Default for Part<'_, T> {
    fn default() -> Self {
        Part { rows: Vec::new(), keys: Vec::new() }
    }
}

impl<'r, T> Part<'r, T> {
    pub(super) fn push(&mut self, row: &'r T, key: usize) {
        self.rows.push(row);
        self.keys.push(key);
    }
}

// === impl Groups ===

impl<K> Default for Groups<K> {
    fn default() -> Groups<K> {
        Groups { numbers: HashMap::new(), keys: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash> Groups<K> {
    fn number(&mut self, key: &K) -> usize {
        *self.numbers.entry(key.clone()).or_insert_with(|| {
            self.keys.push(key.clone());
            self.keys.len() - 1
        })
    }
}

/// Each part by itself, then merged in their order: the keys in the order in which they came, and the accumulator of each.
pub(super) fn reduce_parts<F: ReduceFunction>(
    kit: &Kit,
    parts: &[Part<'_, F::Input<'_>>],
) -> Result<(Vec<usize>, Batch), Failed> {
    let mut groups = Groups::default();
    let (mut accumulators, mut merge_groups) = (Vec::new(), Vec::new());
    for Part { rows, keys } in parts {
        let mut part = Groups::default();
        let numbers: Vec<usize> = keys.iter().map(|key| part.number(key)).collect();
        let mut operator = kit.open::<F>(Vec::new())?;
        accumulators.push(combine(kit, operator.as_mut(), rows, &numbers)?);
        merge_groups.push(part.keys.iter().map(|key| groups.number(key)).collect::<Vec<_>>());
    }
    let mut operator = kit.open::<F>(Vec::new())?;
    let states = merge(kit, operator.as_mut(), &accumulators, &merge_groups)?;
    Ok((groups.keys, states))
}

/// One partition's rows, chunk by chunk.
fn combine<T: WriteRow>(
    kit: &Kit,
    operator: &mut dyn Operator,
    rows: &[&T],
    numbers: &[usize],
) -> Result<Batch, Failed> {
    let chunks = kit.chunks(rows);
    let (mut result, mut first, mut count) = (None, 0, 0);
    for (place, chunk) in chunks.iter().enumerate() {
        let numbers = &numbers[first..first + chunk.len()];
        count = numbers.iter().map(|number| number + 1).max().unwrap_or(0).max(count);
        let (call, groups) = (kit.call(place, chunks.len()), to_bytes(numbers.iter().copied()));
        result = Some(operator.reduce_groups(
            call,
            Phase::Combine,
            batch_of(chunk.iter().copied()),
            groups,
            count as u32,
        )?);
        first += chunk.len();
    }
    result.ok_or_else(|| Failed { reason: "there was no chunk".to_owned() })
}

/// The partitions' accumulators, each partition's a chunk.
fn merge(
    kit: &Kit,
    operator: &mut dyn Operator,
    accumulators: &[Batch],
    groups: &[Vec<usize>],
) -> Result<Batch, Failed> {
    let (mut result, mut count) = (None, 0);
    for (place, (states, groups)) in accumulators.iter().zip(groups).enumerate() {
        count = groups.iter().map(|group| group + 1).max().unwrap_or(0).max(count);
        let (call, groups) = (kit.call(place, accumulators.len()), to_bytes(groups.iter().copied()));
        result = Some(operator.reduce_groups(call, Phase::Merge, states.clone(), groups, count as u32)?);
    }
    result.ok_or_else(|| Failed { reason: "there was no chunk".to_owned() })
}
