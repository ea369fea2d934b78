//! Reduces: rows and their group numbers to one row a group.

use std::{collections::BTreeMap, marker::PhantomData};

use crate::{
    bindings::{
        exports::tidemill::plugin::operators::{Binding, CallContext, Phase},
        tidemill::plugin::data::{Batch, Failure, Field},
    },
    context::Context,
    parameters::Parameters,
    value::{Read, ReadRow, Write, WriteRow, chunks},
};

use super::{
    Fields, Function, Operator, failure,
    map::open_rows,
    migrate::no_migration,
    rows::{Rows, nothing},
};

/// A function that reduces the rows of a group.
pub trait ReduceFunction: Function + 'static {
    /// What it takes from the pipeline.
    type Parameters: Parameters;
    /// One row of the input.
    type Input<'a>: ReadRow<'a> + WriteRow;
    /// The accumulator.
    type State: for<'a> Read<'a> + Write + 'static;

    /// Accumulators that an older version wrote, of these fields, to accumulators of its own.
    fn migrate(from_version: u32, _stored: &[Field], _states: &Batch) -> Result<Batch, Failure> {
        no_migration(from_version, &[])
    }

    /// A group's first row.
    fn create(context: &Context<Self::Parameters>, row: Self::Input<'_>) -> Self::State;

    /// Another row of the group.
    fn add(context: &Context<Self::Parameters>, state: &mut Self::State, row: Self::Input<'_>);

    /// Two accumulators of a group.
    fn merge(context: &Context<Self::Parameters>, state: &mut Self::State, other: Self::State);

    /// An accumulator without the rows of another.
    fn subtract(state: Self::State, part: Self::State) -> Result<Self::State, String>;

    /// The group's row of the result.
    fn finish(state: Self::State) -> impl Write;
}

/// Opens a reduce.
pub fn open_reduce<F: ReduceFunction>(binding: &Binding) -> Result<Box<dyn Operator>, String> {
    let context = Context::try_new(binding)?;
    Ok(Box::new(ReduceOperator::<F> { context, states: States::default(), function: PhantomData }))
}

struct ReduceOperator<F: ReduceFunction> {
    context: Context<F::Parameters>,
    states: States<F::State>,
    function: PhantomData<F>,
}

/// The accumulators of the groups met so far.
struct States<S> {
    /// Of the groups 0, 1, 2 and so on: groups are mostly numbered in the order in which their first rows come.
    dense: Vec<S>,
    /// Of groups that came before a lower number did; all beyond `dense`, and not the next one.
    later: BTreeMap<u32, S>,
}

impl<F: ReduceFunction> Operator for ReduceOperator<F> {
    fn reduce_groups(
        &mut self,
        call: CallContext,
        phase: Phase,
        rows: Batch,
        groups: Vec<u8>,
        count: u32,
    ) -> Result<Batch, Failure> {
        self.context.enter(call);
        let chunked = matches!(phase, Phase::Combine | Phase::Merge);
        if call.chunk == 0 || !chunked {
            self.states = States::default();
        }
        let groups: &[[u8; 4]] = chunks(&groups, rows.rows as usize, "group numbers")?;
        match phase {
            Phase::Combine => self.combine(&rows, groups, count)?,
            Phase::Merge => self.merge(&rows, groups, count)?,
            Phase::Finish => return self.finish(&rows),
            Phase::Subtract => self.subtract(&rows, groups, count)?,
        }
        if chunked && !call.last {
            return Ok(nothing());
        }
        let states = std::mem::take(&mut self.states).finish(count)?;
        let mut result = Rows::<<F::State as Write>::Writer>::default();
        result.reserve_rows(states.len());
        states.iter().for_each(|state| result.push(state));
        Ok(result.finish())
    }

    fn migrate_states(&mut self, from_version: u32, stored: &[Field], states: &Batch) -> Result<Batch, Failure> {
        F::migrate(from_version, stored, states)
    }
}

impl<F: ReduceFunction> ReduceOperator<F> {
    fn combine(&mut self, rows: &Batch, groups: &[[u8; 4]], count: u32) -> Result<(), Failure> {
        let context = &self.context;
        let (create, add) = (|row| F::create(context, row), |state: &mut F::State, row| F::add(context, state, row));
        self.states.accumulate::<F::Input<'_>>(rows, groups, count, create, add)
    }

    fn merge(&mut self, rows: &Batch, groups: &[[u8; 4]], count: u32) -> Result<(), Failure> {
        let context = &self.context;
        let merge = |state: &mut F::State, other| F::merge(context, state, other);
        self.states.accumulate::<F::State>(rows, groups, count, |state| state, merge)
    }

    fn finish(&mut self, rows: &Batch) -> Result<Batch, Failure> {
        let mut result = Rows::default();
        // Where there are no rows, the columns still have to be there; so the writer's type must be known.
        finish_rows::<F, _>(rows, &mut result, F::finish)?;
        Ok(result.finish())
    }

    fn subtract(&mut self, rows: &Batch, groups: &[[u8; 4]], count: u32) -> Result<(), Failure> {
        let Some(reader) = open_rows::<F::State>(rows)? else { return Ok(()) };
        let mut pending: Vec<Option<F::State>> = Vec::new();
        for (row, group) in groups.iter().enumerate() {
            let group = u32::from_le_bytes(*group);
            if group >= count {
                return Err(beyond(group, count));
            }
            let place = group as usize;
            if pending.len() <= place {
                pending.resize_with(place + 1, || None);
            }
            let state = ReadRow::read_row(&reader, row);
            pending[place] = Some(match pending[place].take() {
                None => state,
                Some(whole) => F::subtract(whole, state).map_err(failure)?,
            });
        }
        for (group, state) in (0..).zip(pending) {
            if let Some(state) = state {
                self.states.insert(group, state);
            }
        }
        Ok(())
    }
}

/// The fields of the rows that a reduce finishes with.
pub fn finished_fields<F: ReduceFunction>() -> Fields {
    fn fields<S, T: Write>(_finish: impl Fn(S) -> T) -> Fields {
        T::fields("value")
    }
    fields(F::finish)
}

/// Calls a closure of the attribute, whose parameters' types it settles; and so the other three.
#[inline(always)]
pub fn merge_two<S>(first: S, second: S, merge: impl FnOnce(S, S) -> S) -> S {
    merge(first, second)
}

/// The second accumulator goes into the first.
#[inline(always)]
pub fn merge_into<S>(state: &mut S, other: S, merge: impl FnOnce(&mut S, S)) {
    merge(state, other);
}

/// An accumulator becomes a row of the result.
#[inline(always)]
pub fn finish_one<S, T>(state: S, finish: impl FnOnce(S) -> T) -> T {
    finish(state)
}

/// What a reduce without `inverse` does where it is asked to subtract.
pub fn no_inverse<S>(_state: S, _part: S) -> Result<S, String> {
    Err("this reduce has no inverse".to_owned())
}

/// Finishes each accumulator. A function of its own, because the result's type has no name.
fn finish_rows<F: ReduceFunction, T: Write>(
    rows: &Batch,
    result: &mut Rows<T::Writer>,
    finish: impl Fn(F::State) -> T,
) -> Result<(), Failure> {
    let Some(reader) = open_rows::<F::State>(rows)? else { return Ok(()) };
    for row in 0..rows.rows as usize {
        result.push(&finish(ReadRow::read_row(&reader, row)));
    }
    Ok(())
}

// === impl States ===

impl<S> Default for States<S> {
    fn default() -> States<S> {
        States { dense: Vec::new(), later: BTreeMap::new() }
    }
}

impl<S> States<S> {
    /// Each row goes into its group's accumulator.
    #[inline(always)]
    fn accumulate<'a, T: ReadRow<'a>>(
        &mut self,
        rows: &'a Batch,
        groups: &[[u8; 4]],
        count: u32,
        create: impl Fn(T) -> S,
        add: impl Fn(&mut S, T),
    ) -> Result<(), Failure> {
        let Some(reader) = open_rows::<T>(rows)? else { return Ok(()) };
        self.dense.reserve((count as usize).saturating_sub(self.dense.len()));
        let mut row = 0;
        loop {
            row += add_known(&mut self.dense, &groups[row..], |state, place| {
                add(state, T::read_row(&reader, row + place))
            });
            let Some(group) = groups.get(row) else { return Ok(()) };
            let (group, value) = (u32::from_le_bytes(*group), T::read_row(&reader, row));
            if group >= count {
                return Err(beyond(group, count));
            }
            match self.later.get_mut(&group) {
                Some(state) => add(state, value),
                None => self.insert(group, create(value)),
            }
            row += 1;
        }
    }

    /// The accumulator of a group that has none.
    #[inline]
    fn insert(&mut self, group: u32, state: S) {
        if group as usize == self.dense.len() && self.later.is_empty() {
            self.dense.push(state);
        } else {
            self.insert_out_of_order(group, state);
        }
    }

    #[cold]
    #[inline(never)]
    fn insert_out_of_order(&mut self, group: u32, state: S) {
        self.later.insert(group, state);
        while let Some(state) = self.later.remove(&(self.dense.len() as u32)) {
            self.dense.push(state);
        }
    }

    /// One accumulator a group.
    fn finish(self, count: u32) -> Result<Vec<S>, Failure> {
        if self.dense.len() == count as usize {
            return Ok(self.dense);
        }
        Err(failure(format!("the host announced {count} groups, and group {} has no row", self.dense.len())))
    }
}

/// The hot loop: rows of groups that have an accumulator, up to the first that has none; says how many. It costs a bounds
/// check beside `add`, and calls nothing else, so that all of it stays in registers.
#[inline(always)]
fn add_known<S>(dense: &mut [S], groups: &[[u8; 4]], add: impl Fn(&mut S, usize)) -> usize {
    for (place, group) in groups.iter().enumerate() {
        match dense.get_mut(u32::from_le_bytes(*group) as usize) {
            Some(state) => add(state, place),
            None => return place,
        }
    }
    groups.len()
}

fn beyond(group: u32, count: u32) -> Failure {
    failure(format!("the host announced {count} groups, and a row is of group {group}"))
}
