//! Rows on their way to the partitions of another stage. Of a partition that gets none there is nothing: where there are many
//! partitions, each has a place like this for all of them.

use std::collections::BTreeMap;

use tidemill_model::schema::Schema;

use super::arrange::{by_group, ends_of};
use crate::pieces::{Cut, Piece, Pieces};

/// What was left for each partition.
pub(super) struct Scattered {
    schema: Schema,
    cut: Cut,
    places: BTreeMap<u32, Pieces>,
}

/// Rows by the partition that they go to.
pub(super) struct Placed {
    /// All rows, those of a partition in a run.
    order: Vec<u32>,
    /// For each partition where its run ends.
    ends: Vec<u32>,
}

impl Scattered {
    /// For readers that take rows out of the middle.
    pub(super) fn new(schema: &Schema) -> Scattered {
        Scattered { schema: schema.clone(), cut: Cut::Within, places: BTreeMap::new() }
    }

    /// For readers that must know the place of each row in the order.
    pub(super) fn apart(schema: &Schema) -> Scattered {
        Scattered { cut: Cut::Apart, ..Scattered::new(schema) }
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.places.clear();
    }

    /// Where rows for a partition are put.
    pub(super) fn place(&mut self, partition: u32) -> &mut Pieces {
        self.places.entry(partition).or_insert_with(|| Pieces::new(&self.schema, self.cut))
    }

    /// What was filled for each partition; not what can still be filled, unless all is wanted.
    pub(super) fn take(&mut self, all: bool) -> Vec<(u32, Piece)> {
        if all {
            let places = std::mem::take(&mut self.places).into_iter();
            return places.flat_map(|(number, mut pieces)| pieces.take().map(move |piece| (number, piece))).collect();
        }
        let closed = |(&number, pieces): (&u32, &mut Pieces)| pieces.take_closed().map(move |piece| (number, piece));
        self.places.iter_mut().flat_map(closed).collect()
    }

    /// Bytes of all rows.
    pub(super) fn bytes(&self) -> usize {
        self.places.values().map(Pieces::bytes).sum()
    }
}

impl Placed {
    /// `of` has the partition of each row, below `partitions`.
    pub(super) fn of(of: &[u32], partitions: u32) -> Placed {
        let ends = ends_of(of, partitions as usize);
        Placed { order: by_group(of, &ends), ends }
    }

    /// The partitions that get rows, and these in their order.
    pub(super) fn runs(&self) -> impl Iterator<Item = (u32, &[u32])> {
        let mut start = 0;
        let run = move |(partition, &end): (u32, &u32)| {
            let rows = &self.order[std::mem::replace(&mut start, end as usize)..end as usize];
            (partition, rows)
        };
        (0u32..).zip(&self.ends).map(run).filter(|(_, rows)| !rows.is_empty())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use tidemill_model::testing::{Value, buffer_of, values_of};

    use super::*;
    use crate::arrival::Arrival;

    /// Of many partitions a few get rows, in the order in which these came; of the others there is nothing.
    #[test]
    fn only_partitions_that_get_rows_have_a_place() {
        let schema: Schema = "n: integer".parse().unwrap();
        let rows = buffer_of(&schema, &(0..6).map(|n| vec![Value::Integer(n)]).collect::<Vec<_>>());
        let columns = rows.columns();
        let rows = rows.with_columns(&columns);
        let mut scattered = Scattered::new(&schema);
        for _ in 0..2 {
            let placed = Placed::of(&[4_095, 7, 7, 0, 4_095, 7], 4_096);
            for (partition, of_it) in placed.runs() {
                let place = scattered.place(partition);
                place.add(Arrival::default(), rows.bytes(), |buffer| buffer.take(&rows, of_it)).unwrap();
            }
            assert_eq!((scattered.places.len(), scattered.bytes() > 6 * 8), (3, true));
            assert!(scattered.take(false).is_empty(), "more may come");
            let left = scattered.take(true).into_iter().map(|(partition, piece)| {
                let numbers = values_of(&piece.rows.with_columns(&piece.rows.columns())).concat();
                (partition, numbers)
            });
            let expect = [(0, vec![3]), (7, vec![1, 2, 5]), (4_095, vec![0, 4])]
                .map(|(partition, numbers)| (partition, numbers.into_iter().map(Value::Integer).collect()));
            assert_eq!(left.collect::<Vec<_>>(), expect);
            assert_eq!((scattered.places.len(), scattered.bytes()), (0, 0));
        }
    }
}
