//! Rows of several inputs by key, until the batch ends.

use tidemill_model::{
    columns::{Column, ColumnFull, Rows, RowsBuffer},
    key::{self, DecodeError, KeyBuffer},
    schema::Schema,
};
use tidemill_plan::graph::Keys;
use tidemill_state::keys::KeyTable;

use super::{
    Batch,
    combine::{KEPT_BYTES_MAX, begin_groups, key_column},
    key_bytes::KeyBytes,
};
use crate::failure::Cause;

/// The rows of all inputs, those of a key under one number.
pub(super) struct Sides {
    table: KeyTable,
    key_schema: Schema,
    pub(super) sides: Vec<Side>,
    key_bytes: KeyBytes,
}

/// The rows of an input.
pub(super) struct Side {
    by: KeyFields,
    /// The fields that are not of the key.
    others: Vec<usize>,
    /// In order of arrival.
    pub(super) rows: RowsBuffer,
    /// For each row the number of its key.
    pub(super) groups: Vec<u32>,
}

/// The key of rows of an input.
pub(crate) struct KeyFields {
    fields: Vec<usize>,
    /// What keys are, if that is not what the fields are by themselves.
    schema: Option<Schema>,
    keys: KeyBuffer,
}

impl KeyFields {
    /// `schema` is the input's.
    pub(crate) fn new(keys: &Keys, input: usize, schema: &Schema) -> KeyFields {
        let fields = keys.fields[input].clone();
        let own = schema.project(&fields);
        let is_same = own.fields().iter().zip(keys.schema.fields()).all(|(own, key)| own.ty == key.ty);
        KeyFields { schema: (!is_same).then(|| keys.schema.clone()), fields, keys: KeyBuffer::default() }
    }

    /// The canonical bytes of each row's key.
    pub(crate) fn column<'a>(&'a mut self, rows: &Rows<'a>) -> Result<Column<'a>, ColumnFull> {
        let Some(schema) = &self.schema else { return key_column(rows, &self.fields, &mut self.keys) };
        self.keys.clear();
        key::encode(schema, &rows.project(&self.fields), rows.len, &mut self.keys)?;
        Ok(self.keys.column())
    }
}

impl Sides {
    /// `inputs`: their schemas. `gathered` makes of the schema of fields that are not of the key what they are gathered as.
    pub(super) fn new(keys: &Keys, inputs: &[&Schema], gathered: impl Fn(usize, Schema) -> Schema, seed: u64) -> Sides {
        let side = |(input, schema): (usize, &&Schema)| {
            let others = keys.others(input, schema);
            let rows = RowsBuffer::new(&gathered(input, schema.project(&others)));
            Side { by: KeyFields::new(keys, input, schema), others, rows, groups: Vec::new() }
        };
        let sides = inputs.iter().enumerate().map(side).collect();
        Sides { table: KeyTable::new(seed), key_schema: keys.schema.clone(), sides, key_bytes: KeyBytes::default() }
    }

    /// Forgets all rows.
    pub(super) fn begin(&mut self) {
        for side in &mut self.sides {
            side.rows.clear_within(KEPT_BYTES_MAX);
            side.groups.clear();
        }
        self.key_bytes = KeyBytes::default();
        begin_groups(&mut self.table);
    }

    /// Adds rows of the input from which they are pushed.
    pub(super) fn push(&mut self, batch: &Batch, rows: &Rows<'_>) -> Result<(), Cause> {
        let side = &mut self.sides[batch.input];
        self.table.group(side.by.column(rows)?, &mut side.groups);
        let (schema, columns) = (side.rows.schema().clone(), rows.project(&side.others));
        side.rows.extend(&Rows { schema: &schema, len: rows.len, columns: &columns })?;
        self.key_bytes.count(&self.table);
        batch.hold(self.held_bytes())
    }

    /// How many keys there are. They are numbered in order of first appearance.
    pub(super) fn keys(&self) -> usize {
        self.table.touched().len()
    }

    /// The canonical bytes of the key with a number.
    pub(super) fn key(&self, group: usize) -> &[u8] {
        self.table.key(self.table.touched()[group])
    }

    /// The keys with these numbers, one a row.
    pub(super) fn decode(&self, groups: impl Iterator<Item = usize>) -> Result<RowsBuffer, DecodeError> {
        let mut keys = RowsBuffer::new(&self.key_schema);
        key::decode(groups.map(|group| self.key(group)), &mut keys)?;
        Ok(keys)
    }

    /// Bytes of all rows, each with its key's number, its place among those of the key and its size, and of the keys.
    pub(super) fn held_bytes(&self) -> usize {
        let of_side = |side: &Side| side.rows.bytes() + side.groups.len() * 3 * size_of::<u32>();
        self.key_bytes.bytes() + self.sides.iter().map(of_side).sum::<usize>()
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.sides.iter().map(|side| side.groups.len()).sum()
    }
}
