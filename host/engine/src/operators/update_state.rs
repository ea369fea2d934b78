//! Keyed state that new rows change: rows are gathered by key, the function is called with each key's new rows and old
//! state, and the table takes what it says.

mod call;
mod idle;
mod initial;
mod search;
mod write;

use std::{collections::HashSet, sync::Arc};

use tidemill_model::{
    columns::{Column, Rows, RowsBuffer},
    key::{self, KeyBuffer},
    schema::Schema,
    time::Timestamp,
};
use tidemill_plan::graph::{self, KeySet, Port};
use tidemill_state::{keyed::KeyedTable, table::Table};

use super::{
    Batch, GuestSlot, Letters, Making, Operator, Out, Policy, SharedRows, arrange,
    chunks::{CHUNK_BYTES, CHUNK_ROWS},
    combine::{KEPT_BYTES_MAX, key_column},
    policy::{Attempt, reject},
};
use crate::{
    failure::{Cause, RunError},
    pool::ROWS_ALONE_MAX,
    presence::Presence,
};
use call::{KeysOfCall, Prepared};
use idle::Idle;
use initial::Initial;
use search::Updating;
use write::{emit, set_aside, write};

/// Keys of one call.
const CALL_KEYS: usize = 1 << 14;

/// The input of first states.
const INITIAL: usize = 1;

/// Rows of the table that are called without new rows.
#[derive(Debug, Default)]
struct Come {
    /// Their wake-at has come.
    due: HashSet<u32>,
    /// They have been idle for too long.
    idle: HashSet<u32>,
}

impl Come {
    fn is_empty(&self) -> bool {
        self.due.is_empty() && self.idle.is_empty()
    }
}

/// An update-state operator for one partition.
pub(crate) struct UpdateState {
    stream: String,
    schema: Schema,
    key_schema: Schema,
    by: Vec<usize>,
    run: KeySet,
    emit: KeySet,
    presence: Presence,
    guest: GuestSlot,
    /// While a batch is open: the states, and when keys had new rows.
    tables: Vec<Table>,
    initial: Option<Initial>,
    idle: Idle,
    /// What states are, with their keys.
    states_schema: Schema,
    /// How many keys have new rows. They are the first that the batch has touched.
    keys_with_news: usize,
    keys: KeyBuffer,
    /// The new rows of this batch in order of arrival, and each one's group.
    news: RowsBuffer,
    groups: Vec<u32>,
    chunk: u32,
    /// Not there while it is at work.
    policy: Option<Policy>,
    /// A call for a key whose time had come took it as come.
    wake_is_used_up: bool,
}

/// The operator of a stream with keyed state.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let graph::Operator::UpdateState(update) = &making.node.operator else {
        unreachable!("an update-state is made of {:?}", making.node.operator)
    };
    let guest = making.guests.slot_of(making.node)?;
    Ok(Box::new(UpdateState::new(making, update, guest)))
}

impl UpdateState {
    fn new(making: Making<'_>, update: &graph::UpdateState, guest: GuestSlot) -> UpdateState {
        let node = making.node;
        let binding = &guest.function.binding;
        let initial = update.initial.as_ref().map(|states| {
            Initial::new(making.keys(), &making.inputs[1].schema, states, &guest.function.signature.state)
        });
        UpdateState {
            stream: node.name.clone(),
            schema: node.schema.clone(),
            key_schema: binding.keys.clone(),
            by: update.by.clone(),
            run: update.run,
            emit: update.emit,
            presence: making.presence.clone(),
            tables: Vec::new(),
            initial,
            idle: Idle::new(update.idle_timeout),
            states_schema: node.state.clone().unwrap_or_else(|| node.schema.clone()),
            keys_with_news: 0,
            keys: KeyBuffer::default(),
            news: RowsBuffer::new(&binding.input),
            groups: Vec::new(),
            chunk: 0,
            policy: making.policy,
            wake_is_used_up: false,
            guest,
        }
    }

    /// Bytes of the new rows, each with its group.
    fn held_of_rows(&self) -> usize {
        let of_initial = self.initial.as_ref().map_or(0, Initial::held_bytes);
        self.news.bytes() + self.groups.len() * size_of::<u32>() + of_initial
    }

    fn table(&self) -> &KeyedTable {
        self.tables[0].keyed()
    }

    /// The rows of the table that the function is called for: those with new rows, those whose time has come, and the others if
    /// it runs for all. Also how many of them are of the first two kinds: they count as changed.
    fn rows_to_run(&self, come: &Come) -> (Vec<u32>, usize) {
        let mut rows = self.table().touched()[..self.keys_with_news].to_vec();
        let mut called = HashSet::new();
        if self.run == KeySet::All || !come.is_empty() {
            called.extend(rows.iter().copied());
        }
        let mut woken: Vec<u32> = come.due.union(&come.idle).copied().filter(|row| !called.contains(row)).collect();
        woken.sort_unstable();
        rows.extend(&woken);
        let changed = rows.len();
        if self.run == KeySet::All {
            called.extend(woken);
            rows.extend(self.table().rows().filter(|row| !called.contains(row)));
        }
        (rows, changed)
    }

    fn call_by_policy(&mut self, keys: &KeysOfCall<'_>, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let Some(mut policy) = self.policy.take_if(|policy| policy.is_asked()) else {
            return self.call(keys, None, batch, out)?;
        };
        let called = policy.run(keys.rows.len(), &mut Updating { update: self, keys, batch, out });
        self.policy = Some(policy);
        called
    }

    /// Calls for the key of a single row of the table, with as many of its new rows at a time as go into a call.
    fn call_by_rows(
        &mut self,
        runs: &mut arrange::Runs<'_>,
        row: u32,
        come: &Come,
        batch: &mut Batch,
        out: &mut dyn Out,
    ) -> Result<(), Cause> {
        let none = Come::default();
        let (mut goes_on, mut come) = (false, come);
        self.wake_is_used_up = false;
        loop {
            let states = self.states_within(&[row])?;
            let (arranged, is_last) = runs.next_rows(CHUNK_ROWS, CHUNK_BYTES)?;
            let keys = KeysOfCall { rows: &[row], states: &states, arranged: arranged.arranged(), come, goes_on };
            self.call_by_policy(&keys, batch, out)?;
            if is_last {
                return Ok(());
            }
            goes_on = true;
            // A wake-at that has come is told of until a call has used it up.
            come = if self.wake_is_used_up { &none } else { come };
        }
    }

    /// One call, and what it says done. `policy` gets the rejected rows, if it wants them.
    fn call(
        &mut self,
        keys: &KeysOfCall<'_>,
        mut policy: Option<&mut Policy>,
        batch: &mut Batch,
        out: &mut dyn Out,
    ) -> Attempt {
        let context = batch.context(self.chunk, false);
        self.chunk += 1;
        let prepared = Prepared::of(keys, self.table(), &self.key_schema)?;
        let (key_columns, state_columns) = (prepared.keys.columns(), keys.states.columns());
        let call = prepared.call(keys, &key_columns, &state_columns);
        let (table, stream, schema) = (self.tables[0].keyed_mut(), &self.stream, &self.schema);
        let wake_is_used_up = &mut self.wake_is_used_up;
        let emits = !self.guest.function.signature.output.is_empty();
        let mut handed = None;
        let called = self.guest.call(|instance| {
            instance.update_states(&context, &call, &mut |changes| {
                let set_aside = |policy: &mut Policy, batch: &Batch, row: usize, reason: &str| {
                    set_aside(policy, batch, keys, &call, row, reason)
                };
                let mut done = reject(stream, &changes.rejected, policy.as_deref_mut(), batch, set_aside);
                done = done.and_then(|()| {
                    *wake_is_used_up |= write(table, keys, &changes)?;
                    Ok(())
                });
                if emits {
                    done = done.and_then(|()| emit(schema, &call.keys, &changes, batch, out));
                }
                handed = Some(done);
            })
        });
        self.guest.outcome(called, handed)
    }

    /// One call of which nothing is done but that it is seen whether it fails.
    fn probe(&mut self, keys: &KeysOfCall<'_>, batch: &Batch) -> Attempt {
        let context = batch.context(self.chunk, false);
        self.chunk += 1;
        let prepared = Prepared::of(keys, self.table(), &self.key_schema)?;
        let (key_columns, state_columns) = (prepared.keys.columns(), keys.states.columns());
        let call = prepared.call(keys, &key_columns, &state_columns);
        Ok(self.guest.probe(|instance| instance.update_states(&context, &call, &mut |_| {})))
    }

    /// The states of the first of `rows`, at least of one: as many as have no more than [`CHUNK_BYTES`].
    fn states_within(&self, rows: &[u32]) -> Result<RowsBuffer, Cause> {
        let mut states = RowsBuffer::new(&self.guest.function.signature.state);
        self.table().read(&rows[..self.table().rows_within(rows, CHUNK_BYTES)], &mut states)?;
        Ok(states)
    }

    /// The stream of an operator whose function emits nothing itself: keys and their states.
    fn emit(&self, changed: &[u32], batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let rows: Vec<u32> = match self.emit {
            KeySet::Changed => {
                // Keys that got their first state have changed, too.
                let first = self.first_states();
                let called: HashSet<u32> =
                    if first.is_empty() { HashSet::new() } else { changed.iter().copied().collect() };
                let all = changed.iter().chain(first.iter().filter(|row| !called.contains(row)));
                all.copied().filter(|&row| self.table().has_state(row)).collect()
            }
            KeySet::All => self.table().rows().collect(),
        };
        self.each_states(&rows, &self.schema, &mut |rows| out.push(batch, rows))
    }

    /// The rows of keys that got their first state in this batch.
    fn first_states(&self) -> &[u32] {
        self.initial.as_ref().map_or(&[], Initial::given)
    }

    /// Keys and states of rows of the table, in chunks.
    fn each_states(
        &self,
        rows: &[u32],
        schema: &Schema,
        push: &mut dyn FnMut(&Rows<'_>) -> Result<(), Cause>,
    ) -> Result<(), Cause> {
        let mut first = 0;
        while first < rows.len() {
            let states = self.states_within(&rows[first..rows.len().min(first + CHUNK_ROWS)])?;
            let rows = &rows[first..first + states.len()];
            let mut keys = RowsBuffer::new(&self.key_schema);
            key::decode(rows.iter().map(|&row| self.table().key(row)), &mut keys)?;
            let columns: Vec<Column<'_>> = keys.columns().into_iter().chain(states.columns()).collect();
            push(&Rows { schema, len: rows.len(), columns: &columns })?;
            first += rows.len();
        }
        Ok(())
    }
}

impl Operator for UpdateState {
    fn begin(&mut self, _batch: &Batch) {
        self.news.clear_within(KEPT_BYTES_MAX);
        self.groups.clear();
        (self.chunk, self.keys_with_news) = (0, 0);
        self.initial.iter_mut().for_each(Initial::begin);
        self.policy.iter_mut().for_each(Policy::begin);
        self.guest.begin();
    }

    fn share(&mut self, shared: &Arc<[SharedRows]>) {
        self.guest.share(shared);
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        let table = self.tables[0].keyed_mut();
        if let Some(initial) = self.initial.as_mut().filter(|_| batch.input == INITIAL) {
            initial.push(table, rows)?;
            return batch.hold(self.held_of_rows());
        }
        table.group(key_column(rows, &self.by, &mut self.keys)?, &mut self.groups);
        self.keys_with_news = table.touched().len();
        let columns = self.guest.input(rows);
        let schema = self.news.schema().clone();
        self.news.extend(&Rows { schema: &schema, len: rows.len, columns: &columns })?;
        batch.hold(self.held_of_rows())
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        if !self.presence.is_present(batch.time, &batch.absent) {
            return Ok(()); // Between two slides nothing comes, and nobody is woken.
        }
        if let Some(initial) = &mut self.initial {
            initial.write(self.tables[0].keyed_mut())?;
        }
        let come = self.come(batch.time)?;
        let (rows, changed) = self.rows_to_run(&come);
        let news = std::mem::replace(&mut self.news, RowsBuffer::new(&self.guest.function.binding.input));
        let groups = std::mem::take(&mut self.groups);
        let columns = news.columns();
        let mut runs = arrange::Runs::new(news.with_columns(&columns), &groups, rows.len());
        let mut first = 0;
        while first < rows.len() {
            let wanted = runs.groups_within(CHUNK_ROWS, CHUNK_BYTES).min(CALL_KEYS);
            if wanted == 1 {
                self.call_by_rows(&mut runs, rows[first], &come, batch, out)?;
                first += 1;
                continue;
            }
            let states = self.states_within(&rows[first..first + wanted])?;
            let rows = &rows[first..first + states.len()];
            let arranged = runs.next(rows.len())?;
            let keys = KeysOfCall { rows, states: &states, arranged: arranged.arranged(), come: &come, goes_on: false };
            self.call_by_policy(&keys, batch, out)?;
            first += rows.len();
        }
        drop(runs);
        drop(columns);
        (self.news, self.groups) = (news, groups);
        self.news.clear_within(KEPT_BYTES_MAX);
        self.groups.clear();
        self.note_touched(&rows, batch.time)?;
        if self.guest.function.signature.output.is_empty() {
            self.emit(&rows[..changed], batch, out)?;
        }
        if !out.is_read(Port::State) {
            return Ok(());
        }
        let all: Vec<u32> = self.table().rows().collect();
        self.each_states(&all, &self.states_schema, &mut |rows| out.push_beside(Port::State, batch, rows))
    }

    fn work_at_end(&self, time: Timestamp) -> usize {
        let of_all = if self.run == KeySet::All || self.emit == KeySet::All { self.table().len() } else { 0 };
        self.news.len() + of_all + self.table().due(time).take(ROWS_ALONE_MAX).count()
    }

    fn held_bytes(&self) -> usize {
        let of_letters = self.policy.as_ref().map_or(0, Policy::held_bytes);
        self.held_of_rows() + of_letters
    }

    fn letters(&mut self) -> Option<&mut Letters> {
        self.policy.as_mut()?.letters()
    }

    fn lend(&mut self, tables: Vec<Table>) {
        self.tables = tables;
    }

    fn give_back(&mut self) -> Vec<Table> {
        std::mem::take(&mut self.tables)
    }
}
