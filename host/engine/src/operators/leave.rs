//! The ends of a stage, where rows are left for other partitions or a sink; and the step that hands rows on.

use std::ops::Range;

use tidemill_guest::Usage;
use tidemill_model::{columns::Rows, key::Slot, schema::Schema};
use tidemill_plan::stages::Order;

use super::{
    Batch, Operator, Out,
    scattered::{Placed, Scattered},
    sides::KeyFields,
};
use crate::{
    arrival::Arrival,
    failure::Cause,
    pieces::{Cut, Piece, Pieces},
};

/// Hands rows on as they are: a source's, or those of a union, whose inputs have the same fields in the same order.
pub(crate) struct Pass;

impl Operator for Pass {
    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        out.push(batch, rows)
    }
}

/// Leaves all rows, or as many as are looked at, at one place: a partition's number, or 0 for a sink.
pub(crate) struct Gather {
    pieces: Pieces,
    wanted: Option<Wanted>,
    to: u32,
    /// How many origins the inputs of a union have that come before this one.
    origin: u32,
    /// They are rows that the pipeline has once more.
    multiplies: bool,
}

/// The first rows of a stream, of which a partition has some: of each lane as many are taken as if it had all.
struct Wanted {
    rows_max: usize,
    /// For each origin and lane how many were taken. The last one is the newest.
    taken: Vec<(u32, u32, usize)>,
}

impl Wanted {
    /// How many of `rows` rows are wanted.
    fn of(&mut self, arrival: Arrival, rows: usize) -> usize {
        let is_of = |lane: &&mut (u32, u32, usize)| (lane.0, lane.1) == (arrival.origin, arrival.lane);
        match self.taken.iter_mut().rev().find(is_of) {
            Some((.., taken)) => {
                let wanted = rows.min(self.rows_max - *taken);
                *taken += wanted;
                wanted
            }
            None => {
                let wanted = rows.min(self.rows_max);
                self.taken.push((arrival.origin, arrival.lane, wanted));
                wanted
            }
        }
    }
}

impl Gather {
    pub(crate) fn new(schema: &Schema, rows_max: Option<usize>) -> Gather {
        let wanted = rows_max.map(|rows_max| Wanted { rows_max, taken: Vec::new() });
        Gather { pieces: Pieces::new(schema, Cut::Apart), wanted, to: 0, origin: 0, multiplies: false }
    }

    /// Leaves them for partition `to` of a union, behind `origin` other streams; or, in the same way, of a window, which counts
    /// itself what it gives.
    pub(crate) fn for_union(schema: &Schema, to: u32, origin: u32, is_union: bool) -> Gather {
        Gather { to, origin, multiplies: is_union, ..Gather::new(schema, None) }
    }
}

impl Operator for Gather {
    fn begin(&mut self, _batch: &Batch) {
        self.pieces.clear();
        self.wanted.iter_mut().for_each(|wanted| wanted.taken.clear());
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        if self.multiplies {
            // Unions of unions multiply what they are given.
            let (rows, bytes) = (rows.len as u64, rows.weight().max(rows.len) as u64);
            batch.budget.spend(Usage { rows, bytes, ..Usage::default() })?;
        }
        let arrival = Arrival { origin: self.origin + batch.arrival.origin, ..batch.arrival };
        let count = self.wanted.as_mut().map_or(rows.len, |wanted| wanted.of(arrival, rows.len));
        Ok(self.pieces.extend(arrival, rows, count)?)
    }

    fn leave(&mut self, _all: bool) -> Vec<(u32, Piece)> {
        self.pieces.take().map(|piece| (self.to, piece)).collect()
    }

    fn held_bytes(&self) -> usize {
        self.pieces.bytes()
    }
}

/// Sends each row to its key's partition.
pub(crate) struct Scatter {
    by: KeyFields,
    partitions: u32,
    /// The partition of each row that came last.
    of_rows: Vec<u32>,
    left: Scattered,
}

impl Scatter {
    pub(crate) fn new(schema: &Schema, by: KeyFields, partitions: u32) -> Scatter {
        Scatter { by, partitions, of_rows: Vec::new(), left: Scattered::new(schema) }
    }
}

impl Operator for Scatter {
    fn begin(&mut self, _batch: &Batch) {
        self.left.clear();
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        let keys = self.by.column(rows)?;
        self.of_rows.clear();
        self.of_rows.extend((0..rows.len).map(|row| Slot::of(keys.slice(row)).partition(self.partitions)));
        for (partition, chosen) in Placed::of(&self.of_rows, self.partitions).runs() {
            let place = self.left.place(partition);
            place.add(batch.arrival, rows.bytes(), |buffer| buffer.take(rows, chosen))?;
        }
        Ok(())
    }

    fn leave(&mut self, all: bool) -> Vec<(u32, Piece)> {
        self.left.take(all)
    }

    fn held_bytes(&self) -> usize {
        self.left.bytes()
    }
}

/// Spreads rows over partitions, one after the other. Rows of a place in the order stay together, so that they keep it; where a
/// stage makes its rows anew, and has one place for all of them, they get places here.
pub(crate) struct Spread {
    partitions: u32,
    /// This one's own partition, where it begins.
    own: u32,
    next: u32,
    gives_places: bool,
    /// The last place, and the partition of its rows.
    last: Option<(Arrival, u32)>,
    left: Scattered,
}

impl Spread {
    /// From partition `own` of a stage.
    pub(crate) fn new(schema: &Schema, partitions: u32, own: u32, order: Order) -> Spread {
        let gives_places = order == Order::Partition;
        Spread { partitions, own, next: 0, gives_places, last: None, left: Scattered::apart(schema) }
    }

    /// The partition for the next rows.
    fn turn(&mut self) -> u32 {
        let turn = (self.own + self.next) % self.partitions;
        self.next = (self.next + 1) % self.partitions;
        turn
    }

    fn put(&mut self, arrival: Arrival, rows: &Rows<'_>, range: Range<usize>) -> Result<(), Cause> {
        let partition = match self.last {
            Some((last, partition)) if last == arrival => partition,
            _ => self.turn(),
        };
        self.last = Some((arrival, partition));
        let place = self.left.place(partition);
        Ok(place.add(arrival, rows.bytes(), |buffer| buffer.extend_range(rows, range))?)
    }
}

impl Operator for Spread {
    fn begin(&mut self, _batch: &Batch) {
        (self.next, self.last) = (0, None);
        self.left.clear();
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        if !self.gives_places {
            return self.put(batch.arrival, rows, 0..rows.len);
        }
        let parts = rows.len.min(self.partitions as usize);
        for part in 0..parts {
            let index = self.last.map_or(0, |(last, _)| last.index + 1);
            let range = rows.len * part / parts..rows.len * (part + 1) / parts;
            self.put(Arrival { index, ..batch.arrival }, rows, range)?;
        }
        Ok(())
    }

    fn leave(&mut self, all: bool) -> Vec<(u32, Piece)> {
        self.left.take(all)
    }

    fn held_bytes(&self) -> usize {
        self.left.bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use tidemill_model::{
        testing::{Value, buffer_of},
        time::Interval,
    };
    use tidemill_plan::graph::Keys;

    use super::*;

    /// Of texts without any there is an offset, in each of three partitions.
    const EMPTY_BYTES: usize = 12;

    /// Nobody is behind the end of a stage.
    struct Nobody;

    impl Out for Nobody {
        fn push(&mut self, _: &mut Batch, _: &Rows<'_>) -> Result<(), Cause> {
            unreachable!("rows go nowhere from here")
        }
    }

    /// What is held counts against the limit of an open batch, until it is handed on or the batch is given up.
    #[test]
    fn rows_that_are_left_are_held_until_they_are_taken() {
        let schema: Schema = "k: text, n: integer".parse().unwrap();
        let mut batch = Batch::new(Interval::try_new(1_000).unwrap(), 0, 3);
        let values: Vec<_> = (0..40).map(|n| vec![Value::text(&"k".repeat(n)), Value::Integer(n as i64)]).collect();
        let rows = buffer_of(&schema, &values);
        let ends: [Box<dyn Operator>; 2] = [
            Box::new(Gather::new(&schema, None)),
            Box::new(Scatter::new(&schema, KeyFields::new(&Keys::of(vec![0], &schema), 0, &schema), 3)),
        ];
        for mut end in ends {
            end.begin(&batch);
            assert!(end.held_bytes() <= EMPTY_BYTES);
            for pushes in 1..4 {
                end.push(&mut batch, &rows.with_columns(&rows.columns()), &mut Nobody).unwrap();
                assert!(end.held_bytes() >= pushes * (40 * 8 + (0..40).sum::<usize>()), "{}", end.held_bytes());
            }
            let left = end.leave(true);
            assert_eq!(left.iter().map(|(_, piece)| piece.rows.len()).sum::<usize>(), 3 * 40);
            assert!(end.held_bytes() <= EMPTY_BYTES);
            end.push(&mut batch, &rows.with_columns(&rows.columns()), &mut Nobody).unwrap();
            end.begin(&batch);
            assert!(end.held_bytes() <= EMPTY_BYTES);
        }
    }
}
