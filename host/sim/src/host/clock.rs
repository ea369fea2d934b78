//! Time that moves when it is waited for, and threads that get their turn when the simulation says so.

use std::{sync::Arc, time::Duration};

use tidemill_model::{
    ports::{Clock, Spawn, Wake},
    time::Timestamp,
};

use crate::{
    simulation::Simulation,
    world::{Feed, HostId, Site},
};

/// A host's clock.
pub(super) struct SimulatedClock {
    simulation: Arc<Simulation>,
    host: HostId,
}

/// A host's threads.
pub(super) struct Threads {
    simulation: Arc<Simulation>,
    host: HostId,
}

impl SimulatedClock {
    pub fn new(simulation: Arc<Simulation>, host: HostId) -> SimulatedClock {
        SimulatedClock { simulation, host }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.simulation.world().time_of(self.host)
    }

    /// Comes back at the deadline, or when the next line arrives, or much later.
    fn wait(&self, deadline: Timestamp, wake: &Wake) {
        if wake.wait(Some(Duration::ZERO)) {
            return;
        }
        let waited = self.simulation.call(self.host, Site::Wait, "waits", drop, |world| {
            let left = deadline.since(world.time_of(self.host)).as_micros() as i64;
            let next = world.feeds.values().filter_map(Feed::next_at).min();
            let arrives = next.map(|next| next.0 - world.now.0).filter(|_| world.random.once_in(2));
            let micros = arrives.map_or(left, |arrives| arrives.min(left));
            world.pass(micros.max(0).unsigned_abs());
            world.waits(self.host);
            Ok(())
        });
        if waited.is_err() {
            // It is down, and finds it out at its next call: it must not wait for ever until then.
            self.simulation.world().hosts[self.host].stop();
        }
    }
}

impl Threads {
    pub fn new(simulation: Arc<Simulation>, host: HostId) -> Threads {
        Threads { simulation, host }
    }
}

impl Spawn for Threads {
    /// Workers never get a turn: the thread that waits for them does their work meanwhile. So it does with a commit whose turn has
    /// not come.
    fn spawn(&self, name: String, work: Box<dyn FnOnce() + Send>) {
        if name == "snapshot" || name == "commit" {
            self.simulation.world().hosts[self.host].work.push(work);
        }
    }
}
