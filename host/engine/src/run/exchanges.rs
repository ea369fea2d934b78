//! Rows between stages, for one batch.

use std::collections::HashMap;

use tidemill_model::columns::RowsBuffer;
use tidemill_plan::stages::ExchangeId;

/// What stages left, by exchange and target partition, in the order of the partitions that left it.
pub(super) struct Exchanges {
    by_id: Vec<HashMap<u32, Vec<RowsBuffer>>>,
}

impl Exchanges {
    pub(super) fn new(count: usize) -> Exchanges {
        Exchanges { by_id: vec![HashMap::new(); count] }
    }

    pub(super) fn put(&mut self, exchange: ExchangeId, to: u32, rows: RowsBuffer) {
        self.by_id[exchange.0].entry(to).or_default().push(rows);
    }

    /// For each partition its rows, exchange by exchange.
    pub(super) fn take(&mut self, ids: &[ExchangeId]) -> HashMap<u32, Vec<RowsBuffer>> {
        let mut taken: HashMap<u32, Vec<RowsBuffer>> = HashMap::new();
        for id in ids {
            for (to, mut rows) in std::mem::take(&mut self.by_id[id.0]) {
                taken.entry(to).or_default().append(&mut rows);
            }
        }
        taken
    }
}
