//! Rows that a function will not take.

use std::fmt;

use tidemill_model::limits::REASON_BYTES;

use crate::{boundary::wire::RejectionOut, log::reason};

/// A character's bytes at most. With so many more than the limit a reason can be cut at a character.
const CHARACTER_BYTES: usize = 4;

/// Input rows that a function will not take, each once. The reasons are in the guest's memory: there can be as many as
/// rows, and few are ever read.
#[derive(Clone, Copy)]
pub struct RejectedRows<'a> {
    told: &'a [RejectionOut],
    memory: &'a [u8],
}

/// An input row that a function will not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The row of the call's input.
    pub row: u32,
    /// Why, for a person to read: one line, no longer than the limits say.
    pub reason: String,
}

impl<'a> RejectedRows<'a> {
    /// `memory` is the one that came with what was told.
    pub(crate) fn of(told: &'a [RejectionOut], memory: &'a [u8]) -> RejectedRows<'a> {
        RejectedRows { told, memory }
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.told.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// The rows, in the order in which they were told.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = u32> + Clone + 'a {
        self.told.iter().map(|told| told.row)
    }

    /// The rows and the reasons. A reason is copied when its row is asked for, and not before.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Rejection> + 'a {
        let memory = self.memory;
        self.told.iter().map(move |told| Rejection {
            row: told.row,
            reason: reason(told.reason.head(memory, REASON_BYTES + CHARACTER_BYTES)),
        })
    }

    /// The one that was told first.
    pub fn first(&self) -> Option<Rejection> {
        self.iter().next()
    }
}

impl fmt::Debug for RejectedRows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
