//! Sort and limit: over all rows of a batch, in one partition.

mod sorted;

use tidemill_model::{
    columns::{Rows, RowsBuffer},
    key::KeyBuffer,
    schema::Schema,
    time::Timestamp,
};
use tidemill_plan::graph::{self, SortKey};

use super::{Batch, Making, Operator, Out, chunks::push_in_chunks, combine::KEPT_BYTES_MAX};
use crate::failure::{Cause, RunError};

/// The operator of a stream that is sorted.
pub(super) fn make_sort(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let node = making.node;
    let graph::Operator::Sort(keys) = &node.operator else { unreachable!("a sort is made of {:?}", node.operator) };
    Ok(Box::new(Sort::new(&node.schema, keys)))
}

/// The operator of a stream that is limited.
pub(super) fn make_limit(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let node = making.node;
    let graph::Operator::Limit(rows_max) = node.operator else {
        unreachable!("a limit is made of {:?}", node.operator)
    };
    Ok(Box::new(Limit::new(rows_max)))
}

/// Rows in order; rows that compare equal keep theirs.
pub(crate) struct Sort {
    keys: Vec<SortKey>,
    rows: RowsBuffer,
}

impl Sort {
    pub(crate) fn new(schema: &Schema, keys: &[SortKey]) -> Sort {
        Sort { keys: keys.to_vec(), rows: RowsBuffer::new(schema) }
    }
}

impl Operator for Sort {
    fn begin(&mut self, _batch: &Batch) {
        self.rows.clear_within(KEPT_BYTES_MAX);
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        self.rows.extend(rows)?;
        batch.hold(self.held_bytes())
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let columns = self.rows.columns();
        let rows = self.rows.with_columns(&columns);
        let order = in_order(&rows, &self.keys, batch)?;
        let mut sorted = RowsBuffer::new(rows.schema);
        for part in order.chunks(sorted::PART_ROWS) {
            batch.look_up()?;
            sorted.take(&rows, part)?;
        }
        drop(columns);
        self.rows.clear_within(KEPT_BYTES_MAX);
        push_in_chunks(batch, &sorted.with_columns(&sorted.columns()), out)
    }

    fn work_at_end(&self, _time: Timestamp) -> usize {
        self.rows.len()
    }

    fn held_bytes(&self) -> usize {
        // With the place of each in the order.
        self.rows.bytes() + self.rows.len() * size_of::<u32>()
    }
}

/// The places of rows in order; rows that compare equal keep theirs.
pub(super) fn in_order(rows: &Rows<'_>, keys: &[SortKey], batch: &Batch) -> Result<Vec<u32>, Cause> {
    // Canonical key bytes sort as their values do, each field for itself.
    let mut encoded = vec![KeyBuffer::default(); keys.len()];
    for (key, encoded) in keys.iter().zip(&mut encoded) {
        batch.look_up()?;
        rows.encode_keys(&[key.field], encoded)?;
    }
    let compare = |left: u32, right: u32| {
        let by_key = keys.iter().zip(&encoded).map(|(key, encoded)| {
            let column = encoded.column();
            let ascending = column.slice(left as usize).cmp(column.slice(right as usize));
            if key.descending { ascending.reverse() } else { ascending }
        });
        by_key.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    };
    sorted::sorted(rows.len, compare, || batch.look_up())
}

/// The first rows.
pub(crate) struct Limit {
    rows_max: usize,
    seen: usize,
}

impl Limit {
    pub(crate) fn new(rows_max: usize) -> Limit {
        Limit { rows_max, seen: 0 }
    }
}

impl Operator for Limit {
    fn begin(&mut self, _batch: &Batch) {
        self.seen = 0;
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        let wanted = rows.len.min(self.rows_max - self.seen);
        self.seen += wanted;
        if wanted == rows.len {
            return out.push(batch, rows);
        }
        if wanted == 0 {
            return Ok(());
        }
        let mut first = RowsBuffer::new(rows.schema);
        first.extend_range(rows, 0..wanted)?;
        out.push(batch, &first.with_columns(&first.columns()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::{sync::Arc, time::Duration};

    use tidemill_connect::system::ManualClock;
    use tidemill_model::{
        ports::Wake,
        testing::{Value, buffer_of},
        time::Interval,
    };

    use super::*;
    use crate::stop::Stopper;

    struct Nobody;

    impl Out for Nobody {
        fn push(&mut self, _: &mut Batch, _: &Rows<'_>) -> Result<(), Cause> {
            Ok(())
        }
    }

    #[test]
    fn a_sort_ends_when_there_is_no_time_left() {
        let schema: Schema = "n: integer".parse().unwrap();
        let rows = buffer_of(&schema, &[vec![Value::Integer(2)], vec![Value::Integer(1)]]);
        let stopper = Stopper::new(Wake::default(), Arc::new(ManualClock::new(Timestamp(0))), Duration::ZERO);
        let stopped = Some(stopper.clone());
        let mut batch = Batch { stopper: stopped, ..Batch::new(Interval::try_new(1_000).unwrap(), 0, 1) };
        let mut sort = Sort::new(&schema, &[SortKey { field: 0, descending: false }]);
        let mut finish = |batch: &mut Batch| {
            sort.begin(batch);
            sort.push(batch, &rows.with_columns(&rows.columns()), &mut Nobody).unwrap();
            sort.finish(batch, &mut Nobody)
        };
        finish(&mut batch).unwrap();
        stopper.stop();
        assert!(matches!(finish(&mut batch), Err(Cause::OutOfTime)));
    }
}
