//! The rows of the last batch that has any, in every batch from then on.

use tidemill_guest::Usage;
use tidemill_model::{
    columns::{Column, Rows},
    schema::Schema,
    time::Timestamp,
};
use tidemill_plan::graph;
use tidemill_state::{numbered::Pane, table::Table as Kept};

use super::{Batch, Making, Operator, Out, chunks::push_in_chunks};
use crate::failure::{Cause, RunError};

/// The table of a stream.
struct Table {
    schema: Schema,
    bytes_max: usize,
    /// The rows of this batch.
    pane: Pane,
    /// While a batch is open: what stays.
    tables: Vec<Kept>,
}

/// The operator of a stream that is a table.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let node = making.node;
    let graph::Operator::Table { bytes_max } = node.operator else {
        unreachable!("a table is made of {:?}", node.operator)
    };
    let (schema, pane) = (node.schema.clone(), Pane::new(&node.schema));
    Ok(Box::new(Table { schema, bytes_max, pane, tables: Vec::new() }))
}

impl Operator for Table {
    fn begin(&mut self, _batch: &Batch) {
        self.pane = Pane::new(&self.schema);
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        let bytes = self.pane.bytes() + rows.bytes();
        batch.hold(bytes)?;
        if bytes > self.bytes_max {
            return Err(Cause::TooMuch { bytes_max: self.bytes_max });
        }
        // They have no keys.
        let offsets = vec![0; rows.len + 1];
        let keys = Column { validity: None, offsets: &offsets, values: &[] };
        Ok(self.pane.extend(keys, &Rows { schema: &self.schema, ..*rows })?)
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let pane = std::mem::replace(&mut self.pane, Pane::new(&self.schema));
        let table = self.tables[0].numbered_mut();
        if !pane.is_empty() {
            let gone: Vec<i64> = table.panes().map(|(time, _)| time).collect();
            gone.into_iter().for_each(|time| table.remove(time));
            table.put(batch.time.0, pane);
        }
        for (_, pane) in self.tables[0].numbered().panes() {
            let (_, columns) = pane.columns();
            batch.budget.spend(Usage { rows: pane.len() as u64, bytes: pane.bytes() as u64, ..Usage::default() })?;
            push_in_chunks(batch, &Rows { schema: &self.schema, len: pane.len(), columns: &columns }, out)?;
        }
        Ok(())
    }

    fn work_at_end(&self, _time: Timestamp) -> usize {
        self.pane.len() + self.tables.first().map_or(0, Kept::len)
    }

    fn held_bytes(&self) -> usize {
        self.pane.bytes()
    }

    fn lend(&mut self, tables: Vec<Kept>) {
        self.tables = tables;
    }

    fn give_back(&mut self) -> Vec<Kept> {
        std::mem::take(&mut self.tables)
    }
}
