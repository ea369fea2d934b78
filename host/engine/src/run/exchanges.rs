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
        self.bytes += piece.bytes();
        self.by_id[exchange.0].entry(to).or_default().push(piece);
    }

    /// For each partition its rows.
    pub(super) fn take(&mut self, ids: &[ExchangeId], sequence: Sequence) -> HashMap<u32, Vec<Slice>> {
        let mut taken: HashMap<u32, Vec<Piece>> = HashMap::new();
        for id in ids {
            for (to, mut pieces) in std::mem::take(&mut self.by_id[id.0]) {
                self.bytes -= pieces.iter().map(Piece::bytes).sum::<usize>();
                taken.entry(to).or_default().append(&mut pieces);
            }
        }
        let slices = |pieces| match sequence {
            Sequence::Any => Slice::whole(pieces),
            Sequence::Arrival => Slice::in_order(pieces),
        };
        taken.into_iter().map(|(to, pieces)| (to, slices(pieces))).collect()
    }
}
