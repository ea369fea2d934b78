//! What a call is given.

use tidemill_guest::UpdateCall;
use tidemill_model::{
    columns::{Column, RowsBuffer},
    key,
    schema::Schema,
};
use tidemill_state::keyed::KeyedTable;

use super::{super::arrange::Arranged, Come};
use crate::failure::Cause;

/// The bit of `causes` in the WIT package: the key has new rows.
const CAUSE_NEW_ROWS: u8 = 1;

/// The bit of `causes`: the key's wake-at has come.
const CAUSE_WOKEN: u8 = 2;

/// The bit of `causes`: the key has been idle for the time-out.
const CAUSE_IDLE: u8 = 4;

/// The keys of one call, and what there is about them.
pub(super) struct KeysOfCall<'a> {
    /// Their rows in the table.
    pub(super) rows: &'a [u32],
    pub(super) states: &'a RowsBuffer,
    /// Their new rows.
    pub(super) arranged: Arranged<'a>,
    /// The rows of the table whose time has come.
    pub(super) come: &'a Come,
    /// The only key was called with other new rows before.
    pub(super) goes_on: bool,
}

/// What a call needs besides: keys, which of them have state, and why it is made.
pub(super) struct Prepared {
    pub(super) keys: RowsBuffer,
    present: Vec<u8>,
    causes: Vec<u8>,
}

impl Prepared {
    pub(super) fn of(keys: &KeysOfCall<'_>, table: &KeyedTable, schema: &Schema) -> Result<Prepared, Cause> {
        let mut of_call = RowsBuffer::new(schema);
        key::decode(keys.rows.iter().map(|&row| table.key(row)), &mut of_call)?;
        let present: Vec<u8> = keys.rows.iter().map(|&row| u8::from(table.has_state(row))).collect();
        let news = keys.arranged.counts().map(|count| if count > 0 { CAUSE_NEW_ROWS } else { 0 });
        let come = keys.rows.iter().map(|row| {
            let woken = if keys.come.due.contains(row) { CAUSE_WOKEN } else { 0 };
            woken | if keys.come.idle.contains(row) { CAUSE_IDLE } else { 0 }
        });
        let causes: Vec<u8> = news.zip(come).map(|(news, come)| news | come).collect();
        Ok(Prepared { keys: of_call, present, causes })
    }

    /// The call. The columns are those of the keys here, and of the states.
    pub(super) fn call<'a>(
        &'a self,
        keys: &'a KeysOfCall<'a>,
        key_columns: &'a [Column<'a>],
        state_columns: &'a [Column<'a>],
    ) -> UpdateCall<'a> {
        UpdateCall {
            keys: self.keys.with_columns(key_columns),
            rows: keys.arranged.rows,
            ends: keys.arranged.ends,
            states: keys.states.with_columns(state_columns),
            present: &self.present,
            causes: &self.causes,
        }
    }
}
