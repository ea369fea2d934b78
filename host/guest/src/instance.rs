//! An instance: one function of a plugin, opened for one place in one pipeline.

use std::sync::Arc;

use tidemill_model::{
    columns::Rows,
    function::{CallContext, Phase, Signature},
    limits::Limits,
};

use crate::{
    answer::{Changes, Checker, Mapped, Returned, Scratches, UpdateCall, check_nothing},
    boundary::{
        Entry,
        wire::{BatchIn, ColumnIn, FailureOut, MapRows, MigrateStates, OutputRows, ReduceGroups, Share, UpdateStates},
    },
    call::Live,
    log::reason,
    plugin::Names,
    verdict::Verdict,
};

/// The entry points of an instance.
#[derive(Clone, Copy)]
pub(crate) struct Entries {
    pub(crate) map_rows: Entry<MapRows>,
    pub(crate) reduce_groups: Entry<ReduceGroups>,
    pub(crate) update_states: Entry<UpdateStates>,
    pub(crate) migrate_states: Entry<MigrateStates>,
    pub(crate) output_rows: Entry<OutputRows>,
    /// Not there in a component whose functions read no side inputs, and that leaves it out.
    pub(crate) share: Option<Entry<Share>>,
}

/// One function of a plugin, opened. A cache: it can be dropped at any time between batches, and a new one opened.
///
/// After a call has failed the instance is gone and every further call is refused with [`Verdict::Poisoned`]. The
/// consumer of an answer may call other instances. If a call fails, what its consumer has been given must not be used:
/// a guest can fail after it was seen, too, while it frees what it returned.
pub struct Instance {
    live: Live,
    entries: Entries,
    signature: Signature,
    limits: Arc<Limits>,
    scratch: Scratches,
    /// Rows that a function with state over chunks has been given since chunk 0: its last call may have to look at all
    /// of them again, so it gets fuel for them.
    rows_so_far: usize,
    returned: Returned,
}

/// What calls have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Instructions and what else is paid for with fuel, opening not included: an instance is a cache.
    pub fuel: u64,
    /// Rows that were returned, accumulators and states among them.
    pub rows: u64,
    /// Bytes of these, as `result-bytes` counts them.
    pub bytes: u64,
}

impl Usage {
    /// Adds what another call used.
    pub fn add(&mut self, other: Usage) {
        self.fuel = self.fuel.saturating_add(other.fuel);
        self.rows = self.rows.saturating_add(other.rows);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl Instance {
    pub(crate) fn new(live: Live, entries: Entries, signature: Signature, limits: Arc<Limits>) -> Instance {
        let (scratch, returned) = (Scratches::default(), Returned::default());
        Instance { live, entries, signature, limits, scratch, rows_so_far: 0, returned }
    }

    /// The function's signature as `open` has settled it.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What the function counted since the last time, by name. Nothing once it has failed.
    pub fn take_counters(&mut self) -> Vec<(String, u64)> {
        self.live.take_counters()
    }

    /// What its calls have used since the last time, the one included that failed.
    pub fn take_usage(&mut self) -> Usage {
        let Returned { rows, bytes } = std::mem::take(&mut self.returned);
        Usage { fuel: self.live.take_fuel(), rows, bytes }
    }

    /// Gives the function the whole content of a side input. It holds until another one is given. What this counts and uses is
    /// not kept: an instance is a cache, and who opens a new one shares again.
    pub fn share(&mut self, name: &str, rows: &Rows<'_>) -> Result<(), Verdict> {
        let columns = ColumnIn::all(rows);
        let Some(entry) = self.entries.share else { return Err(Verdict::Poisoned) };
        let params = (name, batch(rows.len, &columns)?);
        self.live.call(entry, rows.len, params, &mut |answer, _| answer.as_mut().map(|_| ()).map_err(failure))?;
        self.live.take_fuel();
        self.live.take_counters();
        Ok(())
    }

    /// Calls a map function with the rows of one chunk.
    pub fn map_rows(
        &mut self,
        context: &CallContext,
        rows: &Rows<'_>,
        consume: &mut dyn FnMut(Mapped<'_>),
    ) -> Result<(), Verdict> {
        let fuel_rows = if self.signature.whole_partition { self.with_earlier(context, rows.len) } else { rows.len };
        let columns = ColumnIn::all(rows);
        let batch = batch(rows.len, &columns)?;
        let Instance { live, entries, signature, limits, scratch, returned, .. } = self;
        live.call(entries.map_rows, fuel_rows, (context.into(), batch), &mut |answer, memory| {
            let answer = answer.as_mut().map_err(failure)?;
            Checker { memory, limits, scratch, returned }.mapped(answer, &signature.output, rows.len, consume)
        })
    }

    /// Calls an output function with the rows of one chunk.
    pub fn output_rows(
        &mut self,
        context: &CallContext,
        rows: &Rows<'_>,
        consume: &mut dyn FnMut(Mapped<'_>),
    ) -> Result<(), Verdict> {
        let columns = ColumnIn::all(rows);
        let batch = batch(rows.len, &columns)?;
        let Instance { live, entries, signature, limits, scratch, returned, .. } = self;
        live.call(entries.output_rows, rows.len, (context.into(), batch), &mut |answer, memory| {
            let answer = answer.as_mut().map_err(failure)?;
            Checker { memory, limits, scratch, returned }.mapped(answer, &signature.output, rows.len, consume)
        })
    }

    /// Calls one phase of a reduce. `rows` are input rows for combine, else state rows; row i is of group `groups[i]`,
    /// below `count`. `consume` sees one row a group: states after combine, merge and subtract, output rows after
    /// finish. In combine and merge that is after the last chunk alone; it is not called for the others.
    pub fn reduce_groups(
        &mut self,
        context: &CallContext,
        phase: Phase,
        rows: &Rows<'_>,
        groups: &[u32],
        count: usize,
        consume: &mut dyn FnMut(Rows<'_>),
    ) -> Result<(), Verdict> {
        debug_assert_eq!(rows.len, groups.len(), "every row has a group");
        let streams = matches!(phase, Phase::Combine | Phase::Merge);
        // The last chunk may have few rows, and returns all groups.
        let fuel_rows = rows.len.saturating_add(if context.last || !streams { count } else { 0 });
        let columns = ColumnIn::all(rows);
        let count_in = u32::try_from(count).map_err(|_| Verdict::TooManyInputRows { rows: count })?;
        let params = (
            context.into(),
            phase.into(),
            batch(rows.len, &columns)?,
            bytemuck::cast_slice::<u32, u8>(groups),
            count_in,
        );
        let Instance { live, entries, signature, limits, scratch, returned, .. } = self;
        let schema = if phase == Phase::Finish { &signature.output } else { &signature.state };
        live.call(entries.reduce_groups, fuel_rows, params, &mut |answer, memory| {
            let answer = answer.as_mut().map_err(failure)?;
            if streams && !context.last {
                return check_nothing(answer);
            }
            Checker { memory, limits, scratch, returned }.reduced(answer, schema, count, consume)
        })
    }

    /// Calls an update-state function with some groups.
    pub fn update_states(
        &mut self,
        context: &CallContext,
        call: &UpdateCall<'_>,
        consume: &mut dyn FnMut(Changes<'_>),
    ) -> Result<(), Verdict> {
        let (groups, input_rows) = (call.keys.len, call.rows.len);
        debug_assert!(
            [call.ends.len(), call.states.len, call.present.len(), call.causes.len()].iter().all(|&len| len == groups),
            "one of each for each group"
        );
        let [keys, rows, states] = [&call.keys, &call.rows, &call.states].map(ColumnIn::all);
        let params = (
            context.into(),
            batch(groups, &keys)?,
            batch(input_rows, &rows)?,
            bytemuck::cast_slice::<u32, u8>(call.ends),
            batch(groups, &states)?,
            call.present,
            call.causes,
        );
        let Instance { live, entries, signature, limits, scratch, returned, .. } = self;
        let schemas = (&signature.state, &signature.output);
        live.call(entries.update_states, groups.saturating_add(input_rows), params, &mut |answer, memory| {
            let answer = answer.as_mut().map_err(failure)?;
            Checker { memory, limits, scratch, returned }.changes(answer, schemas, (groups, input_rows), consume)
        })
    }

    /// Calls an update-state function with states that its version `from_version` wrote, in their own schema. `consume`
    /// sees one row a state, of the function's state as it is now.
    pub fn migrate_states(
        &mut self,
        from_version: u32,
        states: &Rows<'_>,
        consume: &mut dyn FnMut(Rows<'_>),
    ) -> Result<(), Verdict> {
        let names = Names::of(states.schema);
        let (fields, columns) = (names.lowered(), ColumnIn::all(states));
        let params = (from_version, &fields[..], batch(states.len, &columns)?);
        let Instance { live, entries, signature, limits, scratch, returned, .. } = self;
        live.call(entries.migrate_states, states.len, params, &mut |answer, memory| {
            let answer = answer.as_mut().map_err(failure)?;
            Checker { memory, limits, scratch, returned }.migrated(answer, &signature.state, states.len, consume)
        })
    }

    fn with_earlier(&mut self, context: &CallContext, rows: usize) -> usize {
        if context.chunk == 0 {
            self.rows_so_far = 0;
        }
        self.rows_so_far = self.rows_so_far.saturating_add(rows);
        self.rows_so_far
    }
}

fn batch<'a>(rows: usize, columns: &'a [ColumnIn<'a>]) -> Result<BatchIn<'a>, Verdict> {
    BatchIn::new(rows, columns).ok_or(Verdict::TooManyInputRows { rows })
}

fn failure(told: &mut FailureOut) -> Verdict {
    Verdict::Failure { reason: reason(std::mem::take(&mut told.reason)), retryable: told.retryable }
}
