//! The rows of each key in lists, one for each input.

use tidemill_model::{
    columns::{Column, Rows},
    schema::Schema,
    time::Timestamp,
};

use super::{
    Batch, Making, Operator, Out,
    arrange::Runs,
    chunks::{CHUNK_BYTES, CHUNK_ROWS},
    sides::Sides,
};
use crate::failure::{Cause, RunError};

/// One row a key.
pub(crate) struct Group {
    schema: Schema,
    sides: Sides,
    /// For each input whether the items of its list are records, and not single values.
    are_records: Vec<bool>,
}

/// The operator of a stream of groups.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let node = making.node;
    let keys = making.keys();
    let inputs: Vec<&Schema> = making.inputs.iter().map(|input| &input.schema).collect();
    let is_record = |input: usize| keys.others(input, inputs[input]).len() > 1;
    Ok(Box::new(Group {
        schema: node.schema.clone(),
        are_records: (0..inputs.len()).map(is_record).collect(),
        sides: Sides::new(keys, &inputs, |_, others| others, making.seed),
    }))
}

impl Group {
    /// How many of the first `keys` keys behind `first` have no more bytes than a chunk; one at least.
    fn keys_within(&self, first: usize, keys: usize) -> usize {
        let mut bytes = 0;
        let within = (first..first + keys).take_while(|&group| {
            bytes += self.sides.key(group).len();
            bytes <= CHUNK_BYTES
        });
        within.count().max(1)
    }

    fn push_groups(&self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let count = self.sides.keys();
        let columns: Vec<Vec<Column<'_>>> = self.sides.sides.iter().map(|side| side.rows.columns()).collect();
        let sides = self.sides.sides.iter().zip(&columns);
        let mut runs: Vec<Runs<'_>> =
            sides.map(|(side, columns)| Runs::new(side.rows.with_columns(columns), &side.groups, count)).collect();
        let bytes_max = CHUNK_BYTES / runs.len();
        let mut first = 0;
        while first < count {
            let within = runs.iter().map(|runs| runs.groups_within(CHUNK_ROWS, bytes_max)).min();
            let groups = self.keys_within(first, within.unwrap_or(1).min(CHUNK_ROWS));
            let keys = self.sides.decode(first..first + groups)?;
            let lists: Vec<_> = runs.iter_mut().map(|runs| runs.next(groups)).collect::<Result<_, _>>()?;
            let lists: Vec<_> = lists.iter().map(|list| list.arranged()).collect();
            let ends = |ends: &[u32]| -> Vec<i32> {
                // What is held has fewer rows than offsets can number.
                std::iter::once(0).chain(ends.iter().map(|&end| end as i32)).collect()
            };
            let offsets: Vec<Vec<i32>> = lists.iter().map(|list| ends(list.ends)).collect();
            let mut columns = keys.columns();
            for ((list, offsets), is_record) in lists.iter().zip(&offsets).zip(&self.are_records) {
                columns.push(Column { offsets, ..Column::default() });
                columns.extend(is_record.then(Column::default));
                columns.extend_from_slice(list.rows.columns);
            }
            out.push(batch, &Rows { schema: &self.schema, len: groups, columns: &columns })?;
            first += groups;
        }
        Ok(())
    }
}

impl Operator for Group {
    fn begin(&mut self, _batch: &Batch) {
        self.sides.begin();
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        self.sides.push(batch, rows)
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        self.push_groups(batch, out)?;
        self.sides.begin();
        Ok(())
    }

    fn work_at_end(&self, _time: Timestamp) -> usize {
        self.sides.len()
    }

    fn held_bytes(&self) -> usize {
        self.sides.held_bytes()
    }
}
