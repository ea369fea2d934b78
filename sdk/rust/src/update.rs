//! What an update-state function can say of a key, in its fuller form.

use crate::value::Timestamp;

/// What becomes of a key's state, the rows to emit, and when the key is to be called again.
///
/// ```
/// use tidemill_sdk::prelude::*;
///
/// // A third visit is reported once, and then the key is forgotten.
/// #[update_state]
/// fn third_visit(new: Values<i64>, seen: Option<i64>) -> Update<i64, i64> {
///     match seen.unwrap_or(0) + new.len() as i64 {
///         visits if visits >= 3 => Update::delete().emit(visits),
///         visits => Update::put(visits),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an update-state function returns it"]
pub struct Update<S, E = ()> {
    state: StateChange<S>,
    /// Most keys emit one row or none, which needs no allocation.
    first: Option<E>,
    more: Vec<E>,
    wake_at: Option<Timestamp>,
}

/// What becomes of a key's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateChange<S> {
    /// As it was; a key without state gets none.
    Keep,
    /// The new state.
    Put(S),
    /// No state any more.
    Delete,
}

impl<S, E> Update<S, E> {
    /// The key's state stays as it was, and so does the time at which it is to be called again, if that is still to come.
    pub fn keep() -> Update<S, E> {
        Update::new(StateChange::Keep)
    }

    /// The key's state is `state` from now on. It is called again only for new rows, unless [`Update::wake_at`] says
    /// more.
    #[inline]
    pub fn put(state: S) -> Update<S, E> {
        Update::new(StateChange::Put(state))
    }

    /// The key has no state any more.
    pub fn delete() -> Update<S, E> {
        Update::new(StateChange::Delete)
    }

    #[inline]
    fn new(state: StateChange<S>) -> Update<S, E> {
        Update { state, first: None, more: Vec::new(), wake_at: None }
    }

    /// Emits a row, after those that were emitted before.
    pub fn emit(mut self, row: E) -> Update<S, E> {
        if self.first.is_none() {
            self.first = Some(row)
        } else {
            self.more.push(row)
        }
        self
    }

    /// Emits rows, after those that were emitted before.
    pub fn emit_all(self, rows: impl IntoIterator<Item = E>) -> Update<S, E> {
        rows.into_iter().fold(self, Update::emit)
    }

    /// The key is called again once `time` has come, even without new rows. This takes the place of an earlier time. A key
    /// that has no state is not called again.
    pub fn wake_at(mut self, time: Timestamp) -> Update<S, E> {
        self.wake_at = Some(time);
        self
    }

    #[inline]
    pub(crate) fn into_parts(self) -> (StateChange<S>, Option<E>, Vec<E>, Option<Timestamp>) {
        (self.state, self.first, self.more, self.wake_at)
    }
}

impl<S, E> From<Option<S>> for Update<S, E> {
    /// Puts the state, or deletes it where there is none.
    #[inline]
    fn from(state: Option<S>) -> Update<S, E> {
        state.map_or_else(Update::delete, Update::put)
    }
}

impl<S> StateChange<S> {
    /// As the WIT package numbers it.
    pub(crate) fn action(&self) -> u8 {
        match self {
            StateChange::Keep => 0,
            StateChange::Put(_) => 1,
            StateChange::Delete => 2,
        }
    }
}
