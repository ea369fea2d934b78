//! The rows of the last batches, once more.
//!
//! Rows come out pane by pane, and in each in the order in which they came: where they are placed by
//! their key that is the order of the partition, and otherwise each run of rows is kept with its place in the order of the stream.

use tidemill_guest::Usage;
use tidemill_model::{
    columns::{Column, ColumnFull, Rows, RowsBuffer},
    key::{SLOTS, Slot},
    schema::Schema,
    time::Timestamp,
};
use tidemill_plan::graph::{self, Keys};
use tidemill_state::{numbered::Pane, table::Table};

use super::{Batch, KeyFields, Making, Operator, Out, chunks::push_in_chunks, panes::Panes};
use crate::{
    arrival::Arrival,
    failure::{Cause, RunError},
};

/// Bytes of a place in the order of a stream.
const PLACE_BYTES: usize = 3 * size_of::<u32>();

/// The window of one partition.
pub(crate) struct Window {
    schema: Schema,
    /// Of how many streams the input's rows come one after the other.
    origins: u32,
    layout: Layout,
    /// What rows of the table are.
    kept: Schema,
    panes: Panes,
    /// The rows of this batch.
    pane: Pane,
    pane_rows: usize,
}

/// How rows are kept.
enum Layout {
    /// Each with its key, by which they are placed.
    ByKey(KeyFields),
    /// As lists of those that came at one place of the order.
    Runs,
}

/// The operator of a stream of windows.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let node = making.node;
    let graph::Operator::Window { by, window } = &node.operator else {
        unreachable!("a window is made of {:?}", node.operator)
    };
    let Some(table) = node.tables().next() else { unreachable!("a window keeps rows") };
    let layout = if by.is_empty() {
        Layout::Runs
    } else {
        Layout::ByKey(KeyFields::new(&Keys::of(by.clone(), &node.schema), 0, &node.schema))
    };
    let batches = (window.length.micros() / window.every.micros()) as u32;
    Ok(Box::new(Window {
        schema: node.schema.clone(),
        origins: (making.origins - 1) / batches,
        layout,
        kept: table.rows.clone(),
        panes: Panes::new(*window),
        pane: Pane::new(&table.rows),
        pane_rows: 0,
    }))
}

impl Window {
    /// Pushes the rows of all panes of the window that ends now.
    fn push_panes(&self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let own = batch.arrival;
        for (place, pane) in self.panes.of(batch.time) {
            let first = place * self.origins;
            match &self.layout {
                Layout::ByKey(_) => self.push_rows(pane, first, batch, out)?,
                Layout::Runs => self.push_runs(pane, first, batch, out)?,
            }
        }
        batch.arrival = own;
        Ok(())
    }

    fn push_rows(&self, pane: &Pane, origin: u32, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let (_, columns) = pane.columns();
        spend(pane.len(), pane, batch)?;
        batch.arrival = Arrival { origin, ..Arrival::of_partition(batch.partition) };
        push_in_chunks(batch, &Rows { schema: &self.schema, len: pane.len(), columns: &columns }, out)
    }

    /// Runs of one partition may have come from several, whose places are mixed.
    fn push_runs(&self, pane: &Pane, first: u32, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let (places, columns) = pane.columns();
        let [list, _, fields @ ..] = &columns[..] else { unreachable!("a list of records has two columns of its own") };
        let mut order: Vec<usize> = (0..pane.len()).collect();
        order.sort_by_key(|&run| places.slice(run));
        let items = list.offsets.last().map_or(0, |&end| end as usize);
        let whole = Rows { schema: &self.schema, len: items, columns: fields };
        spend(items, pane, batch)?;
        let mut run_rows = RowsBuffer::new(&self.schema);
        for run in order {
            let range = list.offsets[run] as usize..list.offsets[run + 1] as usize;
            let arrival = place(places.slice(run));
            batch.arrival = Arrival { origin: first + arrival.origin, ..arrival };
            if range.len() == items {
                out.push(batch, &whole)?;
                continue;
            }
            run_rows.clear();
            run_rows.extend_range(&whole, range)?;
            out.push(batch, &run_rows.with_columns(&run_rows.columns()))?;
        }
        Ok(())
    }

    /// Adds rows to the pane, as one row with their place.
    fn add_run(&mut self, batch: &Batch, rows: &Rows<'_>) -> Result<(), Cause> {
        let Batch { arrival, partition, partitions, .. } = *batch;
        let Ok(end) = i32::try_from(rows.len) else { return Err(ColumnFull.into()) };
        let place = key_of(arrival, partition, partitions);
        let key = Column { validity: None, offsets: &[0, place.len() as i32], values: &place };
        let offsets = [0, end];
        let list = [Column { offsets: &offsets, ..Column::default() }, Column::default()];
        let columns: Vec<Column<'_>> = list.into_iter().chain(rows.columns.iter().copied()).collect();
        Ok(self.pane.extend(key, &Rows { schema: &self.kept, len: 1, columns: &columns })?)
    }
}

/// Windows over windows multiply what they are given.
fn spend(rows: usize, pane: &Pane, batch: &Batch) -> Result<(), Cause> {
    batch.budget.spend(Usage { rows: rows as u64, bytes: pane.bytes() as u64, ..Usage::default() })
}

/// The key of a run: its place, and then what makes it the key of the partition that has it, so that it is found there again if
/// there are as many. Of more partitions than keys have slots some have no key.
fn key_of(arrival: Arrival, partition: u32, partitions: u32) -> Vec<u8> {
    let mut key: Vec<u8> =
        [arrival.origin, arrival.lane, arrival.index].into_iter().flat_map(u32::to_be_bytes).collect();
    for salt in 0..=u16::MAX {
        key.truncate(PLACE_BYTES);
        key.extend(salt.to_be_bytes());
        if Slot::of(&key).partition(partitions) == partition || partitions > SLOTS {
            break;
        }
    }
    key
}

/// The place that these bytes say.
fn place(bytes: &[u8]) -> Arrival {
    let number = |at: usize| bytes[at..at + 4].iter().fold(0, |number, &byte| number << 8 | u32::from(byte));
    Arrival { origin: number(0), lane: number(4), index: number(8) }
}

impl Operator for Window {
    fn begin(&mut self, _batch: &Batch) {
        self.pane = Pane::new(&self.kept);
        self.pane_rows = 0;
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        if !self.panes.is_wanted(batch.time) {
            return Ok(());
        }
        // A column of all rows has room for what may be held.
        batch.hold(self.pane.bytes() + rows.bytes())?;
        self.pane_rows += rows.len;
        match &mut self.layout {
            Layout::ByKey(by) => Ok(self.pane.extend(by.column(rows)?, &Rows { schema: &self.kept, ..*rows })?),
            Layout::Runs => self.add_run(batch, rows),
        }
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let pane = std::mem::replace(&mut self.pane, Pane::new(&self.kept));
        self.panes.put(batch.time, pane);
        if self.panes.ends_at(batch.time) {
            self.push_panes(batch, out)?;
        }
        self.panes.let_go(batch.time);
        Ok(())
    }

    fn work_at_end(&self, time: Timestamp) -> usize {
        let of_window = if self.panes.ends_at(time) { self.panes.len() } else { 0 };
        self.pane_rows + of_window
    }

    fn held_bytes(&self) -> usize {
        self.pane.bytes()
    }

    fn lend(&mut self, tables: Vec<Table>) {
        self.panes.lend(tables);
    }

    fn give_back(&mut self) -> Vec<Table> {
        self.panes.give_back()
    }
}
