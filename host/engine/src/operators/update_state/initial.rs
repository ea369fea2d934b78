//! The first states of keys, from a stream of their own.

use std::collections::HashSet;

use tidemill_model::{
    columns::{Rows, RowsBuffer},
    schema::Schema,
};
use tidemill_plan::graph::Keys;
use tidemill_state::keyed::{Action, KeyedTable};

use super::{super::sides::KeyFields, INITIAL};
use crate::{failure::Cause, operators::combine::KEPT_BYTES_MAX};

/// The rows of the stream, until the batch ends.
pub(super) struct Initial {
    by: KeyFields,
    /// Which of its fields are the state.
    fields: Vec<usize>,
    states: RowsBuffer,
    /// For each row its key, as a group of the table.
    groups: Vec<u32>,
    /// The rows of the table that got their state from it in this batch.
    given: Vec<u32>,
}

impl Initial {
    /// `schema` is the stream's, `state` that of states.
    pub(super) fn new(keys: &Keys, schema: &Schema, fields: &[usize], state: &Schema) -> Initial {
        let (by, states) = (KeyFields::new(keys, INITIAL, schema), RowsBuffer::new(state));
        Initial { by, fields: fields.to_vec(), states, groups: Vec::new(), given: Vec::new() }
    }

    pub(super) fn begin(&mut self) {
        self.forget_rows();
        self.given.clear();
    }

    fn forget_rows(&mut self) {
        self.states.clear_within(KEPT_BYTES_MAX);
        self.groups.clear();
    }

    /// The keys that got their state in this batch, as rows of the table.
    pub(super) fn given(&self) -> &[u32] {
        &self.given
    }

    pub(super) fn push(&mut self, table: &mut KeyedTable, rows: &Rows<'_>) -> Result<(), Cause> {
        table.group(self.by.column(rows)?, &mut self.groups);
        let (schema, columns) = (self.states.schema().clone(), rows.project(&self.fields));
        Ok(self.states.extend(&Rows { schema: &schema, len: rows.len, columns: &columns })?)
    }

    /// Gives those keys a state that have none: that of the first row of each.
    pub(super) fn write(&mut self, table: &mut KeyedTable) -> Result<(), Cause> {
        let mut given = HashSet::new();
        let (mut keys, mut chosen) = (Vec::new(), Vec::new());
        for (row, &group) in (0u32..).zip(&self.groups) {
            let key = table.touched()[group as usize];
            if !table.has_state(key) && given.insert(key) {
                keys.push(key);
                chosen.push(row);
            }
        }
        let mut states = RowsBuffer::new(self.states.schema());
        states.take(&self.states.with_columns(&self.states.columns()), &chosen)?;
        table.write(&keys, &vec![Action::Put; keys.len()], &states.with_columns(&states.columns()))?;
        self.forget_rows();
        self.given = keys;
        Ok(())
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.states.bytes() + self.groups.len() * size_of::<u32>()
    }
}
