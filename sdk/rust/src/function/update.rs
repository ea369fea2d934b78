//! Update-state functions: a key's new rows and its state to a new state.

use std::{marker::PhantomData, ops::Range};

use crate::{
    bindings::{
        exports::tidemill::plugin::operators::{Binding, CallContext, Changes},
        tidemill::plugin::data::{Batch, Failure, Field, Rejection},
    },
    context::Context,
    parameters::Parameters,
    update::{StateChange, Update},
    value::{ColumnWriter, Columns, Read, ReadRow, Timestamp, Write, WriteRow, chunks, sized},
    values::Values,
};

use super::{
    Fields, Function, News, Operator, Rows, binding::key_columns, failure, map::open_rows, migrate::check_state,
};

/// A function that updates a key's state.
pub trait UpdateFunction: Function + 'static {
    /// What it takes from the pipeline.
    type Parameters: Parameters;
    /// The key's fields that it asks for; `()` for none.
    type Key<'a>: ReadRow<'a> + WriteRow;
    /// A new row.
    type New<'a>: Read<'a> + Write;
    /// The state, as it is read.
    type State<'a>: Read<'a> + Write<Writer = Self::StateWriter>;
    /// States under construction.
    type StateWriter: ColumnWriter;
    /// An emitted row; `()` for none.
    type Emitted<'a>: ReadRow<'a>;
    /// Emitted rows under construction.
    type EmittedWriter: ColumnWriter;

    /// The fields of the key that it asks for.
    fn key_fields() -> Fields;

    /// The fields of the states that it returns.
    fn written_fields() -> Fields;

    /// States that version `from_version` wrote, with the fields that they were stored with, to states of this version.
    fn migrate(from_version: u32, stored: &[Field], states: &Batch) -> Result<Batch, Failure>;

    /// Calls the function for one key. The error is a reason to reject the key's new rows; the state stays, and so does
    /// the time at which it is to be called again.
    fn call<'a>(
        context: &Context<Self::Parameters>,
        key: Self::Key<'a>,
        new: Values<'a, Self::New<'a>>,
        state: Option<Self::State<'a>>,
        changes: &mut Changed<Self::StateWriter, Self::EmittedWriter>,
    ) -> Result<(), String>;
}

/// What a call changes, as columns under construction.
#[derive(Debug, Default)]
pub struct Changed<S, E> {
    actions: Vec<u8>,
    states: Rows<S>,
    emitted: Rows<E>,
    /// The group of each emitted row.
    emitted_groups: Vec<u8>,
    /// Empty as long as no key wants to be called again.
    wake_at: Vec<u8>,
    rejected: Vec<Rejection>,
}

/// Opens an update-state function.
pub fn open_update<F: UpdateFunction>(binding: &Binding) -> Result<Box<dyn Operator>, String> {
    check_state(&F::signature().state, &F::written_fields(), "it")?;
    let key_columns = key_columns(&F::key_fields(), &binding.keys)?;
    Ok(Box::new(UpdateOperator::<F> { context: Context::try_new(binding)?, key_columns, function: PhantomData }))
}

struct UpdateOperator<F: UpdateFunction> {
    context: Context<F::Parameters>,
    /// The places of the columns that the function's key consists of.
    key_columns: Vec<usize>,
    function: PhantomData<F>,
}

impl<F: UpdateFunction> Operator for UpdateOperator<F> {
    fn share(&mut self, name: &str, rows: &Batch) -> Result<(), Failure> {
        self.context.share(name, rows)
    }

    fn update_states(&mut self, call: CallContext, news: News) -> Result<Changes, Failure> {
        self.context.enter(call);
        let groups = news.present.len();
        if groups == 0 {
            return Ok(Changed::<F::StateWriter, F::EmittedWriter>::with_room(0).finish());
        }
        let key_columns = &mut Columns::at(&news.keys, &self.key_columns)?;
        let keys = <F::Key<'_> as ReadRow<'_>>::open_columns(key_columns, groups)?;
        let states = <F::State<'_> as Read<'_>>::open_row(&mut Columns::of(&news.states), groups)?;
        let rows = open_rows::<F::New<'_>>(&news.rows)?.unwrap_or_default();
        let ends: &[[u8; 4]] = chunks(&news.ends, groups, "ends")?;
        let causes = sized(&news.causes, groups, "causes")?;
        let mut changed = Changed::<F::StateWriter, F::EmittedWriter>::with_room(groups);
        let mut start = 0;
        for group in 0..groups {
            let end = u32::from_le_bytes(ends[group]);
            let new = Values::new(rows, start as usize..end as usize);
            let state = (news.present[group] == 1).then(|| Read::read(&states, group));
            self.context.set_cause(causes[group]);
            let key = ReadRow::read_row(&keys, group);
            if let Err(reason) = F::call(&self.context, key, new, state, &mut changed) {
                changed.reject(start..end, reason)?;
            }
            start = end;
        }
        Ok(changed.finish())
    }

    fn migrate_states(&mut self, from_version: u32, stored: &[Field], states: &Batch) -> Result<Batch, Failure> {
        F::migrate(from_version, stored, states)
    }
}

// === impl Changed ===

impl<S: ColumnWriter, E: ColumnWriter> Changed<S, E> {
    fn with_room(groups: usize) -> Changed<S, E> {
        let mut changed = Changed { actions: Vec::with_capacity(groups), ..Changed::default() };
        changed.states.reserve_rows(groups);
        changed
    }

    /// What the function says of the next group.
    #[inline]
    pub fn apply<T: WriteRow<RowWriter = S>, U: WriteRow<RowWriter = E>>(&mut self, update: Update<T, U>) {
        let group = self.actions.len() as u32;
        let (state, first, more, wake_at) = update.into_parts();
        match &state {
            StateChange::Put(state) => self.states.push(state),
            StateChange::Keep | StateChange::Delete => self.states.push_blank(),
        }
        self.actions.push(state.action());
        if let Some(row) = first {
            self.emit(group, &row);
            more.iter().for_each(|row| self.emit(group, row));
        }
        if let Some(time) = wake_at {
            self.wake(group, time);
        }
    }

    #[inline]
    fn emit<U: WriteRow<RowWriter = E>>(&mut self, group: u32, row: &U) {
        self.emitted.push(row);
        self.emitted_groups.extend_from_slice(&group.to_le_bytes());
    }

    #[cold]
    fn wake(&mut self, group: u32, time: Timestamp) {
        self.pad_wake_at(group as usize);
        self.wake_at.extend_from_slice(&time.0.to_le_bytes());
    }

    /// No time for the groups before `groups` that have none yet.
    fn pad_wake_at(&mut self, groups: usize) {
        for _ in self.wake_at.len() / 8..groups {
            self.wake_at.extend_from_slice(&i64::MIN.to_le_bytes());
        }
    }

    /// The function will not take the next group's rows. Without rows there is nothing to reject, and the call fails.
    fn reject(&mut self, rows: Range<u32>, reason: String) -> Result<(), Failure> {
        if rows.is_empty() {
            return Err(failure(reason));
        }
        self.rejected.extend(rows.map(|row| Rejection { row, reason: reason.clone() }));
        self.states.push_blank();
        self.actions.push(0);
        Ok(())
    }

    fn finish(mut self) -> Changes {
        if !self.wake_at.is_empty() {
            self.pad_wake_at(self.actions.len());
        }
        let in_order = self.emitted.count() as usize == self.actions.len()
            && (0..).zip(self.emitted_groups.as_chunks().0).all(|(row, group)| u32::from_le_bytes(*group) == row);
        Changes {
            actions: self.actions,
            states: self.states.finish(),
            emitted: self.emitted.finish(),
            emitted_groups: (!in_order).then_some(self.emitted_groups),
            wake_at: (!self.wake_at.is_empty()).then_some(self.wake_at),
            rejected: self.rejected,
        }
    }
}
