//! Reduces: rows and their group numbers to one row a group.

use std::{collections::BTreeMap, marker::PhantomData};

use crate::{
    bindings::{
        exports::tidemill::plugin::operators::{Binding, CallContext, Phase},
        tidemill::plugin::data::{Batch, Failure},
    },
    context::Context,
    value::{Read, ReadRow, Write, WriteRow, chunks},
};

use super::{
    Fields, Function, Operator, failure,
    map::open_rows,
    rows::{Rows, nothing},
};

/// A function that reduces the rows of a group.
pub trait ReduceFunction: Function + 'static {
    /// One row of the input.
    type Input<'a>: ReadRow<'a> + WriteRow;
    /// The accumulator.
    type State: for<'a> Read<'a> + Write + 'static;

    /// A group's first row.
    fn create(context: &Context, row: Self::Input<'_>) -> Self::State;

    /// Another row of the group.
    fn add(context: &Context, state: &mut Self::State, row: Self::Input<'_>);

    /// Two accumulators of a group.
    fn merge(context: &Context, state: &mut Self::State, other: Self::State);

    /// An accumulator without the rows of another.
    fn subtract(state: Self::State, part: Self::State) -> Result<Self::State, String>;

    /// The group's row of the result.
    fn finish(state: Self::State) -> impl Write;
}

/// Opens a reduce.
pub fn open_reduce<F: ReduceFunction>(binding: &Binding) -> Result<Box<dyn Operator>, String> {
    let context = Context::new(binding);
    Ok(Box::new(ReduceOperator::<F> { context, states: States::default(), function: PhantomData }))
}

struct ReduceOperator<F: ReduceFunction> {
    context: Context,
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
}

impl<F: ReduceFunction> ReduceOperator<F> {
    /// The hot loop. A group that is known costs a bounds check beside the function itself.
    fn combine(&mut self, rows: &Batch, groups: &[[u8; 4]], count: u32) -> Result<(), Failure> {
        let Some(reader) = open_rows::<F::Input<'_>>(rows)? else { return Ok(()) };
        self.states.reserve(count);
        for (row, group) in groups.iter().enumerate() {
            let group = u32::from_le_bytes(*group);
            let value = ReadRow::read_row(&reader, row);
            match self.states.dense.get_mut(group as usize) {
                Some(state) => F::add(&self.context, state, value),
                None => match self.states.later(group, count)? {
                    Some(state) => F::add(&self.context, state, value),
                    None => self.states.insert(group, F::create(&self.context, value)),
                },
            }
        }
        Ok(())
    }

    fn merge(&mut self, rows: &Batch, groups: &[[u8; 4]], count: u32) -> Result<(), Failure> {
        let Some(reader) = open_rows::<F::State>(rows)? else { return Ok(()) };
        for (row, group) in groups.iter().enumerate() {
            let group = u32::from_le_bytes(*group);
            let other = ReadRow::read_row(&reader, row);
            match self.states.dense.get_mut(group as usize) {
                Some(state) => F::merge(&self.context, state, other),
                None => match self.states.later(group, count)? {
                    Some(state) => F::merge(&self.context, state, other),
                    None => self.states.insert(group, other),
                },
            }
        }
        Ok(())
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
    /// Room for `count` groups in all.
    fn reserve(&mut self, count: u32) {
        self.dense.reserve((count as usize).saturating_sub(self.dense.len()));
    }

    /// The accumulator of a group that is not among the dense ones.
    #[cold]
    fn later(&mut self, group: u32, count: u32) -> Result<Option<&mut S>, Failure> {
        if group >= count { Err(beyond(group, count)) } else { Ok(self.later.get_mut(&group)) }
    }

    /// The accumulator of a group that has none.
    fn insert(&mut self, group: u32, state: S) {
        if group as usize != self.dense.len() {
            self.later.insert(group, state);
            return;
        }
        self.dense.push(state);
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

fn beyond(group: u32, count: u32) -> Failure {
    failure(format!("the host announced {count} groups, and a row is of group {group}"))
}
