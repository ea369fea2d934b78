//! The engine's failpoints: where a host may crash, and how the world knows which record is a commit.

use std::sync::Arc;

use tidemill_engine::checkpoint::{Failpoints, Step};
use tidemill_model::time::Timestamp;

use crate::{
    simulation::Simulation,
    world::{HostId, Site},
};

/// A host's failpoints.
pub(super) struct Steps {
    simulation: Arc<Simulation>,
    host: HostId,
}

impl Steps {
    pub fn new(simulation: Arc<Simulation>, host: HostId) -> Steps {
        Steps { simulation, host }
    }
}

impl Failpoints for Steps {
    fn stops(&mut self, step: Step, after: bool, batch: Timestamp) -> bool {
        let what = format!("{step:?} {batch} {}", if after { "done" } else { "begins" });
        let passed = self.simulation.call(self.host, Site::Step, &what, drop, |world| {
            world.hosts[self.host].committing = (step == Step::Commit && !after).then_some(batch);
            Ok(())
        });
        passed.is_err()
    }
}
