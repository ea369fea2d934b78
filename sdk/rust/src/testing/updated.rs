//! Keyed states over batches.

use std::{collections::HashMap, fmt, hash::Hash, marker::PhantomData, ops::Range, rc::Rc};

use crate::{
    bindings::{exports::tidemill::plugin::operators::Changes, tidemill::plugin::data::Batch},
    function::{News, Rows, UpdateFunction},
    value::{Columns, Read, Timestamp, Write},
};

use super::{
    Failed, Kit, Noted,
    batch::{batch_of, check_columns, from_bytes, rows_of, to_bytes},
};

/// An update-state function and the states of its keys.
///
/// ```
/// use tidemill_sdk::{prelude::*, testing};
///
/// #[update_state]
/// fn total(new: Values<i64>, total: Option<i64>) -> Option<i64> {
///     Some(total.unwrap_or(0) + new.iter().sum::<i64>())
/// }
///
/// let mut totals = testing::keyed::<total, _>();
/// totals.batch([("a", 1), ("b", 2), ("a", 3)])?;
/// totals.batch([("a", 10)])?;
/// assert_eq!(totals.states(), [("a", 14), ("b", 2)]);
/// # Ok::<(), tidemill_sdk::testing::Failed>(())
/// ```
pub struct Keyed<F, K> {
    kit: Kit,
    /// In the order in which they came; a deleted key keeps its place.
    keys: Vec<K>,
    places: HashMap<K, usize>,
    kept: Vec<Kept>,
    function: PhantomData<F>,
}

/// What is known of a key.
#[derive(Clone, Default)]
struct Kept {
    /// A row of a batch of states.
    state: Option<(Rc<Batch>, usize)>,
    wake_at: Option<i64>,
}

/// A key that is called, the rows that came for it, and why it is called.
struct Called<T> {
    place: usize,
    rows: Vec<T>,
    cause: u8,
}

/// What a batch changed.
pub struct Updated<F, K> {
    keys: Vec<K>,
    emitted: Batch,
    emitted_groups: Vec<usize>,
    rejected: Vec<String>,
    noted: Noted,
    function: PhantomData<F>,
}

const NEWS: u8 = 1;
const WOKEN: u8 = 2;
const IDLE: u8 = 4;

impl<F: UpdateFunction, K: Clone + Eq + Hash + Write> Keyed<F, K> {
    pub(super) fn new(kit: &Kit) -> Keyed<F, K> {
        let (keys, places, kept) = (Vec::new(), HashMap::new(), Vec::new());
        Keyed { kit: kit.clone(), keys, places, kept, function: PhantomData }
    }

    pub(super) fn migrated<S: Write>(
        kit: &Kit,
        from_version: u32,
        states: impl IntoIterator<Item = (K, S)>,
    ) -> Result<Keyed<F, K>, Failed> {
        let mut keyed = Keyed::new(kit);
        let (keys, old): (Vec<K>, Vec<S>) = states.into_iter().unzip();
        let mut operator = kit.open::<F>(K::fields("key"))?;
        let new = operator.migrate_states(from_version, &S::fields("value"), &batch_of(&old))?;
        let new = Rc::new(new);
        for (row, key) in keys.iter().enumerate() {
            let place = keyed.place(key);
            keyed.kept[place].state = Some((new.clone(), row));
        }
        Ok(keyed)
    }

    /// The time of the batches from here on.
    pub fn at(&mut self, time: Timestamp) -> &mut Keyed<F, K> {
        self.kit = self.kit.clone().batch_time(time);
        self
    }

    /// Another kit from here on: `states.with(|kit| kit.shared("scores", [("a", 2)]))`.
    pub fn with(&mut self, change: impl FnOnce(Kit) -> Kit) -> &mut Keyed<F, K> {
        self.kit = change(self.kit.clone());
        self
    }

    /// Calls the function for the keys of these rows, and for those whose time to wake has come.
    pub fn batch<'a>(&mut self, rows: impl IntoIterator<Item = (K, F::New<'a>)>) -> Result<Updated<F, K>, Failed> {
        let mut called: Vec<Called<F::New<'a>>> = Vec::new();
        let mut numbers = HashMap::new();
        for (key, row) in rows {
            let place = self.place(&key);
            let number = *numbers.entry(place).or_insert(called.len());
            if number == called.len() {
                called.push(Called { place, rows: Vec::new(), cause: NEWS });
            }
            called[number].rows.push(row);
        }
        let now = self.kit.batch_time.0;
        for place in 0..self.kept.len() {
            if self.kept[place].wake_at.is_some_and(|time| time <= now) {
                match numbers.get(&place) {
                    Some(&number) => called[number].cause |= WOKEN,
                    None => called.push(Called { place, rows: Vec::new(), cause: WOKEN }),
                }
            }
        }
        self.call(&called)
    }

    /// Calls the function for keys that have been idle for too long; the host deletes them afterwards, and so does this.
    pub fn idle(&mut self, keys: impl IntoIterator<Item = K>) -> Result<Updated<F, K>, Failed> {
        let called: Vec<Called<F::New<'_>>> =
            keys.into_iter().map(|key| Called { place: self.place(&key), rows: Vec::new(), cause: IDLE }).collect();
        let updated = self.call(&called)?;
        called.iter().for_each(|called| self.kept[called.place] = Kept::default());
        Ok(updated)
    }

    /// The keys that have a state, and the states.
    #[track_caller]
    pub fn states(&self) -> Vec<(K, F::State<'_>)> {
        let keys = self.keys.iter().zip(&self.kept);
        keys.filter_map(|(key, kept)| Some((key.clone(), read_state::<F>(kept)?))).collect()
    }

    /// The state of a key.
    #[track_caller]
    pub fn state(&self, key: &K) -> Option<F::State<'_>> {
        read_state::<F>(&self.kept[*self.places.get(key)?])
    }

    fn place(&mut self, key: &K) -> usize {
        *self.places.entry(key.clone()).or_insert_with(|| {
            self.keys.push(key.clone());
            self.kept.push(Kept::default());
            self.keys.len() - 1
        })
    }

    fn call(&mut self, called: &[Called<F::New<'_>>]) -> Result<Updated<F, K>, Failed> {
        Noted::take();
        let keys: Vec<K> = called.iter().map(|called| self.keys[called.place].clone()).collect();
        let mut operator = self.kit.open::<F>(K::fields("key"))?;
        let changes = operator.update_states(self.kit.call(0, 1), self.news(&keys, called))?;
        self.apply(called, &changes);
        let signature = F::signature();
        check_columns(&changes.states, &signature.state)?;
        check_columns(&changes.emitted, &signature.output)?;
        let emitted_groups = match &changes.emitted_groups {
            Some(groups) => from_bytes(groups),
            None => (0..keys.len()).collect(),
        };
        let rejected = changes.rejected.into_iter().map(|rejection| rejection.reason).collect();
        let emitted = changes.emitted;
        Ok(Updated { keys, emitted, emitted_groups, rejected, noted: Noted::take(), function: PhantomData })
    }

    fn news(&self, keys: &[K], called: &[Called<F::New<'_>>]) -> News {
        let mut states = Rows::<F::StateWriter>::default();
        for called in called {
            match read_state::<F>(&self.kept[called.place]) {
                Some(state) => states.push(&state),
                None => states.push_blank(),
            }
        }
        let ends = called.iter().scan(0, |end, called| {
            *end += called.rows.len();
            Some(*end)
        });
        News {
            keys: batch_of(keys),
            rows: batch_of(called.iter().flat_map(|called| &called.rows)),
            ends: to_bytes(ends),
            states: states.finish(),
            present: called.iter().map(|called| u8::from(self.kept[called.place].state.is_some())).collect(),
            causes: called.iter().map(|called| called.cause).collect(),
        }
    }

    /// Does what the host does with an answer.
    fn apply(&mut self, called: &[Called<F::New<'_>>], changes: &Changes) {
        let states = Rc::new(changes.states.clone());
        let wake_at: Option<&[[u8; 8]]> = changes.wake_at.as_ref().map(|times| times.as_chunks().0);
        let mut start = 0;
        for (group, called) in called.iter().enumerate() {
            let kept = &mut self.kept[called.place];
            let rows = start..start + called.rows.len() as u32;
            start = rows.end;
            let action = changes.actions.get(group).copied().unwrap_or_default();
            match action {
                1 => kept.state = Some((states.clone(), group)),
                2 => kept.state = None,
                _ => {}
            }
            let time = wake_at.and_then(|times| times.get(group)).map(|time| i64::from_le_bytes(*time));
            let time = time.filter(|time| *time != i64::MIN);
            let has_come = called.cause & WOKEN != 0 && !all_rejected(rows, changes);
            if time.is_some() || action != 0 || has_come {
                kept.wake_at = time;
            }
            if kept.state.is_none() {
                kept.wake_at = None;
            }
        }
    }
}

/// Whether there are rows, and the function took none of them.
fn all_rejected(mut rows: Range<u32>, changes: &Changes) -> bool {
    !rows.is_empty() && rows.all(|row| changes.rejected.iter().any(|rejection| rejection.row == row))
}

#[track_caller]
fn read_state<F: UpdateFunction>(kept: &Kept) -> Option<F::State<'_>> {
    let (batch, row) = kept.state.as_ref()?;
    let reader = F::State::open_row(&mut Columns::of(batch), batch.rows as usize);
    Some(F::State::read(&super::passed(reader.map_err(Failed::from)), *row))
}

impl<F: UpdateFunction, K: Clone> Updated<F, K> {
    /// The emitted rows, and the key of each.
    #[track_caller]
    pub fn emitted(&self) -> Vec<(K, F::Emitted<'_>)> {
        let rows: Vec<F::Emitted<'_>> = super::passed(rows_of(&self.emitted).map_err(Failed::from));
        self.emitted_groups.iter().map(|group| self.keys[*group].clone()).zip(rows).collect()
    }

    /// Why rows were rejected, a reason for each.
    pub fn rejected(&self) -> &[String] {
        &self.rejected
    }

    /// What the function logged and counted.
    pub fn noted(&self) -> &Noted {
        &self.noted
    }
}

impl<F, K: fmt::Debug> fmt::Debug for Keyed<F, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl<F, K: fmt::Debug> fmt::Debug for Updated<F, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updated").field("keys", &self.keys).field("rejected", &self.rejected).finish_non_exhaustive()
    }
}
