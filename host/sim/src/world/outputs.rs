//! What sinks have made visible.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_model::time::Timestamp;

use super::HostId;
use crate::scenario::{OutputSpec, SinkKind};

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
    /// Of a folder: there is one.
    pub is_there: bool,
    /// Which host has delivered what.
    delivered: BTreeSet<(HostId, Timestamp)>,
}

impl Output {
    pub fn new(spec: &OutputSpec) -> Output {
        Output {
            spec: *spec,
            batches: BTreeMap::new(),
            deliveries: Vec::new(),
            is_there: false,
            delivered: BTreeSet::new(),
        }
    }

    /// Whether a host that begins has to make its place.
    pub fn is_new(&self) -> bool {
        self.spec.sink == SinkKind::Folder && !self.is_there
    }

    /// A host begins to own its place.
    pub fn open(&mut self) {
        self.is_there = true;
    }

    /// Makes a batch visible. An error says which promise is broken.
    pub fn deliver(&mut self, delivery: Delivery) -> Result<(), String> {
        let Delivery { time, host, .. } = delivery;
        if !self.delivered.insert((host, time)) {
            return Err(format!("host {host} delivers the batch {time} to output `{}` twice", self.spec.name));
        }
        if self.spec.sink == SinkKind::Plain {
            self.deliveries.push(delivery);
            return Ok(());
        }
        if self.spec.sink == SinkKind::Folder && delivery.rows.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let before = self.batches.entry(time).or_insert_with(|| delivery.rows.clone());
        if *before == delivery.rows {
            Ok(())
        } else {
            Err(format!("output `{}` gets the batch {time} again with other rows", self.spec.name))
        }
    }

    /// The newest batch of a sink that knows its batches.
    pub fn newest(&self) -> Option<Timestamp> {
        self.batches.keys().next_back().copied()
    }
}
