//! Keyed state that new rows change: rows are gathered by key, the function is called with each key's new rows and old
//! state, and the table takes what it says.

use std::collections::HashSet;

use tidemill_guest::{Changes, UpdateCall};
use tidemill_model::{
    columns::{Column, Rows, RowsBuffer},
    key::{self, KeyBuffer},
    schema::Schema,
    time::Timestamp,
};
use tidemill_plan::graph::KeySet;
use tidemill_state::table::{Action, StateTable};

use super::{
    Batch, GuestSlot, Operator, Out,
    arrange::{self, Arranged},
    beside::Beside,
    chunks::{CHUNK_BYTES, CHUNK_ROWS},
    combine::key_column,
};
use crate::failure::Cause;

/// Keys of one call.
const CALL_KEYS: usize = 1 << 14;

/// The bit of `causes` in the WIT package: the key has new rows.
const CAUSE_NEW_ROWS: u8 = 1;

/// The bit of `causes`: the key's wake-at has come.
const CAUSE_WOKEN: u8 = 2;

/// An update-state operator for one partition.
pub(crate) struct UpdateState {
    stream: String,
    schema: Schema,
    key_schema: Schema,
    by: Vec<usize>,
    run: KeySet,
    emit: KeySet,
    guest: GuestSlot,
    table: StateTable,
    keys: KeyBuffer,
    /// The new rows of this batch in order of arrival, and each one's group.
    news: RowsBuffer,
    groups: Vec<u32>,
    chunk: u32,
}

impl UpdateState {
    /// `schema` is the stream's; `by` are the key's fields in the input.
    pub(crate) fn new(
        stream: &str,
        schema: &Schema,
        node: &tidemill_plan::graph::UpdateState,
        guest: GuestSlot,
        seed: u64,
    ) -> UpdateState {
        let binding = &guest.function.binding;
        UpdateState {
            stream: stream.to_owned(),
            schema: schema.clone(),
            key_schema: binding.keys.clone(),
            by: node.by.clone(),
            run: node.run,
            emit: node.emit,
            table: StateTable::new(&guest.function.signature.state, seed),
            keys: KeyBuffer::default(),
            news: RowsBuffer::new(&binding.input),
            groups: Vec::new(),
            chunk: 0,
            guest,
        }
    }

    /// The rows of the table that the function is called for: those with new rows, those that are due, and the others if
    /// it runs for all. Also how many of them are of the first two kinds: they count as changed.
    fn rows_to_run(&self, due: &HashSet<u32>) -> (Vec<u32>, usize) {
        let mut rows = self.table.touched().to_vec();
        let mut called = HashSet::new();
        if self.run == KeySet::All || !due.is_empty() {
            called.extend(rows.iter().copied());
        }
        let mut woken: Vec<u32> = due.difference(&called).copied().collect();
        woken.sort_unstable();
        rows.extend(&woken);
        let changed = rows.len();
        if self.run == KeySet::All {
            called.extend(woken);
            rows.extend(self.table.rows().filter(|row| !called.contains(row)));
        }
        (rows, changed)
    }

    /// One call: `rows` of the table, of which `arranged` has the new rows.
    fn call(
        &mut self,
        batch: &mut Batch,
        rows: &[u32],
        states: &RowsBuffer,
        arranged: &Arranged<'_>,
        due: &HashSet<u32>,
        out: &mut dyn Out,
    ) -> Result<(), Cause> {
        let context = batch.context(self.chunk, false);
        self.chunk += 1;
        let mut keys = RowsBuffer::new(&self.key_schema);
        key::decode(rows.iter().map(|&row| self.table.key(row)), &mut keys)?;
        let present: Vec<u8> = rows.iter().map(|&row| u8::from(self.table.has_state(row))).collect();
        let news = arranged.counts().map(|count| if count > 0 { CAUSE_NEW_ROWS } else { 0 });
        let woken = rows.iter().map(|row| if due.contains(row) { CAUSE_WOKEN } else { 0 });
        let causes: Vec<u8> = news.zip(woken).map(|(news, woken)| news | woken).collect();
        let (key_columns, state_columns) = (keys.columns(), states.columns());
        let call = UpdateCall {
            keys: keys.with_columns(&key_columns),
            rows: arranged.rows,
            ends: arranged.ends,
            states: states.with_columns(&state_columns),
            present: &present,
            causes: &causes,
        };
        let (table, stream, schema) = (&mut self.table, &self.stream, &self.schema);
        let emits = !self.guest.function.signature.output.is_empty();
        let mut downstream = Ok(());
        let called = self.guest.call(|instance| {
            instance.update_states(&context, &call, &mut |changes| {
                if let Some(first) = changes.rejected.first() {
                    batch.rejections.add(stream, changes.rejected.len() as u64, &first.reason);
                }
                write(table, rows, call.ends, &changes, due);
                if emits {
                    downstream = emit(schema, &call.keys, &changes, batch, out);
                }
            })
        });
        downstream.and(called)
    }

    /// The states of the first of `rows`, at least of one: as many as have no more than [`CHUNK_BYTES`].
    fn states_within(&self, rows: &[u32]) -> Result<RowsBuffer, Cause> {
        let mut states = RowsBuffer::new(&self.guest.function.signature.state);
        self.table.read(&rows[..self.table.rows_within(rows, CHUNK_BYTES)], &mut states)?;
        Ok(states)
    }

    /// The stream of an operator whose function emits nothing itself: keys and their states.
    fn emit_states(&self, changed: &[u32], batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let rows: Vec<u32> = match self.emit {
            KeySet::Changed => changed.iter().copied().filter(|&row| self.table.has_state(row)).collect(),
            KeySet::All => self.table.rows().collect(),
        };
        let mut first = 0;
        while first < rows.len() {
            let states = self.states_within(&rows[first..rows.len().min(first + CHUNK_ROWS)])?;
            let rows = &rows[first..first + states.len()];
            let mut keys = RowsBuffer::new(&self.key_schema);
            key::decode(rows.iter().map(|&row| self.table.key(row)), &mut keys)?;
            let columns: Vec<Column<'_>> = keys.columns().into_iter().chain(states.columns()).collect();
            out.push(batch, &Rows { schema: &self.schema, len: rows.len(), columns: &columns })?;
            first += rows.len();
        }
        Ok(())
    }
}

/// Does to the table what the function said of a call.
fn write(table: &mut StateTable, rows: &[u32], ends: &[u32], changes: &Changes<'_>, due: &HashSet<u32>) {
    let actions: Vec<Action> = changes
        .actions
        .iter()
        .map(|action| match action {
            0 => Action::Keep,
            1 => Action::Put,
            _ => Action::Delete,
        })
        .collect();
    table.write(rows, &actions, &changes.states);
    // A key that is kept keeps its wake-at too. One that has come is used up by the call, unless the function took none
    // of the key's new rows: then it is as if it had not been called.
    let rejected = Rejected::of(changes);
    for (group, &row) in rows.iter().enumerate() {
        let at = changes.wake_at.map(|times| times[group]).filter(|&at| at != i64::MIN);
        let stays = at.is_none() && actions[group] == Action::Keep;
        if stays && (!due.contains(&row) || rejected.has_all(ends, group)) {
            continue;
        }
        table.set_wake(row, at.map(Timestamp));
    }
}

/// The rows of a call that the function did not take.
struct Rejected(HashSet<u32>);

impl Rejected {
    fn of(changes: &Changes<'_>) -> Rejected {
        Rejected(changes.rejected.rows().collect())
    }

    /// Whether the group has new rows, and all of them are rejected.
    fn has_all(&self, ends: &[u32], group: usize) -> bool {
        let start = group.checked_sub(1).map_or(0, |before| ends[before]);
        start < ends[group] && (start..ends[group]).all(|row| self.0.contains(&row))
    }
}

/// Pushes what the function emitted, each row behind its key.
fn emit(
    schema: &Schema,
    keys: &Rows<'_>,
    changes: &Changes<'_>,
    batch: &mut Batch,
    out: &mut dyn Out,
) -> Result<(), Cause> {
    let emitted = &changes.emitted;
    if emitted.len == 0 {
        return Ok(());
    }
    let same: Vec<u32>;
    let groups = match changes.emitted_groups {
        Some(groups) => groups,
        None => {
            same = (0..emitted.len as u32).collect();
            &same
        }
    };
    Beside { rows: *keys, places: groups, is_first: true }.push(schema, emitted, batch, out)
}

impl Operator for UpdateState {
    fn begin(&mut self, _batch: &Batch) {
        self.table.begin_batch();
        self.news.clear();
        self.groups.clear();
        self.chunk = 0;
        self.guest.begin();
    }

    fn push(&mut self, _batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        let keys = key_column(rows, &self.by, &mut self.keys)?;
        self.table.group(keys, &mut self.groups);
        let columns = self.guest.input(rows);
        let schema = self.news.schema().clone();
        Ok(self.news.extend(&Rows { schema: &schema, len: rows.len, columns: &columns })?)
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let due: HashSet<u32> = self.table.due(batch.time).collect();
        let (rows, changed) = self.rows_to_run(&due);
        let news = std::mem::replace(&mut self.news, RowsBuffer::new(&self.guest.function.binding.input));
        let groups = std::mem::take(&mut self.groups);
        let columns = news.columns();
        let mut runs = arrange::Runs::new(news.with_columns(&columns), &groups, rows.len());
        let mut first = 0;
        while first < rows.len() {
            let wanted = runs.groups_within(CHUNK_ROWS, CHUNK_BYTES).min(CALL_KEYS);
            let states = self.states_within(&rows[first..first + wanted])?;
            let rows = &rows[first..first + states.len()];
            self.call(batch, rows, &states, &runs.next(rows.len())?.arranged(), &due, out)?;
            first += rows.len();
        }
        drop(runs);
        drop(columns);
        (self.news, self.groups) = (news, groups);
        self.news.clear();
        self.groups.clear();
        if !self.guest.function.signature.output.is_empty() {
            return Ok(());
        }
        self.emit_states(&rows[..changed], batch, out)
    }

    fn held_bytes(&self) -> usize {
        self.news.bytes() + self.groups.len() * size_of::<u32>()
    }

    fn table(&mut self) -> Option<&mut StateTable> {
        Some(&mut self.table)
    }

    fn commit(&mut self) {
        self.table.end_batch();
    }
}
