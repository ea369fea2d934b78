//! What sinks have made visible.

use std::collections::BTreeMap;

use tidemill_model::time::Timestamp;

use super::HostId;
use crate::scenario::OutputSpec;

/// Rows of a batch by partition, as text.
pub(crate) type Rows = Vec<Vec<String>>;

/// A batch that was made visible.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delivery {
    pub time: Timestamp,
    pub rows: Rows,
    pub host: HostId,
    /// Its host owned the checkpoint: no other one had taken over.
    pub by_owner: bool,
}

/// An output and what is visible of it.
pub(crate) struct Output {
    pub spec: OutputSpec,
    /// Of a sink that knows its batches.
    pub batches: BTreeMap<Timestamp, Rows>,
    /// Of one that does not: everything that it was told, in order.
    pub deliveries: Vec<Delivery>,
}

impl Output {
    pub fn new(spec: &OutputSpec) -> Output {
        Output { spec: *spec, batches: BTreeMap::new(), deliveries: Vec::new() }
    }

    /// Makes a batch visible. An error says which promise is broken.
    pub fn deliver(&mut self, delivery: Delivery) -> Result<(), String> {
        if !self.spec.is_exact {
            self.deliveries.push(delivery);
            return Ok(());
        }
        match self.batches.get(&delivery.time) {
            Some(before) if *before != delivery.rows => {
                Err(format!("output `{}` gets the batch {} again with other rows", self.spec.name, delivery.time))
            }
            Some(_) => Ok(()),
            None => {
                self.batches.insert(delivery.time, delivery.rows);
                Ok(())
            }
        }
    }

    /// The newest batch of a sink that knows its batches.
    pub fn newest(&self) -> Option<Timestamp> {
        self.batches.keys().next_back().copied()
    }
}
