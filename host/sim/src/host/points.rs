//! The engine's failpoints: where a host may crash, and how the world knows which record is a commit.

use std::sync::Arc;

use tidemill_engine::checkpoint::{Failpoints, Point};
use tidemill_model::time::Timestamp;

use crate::{
    simulation::Simulation,
    world::{HostId, Site},
};

/// A host's failpoints.
pub(super) struct Points {
    simulation: Arc<Simulation>,
    host: HostId,
}

impl Points {
    pub fn new(simulation: Arc<Simulation>, host: HostId) -> Points {
        Points { simulation, host }
    }
}

impl Failpoints for Points {
    fn stops(&mut self, point: Point, after: bool, batch: Timestamp) -> bool {
        let what = format!("{point:?} {batch} {}", if after { "done" } else { "begins" });
        let passed = self.simulation.call(self.host, Site::Point, &what, drop, |world| {
            let begins = |begun: Point| (point == begun && !after).then_some(batch);
            let host = &mut world.hosts[self.host];
            (host.planning, host.committing) = (begins(Point::Plan), begins(Point::Commit));
            Ok(())
        });
        passed.is_err()
    }
}
