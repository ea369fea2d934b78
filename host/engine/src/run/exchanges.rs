//! Rows between stages, for one batch.

use std::collections::HashMap;

use tidemill_plan::stages::{ExchangeId, Sequence};

use crate::pieces::{Piece, Slice};

/// What stages left, by exchange and target partition, in the order of the partitions that left it.
pub(super) struct Exchanges {
    by_id: Vec<HashMap<u32, Vec<Piece>>>,
    /// Of all rows: it is asked for round by round, and there are many pieces.
    bytes: usize,
}

impl Exchanges {
    pub(super) fn new(count: usize) -> Exchanges {
        Exchanges { by_id: (0..count).map(|_| HashMap::new()).collect(), bytes: 0 }
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.by_id.iter_mut().for_each(HashMap::clear);
        self.bytes = 0;
    }

    /// Bytes of all rows.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn put(&mut self, exchange: ExchangeId, to: u32, piece: Piece) {
        self.bytes += piece.held_bytes();
        self.by_id[exchange.0].entry(to).or_default().push(piece);
    }

    /// For each partition its rows; those of each exchange are of another input.
    pub(super) fn take(&mut self, ids: &[ExchangeId], sequence: Sequence) -> HashMap<u32, Vec<Slice>> {
        let mut taken: HashMap<u32, Vec<(usize, Piece)>> = HashMap::new();
        for (input, id) in ids.iter().enumerate() {
            for (to, pieces) in std::mem::take(&mut self.by_id[id.0]) {
                self.bytes -= pieces.iter().map(Piece::held_bytes).sum::<usize>();
                taken.entry(to).or_default().extend(pieces.into_iter().map(|piece| (input, piece)));
            }
        }
        let slices = |pieces| match sequence {
            Sequence::Any => Slice::whole(pieces),
            Sequence::Arrival => Slice::in_order(pieces),
        };
        taken.into_iter().map(|(to, pieces)| (to, slices(pieces))).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use tidemill_model::testing::{Value, buffer_of};

    use super::*;
    use crate::{
        arrival::Arrival,
        pieces::{Cut, Pieces},
    };

    /// A piece of so many rows, that came at this place.
    fn piece(index: u32, rows: usize) -> Piece {
        let schema = "n: integer".parse().unwrap();
        let mut pieces = Pieces::new(&schema, Cut::Apart);
        let buffer = buffer_of(&schema, &vec![vec![Value::Integer(1)]; rows]);
        let arrival = Arrival { origin: 0, lane: 0, index };
        pieces.extend(arrival, &buffer.with_columns(&buffer.columns()), rows).unwrap();
        pieces.take().next().unwrap()
    }

    #[test]
    fn what_was_left_is_taken_once_and_counted_as_long_as_it_is_there() {
        let mut exchanges = Exchanges::new(3);
        let left = [(0, 0, 5, 2), (0, 1, 6, 3), (1, 0, 4, 4), (2, 0, 1, 5), (0, 0, 7, 6)];
        for (exchange, to, index, rows) in left {
            exchanges.put(ExchangeId(exchange), to, piece(index, rows));
        }
        let bytes = |rows: &[usize]| rows.iter().map(|&rows| piece(0, rows).held_bytes()).sum::<usize>();
        assert_eq!(exchanges.bytes(), bytes(&[2, 3, 4, 5, 6]));
        let lengths = |slices: &[Slice]| slices.iter().map(Slice::len).collect::<Vec<_>>();
        let taken = exchanges.take(&[ExchangeId(0), ExchangeId(1)], Sequence::Arrival);
        assert_eq!((lengths(&taken[&0]), lengths(&taken[&1]), taken.len()), (vec![2, 6, 4], vec![3], 2));
        assert_eq!(exchanges.bytes(), bytes(&[5]));
        assert!(exchanges.take(&[ExchangeId(0), ExchangeId(1)], Sequence::Arrival).is_empty());
        exchanges.put(ExchangeId(1), 0, piece(9, 1));
        exchanges.clear();
        assert_eq!(exchanges.bytes(), 0);
        assert!(exchanges.take(&[ExchangeId(0), ExchangeId(1), ExchangeId(2)], Sequence::Any).is_empty());
    }
}
