//! The first rows of each key in an order, or of all rows: those that are behind so many others are let go as more come.

use tidemill_model::{
    columns::{Rows, RowsBuffer},
    schema::Schema,
};
use tidemill_plan::graph::{self, SortKey};
use tidemill_state::keys::KeyTable;

use super::{
    Batch, Making, Operator, Out,
    arrange::Places,
    chunks::push_in_chunks,
    combine::{KEPT_BYTES_MAX, begin_groups},
    key_bytes::KeyBytes,
    order::in_order,
    sides::KeyFields,
};
use crate::failure::{Cause, RunError};

/// So many rows are held before any are let go. Few in tests, so that they meet it.
const ROWS_MIN: usize = if cfg!(test) { 1 << 3 } else { 1 << 16 };

/// The operator of a stream of the first rows of each key.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let node = making.node;
    let graph::Operator::Top(top) = &node.operator else { unreachable!("first rows are made of {:?}", node.operator) };
    let by = node.keys().map(|keys| KeyFields::new(keys, 0, &node.schema));
    Ok(Box::new(Top::new(&node.schema, top, by, making.seed)))
}

struct Top {
    rows_max: usize,
    sort: Vec<SortKey>,
    /// `None`: all rows have one key.
    by: Option<KeyFields>,
    table: KeyTable,
    key_bytes: KeyBytes,
    rows: RowsBuffer,
    /// For each row the number of its key.
    groups: Vec<u32>,
    /// With more rows those are let go that are not among the first.
    rows_full: usize,
}

impl Top {
    fn new(schema: &Schema, top: &graph::Top, by: Option<KeyFields>, seed: u64) -> Top {
        Top {
            rows_max: top.rows_max,
            sort: top.sort.clone(),
            by,
            table: KeyTable::new(seed),
            key_bytes: KeyBytes::default(),
            rows: RowsBuffer::new(schema),
            groups: Vec::new(),
            rows_full: ROWS_MIN,
        }
    }

    fn keys(&self) -> usize {
        if self.by.is_some() { self.table.touched().len() } else { 1 }
    }

    /// The places of the first rows of each key, in their order, key by key.
    fn first(&self, batch: &Batch) -> Result<Vec<u32>, Cause> {
        let columns = self.rows.columns();
        let ordered = in_order(&self.rows.with_columns(&columns), &self.sort, batch)?;
        let groups: Vec<u32> = ordered.iter().map(|&row| self.groups[row as usize]).collect();
        let places = Places::new(&groups, self.keys());
        let of_key = |key| places.of(key).take(self.rows_max).map(|place| ordered[place as usize]);
        Ok((0..self.keys()).flat_map(of_key).collect())
    }

    /// Lets the rows go that are not among the first. The others stay as they came, so that those that compare equal do.
    fn let_go(&mut self, batch: &Batch) -> Result<(), Cause> {
        let mut first = self.first(batch)?;
        first.sort_unstable();
        let mut rows = RowsBuffer::new(self.rows.schema());
        rows.take(&self.rows.with_columns(&self.rows.columns()), &first)?;
        self.groups = first.iter().map(|&row| self.groups[row as usize]).collect();
        self.rows = rows;
        self.rows_full = (2 * self.groups.len()).max(ROWS_MIN);
        Ok(())
    }
}

impl Operator for Top {
    fn begin(&mut self, _batch: &Batch) {
        self.rows.clear_within(KEPT_BYTES_MAX);
        self.groups.clear();
        self.rows_full = ROWS_MIN;
        self.key_bytes = KeyBytes::default();
        begin_groups(&mut self.table);
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        match &mut self.by {
            Some(by) => {
                self.table.group(by.column(rows)?, &mut self.groups);
                self.key_bytes.count(&self.table);
            }
            None => self.groups.resize(self.groups.len() + rows.len, 0),
        }
        self.rows.extend(rows)?;
        if self.groups.len() > self.rows_full {
            self.let_go(batch)?;
        }
        batch.hold(self.held_bytes())
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let mut first = RowsBuffer::new(self.rows.schema());
        first.take(&self.rows.with_columns(&self.rows.columns()), &self.first(batch)?)?;
        self.rows.clear_within(KEPT_BYTES_MAX);
        self.groups.clear();
        push_in_chunks(batch, &first.with_columns(&first.columns()), out)
    }

    fn work_at_end(&self, _time: tidemill_model::time::Timestamp) -> usize {
        self.groups.len()
    }

    fn held_bytes(&self) -> usize {
        // With each row's key and its place in the order, and the keys that there are.
        self.rows.bytes() + self.groups.len() * 2 * size_of::<u32>() + self.key_bytes.bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use tidemill_model::{
        testing::{Value, buffer_of, values_of},
        time::Interval,
    };
    use tidemill_plan::graph::Keys;

    use super::*;

    /// Takes what comes.
    #[derive(Default)]
    struct Taken(Vec<(i64, i64, i64)>);

    impl Out for Taken {
        fn push(&mut self, _: &mut Batch, rows: &Rows<'_>) -> Result<(), Cause> {
            let number = |value: &Value| if let Value::Integer(number) = value { *number } else { i64::MIN };
            self.0.extend(values_of(rows).iter().map(|row| (number(&row[0]), number(&row[1]), number(&row[2]))));
            Ok(())
        }
    }

    /// However rows come, and however often some are let go, it is the first ones of each key that stay; and of them no more
    /// are held than twice as many, or than are held anyway.
    #[test]
    fn the_first_rows_of_each_key_stay() {
        let schema: Schema = "k: integer, n: integer, at: integer".parse().unwrap();
        let interval = Interval::try_new(1_000_000).unwrap();
        for (seed, chunk) in (0..40_i64).flat_map(|seed| [1, 3, 50].map(|chunk| (seed, chunk))) {
            let (rows_max, keys, descending) = (seed as usize % 4 + 1, seed % 5, seed % 2 == 0);
            let rows: Vec<(i64, i64, i64)> =
                (0..50).map(|at| ((at * 31 + seed) % (keys + 1), (at * 17 + seed * 5) % 7, at)).collect();
            let sort = if seed % 3 == 0 { Vec::new() } else { vec![SortKey { field: 1, descending }] };
            let by = if keys == 0 { Vec::new() } else { vec![0] };
            let mut expect = rows.clone();
            if !sort.is_empty() {
                expect.sort_by_key(|row| if descending { -row.1 } else { row.1 });
            }
            let order: Vec<i64> = rows.iter().fold(Vec::new(), |mut met, row| {
                if !met.contains(&row.0) {
                    met.push(row.0)
                }
                met
            });
            let of_key =
                |key: &i64| expect.iter().filter(|row| row.0 == *key).take(rows_max).copied().collect::<Vec<_>>();
            let expect: Vec<_> = order.iter().flat_map(of_key).collect();
            let fields = (keys > 0).then(|| KeyFields::new(&Keys::of(vec![0], &schema), 0, &schema));
            let mut top = Top::new(&schema, &graph::Top { rows_max, by, sort }, fields, seed as u64);
            let mut batch = Batch::new(interval, 0, 1);
            for _ in 0..2 {
                let mut taken = Taken::default();
                top.begin(&batch);
                for chunk in rows.chunks(chunk) {
                    let values: Vec<Vec<Value>> =
                        chunk.iter().map(|row| [row.0, row.1, row.2].map(Value::Integer).to_vec()).collect();
                    let buffer = buffer_of(&schema, &values);
                    top.push(&mut batch, &buffer.with_columns(&buffer.columns()), &mut taken).unwrap();
                    assert!(top.groups.len() <= (2 * rows_max * (keys as usize + 1)).max(ROWS_MIN) + chunk.len());
                }
                top.finish(&mut batch, &mut taken).unwrap();
                assert_eq!(taken.0, expect, "{seed} {chunk}");
            }
        }
    }
}
