//! What is done with the answer of a call.

use std::collections::HashSet;

use tidemill_guest::{Changes, UpdateCall};
use tidemill_model::{columns::Rows, schema::Schema, time::Timestamp};
use tidemill_state::{
    keyed::{Action, KeyedTable},
    table::StateError,
};

use super::{
    super::{Batch, Out, Policy, beside::Beside, letters::Letter},
    KeysOfCall,
};
use crate::failure::Cause;

/// Sets a new row aside that the function rejected, with its key.
pub(super) fn set_aside(
    policy: &mut Policy,
    batch: &Batch,
    keys: &KeysOfCall<'_>,
    call: &UpdateCall<'_>,
    row: usize,
    reason: &str,
) -> Result<(), Cause> {
    let group = call.ends.partition_point(|&end| end as usize <= row);
    let letter = Letter {
        row: Some(keys.arranged.numbers.of(row)),
        reason,
        key: Some((&call.keys, group)),
        values: Some((&call.rows, row)),
    };
    policy.letter(batch, &letter)
}

/// Does to the table what the function said of a call. Gives whether a wake-at that has come was used up.
pub(super) fn write(table: &mut KeyedTable, keys: &KeysOfCall<'_>, changes: &Changes<'_>) -> Result<bool, StateError> {
    let (rows, ends, due, idle) = (keys.rows, keys.arranged.ends, &keys.come.due, &keys.come.idle);
    let actions: Vec<Action> = changes
        .actions
        .iter()
        .zip(rows)
        .map(|(action, row)| match action {
            // Whatever it says of a key that has been idle: it was the last call for it.
            _ if idle.contains(row) => Action::Delete,
            0 => Action::Keep,
            1 => Action::Put,
            _ => Action::Delete,
        })
        .collect();
    table.write(rows, &actions, &changes.states)?;
    // A key that is kept keeps its wake-at too. One that has come is used up by the call, unless the function took none
    // of the key's new rows: then it is as if it had not been called.
    let rejected = Rejected::of(changes);
    let mut is_used_up = false;
    for (group, &row) in rows.iter().enumerate() {
        let at = changes.wake_at.map(|times| times[group]).filter(|&at| at != i64::MIN && !idle.contains(&row));
        let stays = at.is_none() && actions[group] == Action::Keep;
        if stays && (!due.contains(&row) || rejected.has_all(ends, group)) {
            continue;
        }
        is_used_up |= due.contains(&row);
        table.set_wake(row, at.map(Timestamp))?;
    }
    Ok(is_used_up)
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
pub(super) fn emit(
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
