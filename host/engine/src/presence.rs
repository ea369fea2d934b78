//! Whether a stream has a batch at a tick. A batch without rows is not the same as none.

use std::collections::BTreeSet;

use tidemill_model::time::{Interval, Timestamp};
use tidemill_plan::graph::{NodeId, Plan};

/// The sources that a stream's batches hang on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    /// If all of them have no batch at a tick, the stream has none; `None`: it has one at every tick.
    sources: Option<BTreeSet<NodeId>>,
    /// It has none but at the multiples of this.
    slide: Option<Interval>,
}

impl Presence {
    /// For each node of a plan. State is there without its sources: an update-state has a batch at every tick.
    pub(crate) fn of_nodes(plan: &Plan) -> Vec<Presence> {
        let mut all: Vec<Presence> = Vec::with_capacity(plan.nodes.len());
        for (index, node) in plan.nodes.iter().enumerate() {
            let sources = match node.source() {
                Some(_) => Some(BTreeSet::from([NodeId(index)])),
                None if node.is_always_present => None,
                None => {
                    let of_inputs: Option<Vec<_>> = node.inputs.iter().map(|id| all[id.0].sources.clone()).collect();
                    of_inputs.map(|sources| sources.into_iter().flatten().collect())
                }
            };
            all.push(Presence { sources, slide: node.slide });
        }
        all
    }

    /// Whether there is none at a tick at which there could be one, because the sources `absent` have none.
    pub(crate) fn is_missing(&self, tick: Timestamp, absent: &[NodeId]) -> bool {
        let slides = self.slide.is_none_or(|slide| slide.is_tick(tick));
        slides && !self.is_present(tick, absent)
    }

    /// Whether there is a batch at a tick at which the sources `absent` have none.
    pub(crate) fn is_present(&self, tick: Timestamp, absent: &[NodeId]) -> bool {
        let slides = self.slide.is_none_or(|slide| slide.is_tick(tick));
        slides && self.sources.as_ref().is_none_or(|sources| sources.iter().any(|source| !absent.contains(source)))
    }
}
