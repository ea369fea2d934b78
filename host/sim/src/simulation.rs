//! The world and the hosts in it: each call that leaves the engine goes through here, and may meet a fault.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tidemill_checkpoint::MemoryStorage;
use tidemill_engine::Until;
use tidemill_guest::Plugin;
use tidemill_plan::graph::Plan;

use crate::{
    Failure, Report, check,
    host::{self, Ended},
    plugins::Loaded,
    scenario::Scenario,
    world::{HostId, Site, Strike, World},
};

/// A run that needs more hosts than this does not come to an end.
const HOSTS_MAX: usize = 500;

/// Once in so many calls a thread that has work gets its turn.
const TURN_EVERY: u64 = 12;

/// Everything of one seed.
pub(crate) struct Simulation {
    pub scenario: Scenario,
    pub plan: Plan,
    pub plugins: HashMap<String, Plugin>,
    pub storage: MemoryStorage,
    world: Mutex<World>,
}

/// See [`Simulator::run`](crate::Simulator::run).
pub(crate) fn run(seed: u64, plugins: &HashMap<String, Plugin>) -> Result<Report, Failure> {
    let scenario = Scenario::of(seed);
    let failure = |what, trace| Failure { seed, what, trace };
    let plan = Loaded(plugins).plan(&scenario).map_err(|what| failure(what, String::new()))?;
    let world = Mutex::new(World::new(seed, &scenario));
    let storage = MemoryStorage::new();
    let simulation = Arc::new(Simulation { scenario, plan, plugins: plugins.clone(), storage, world });
    simulation.run_hosts();
    let mut world = simulation.world();
    // Work that was never done holds on to the simulation.
    world.late_work.clear();
    let broken = world.broken.clone().map_or_else(|| check::check(&world), Err);
    broken.map_err(|what| failure(what, world.trace.clone()))?;
    Ok(Report {
        batches: check::batches(&world),
        lines: world.feeds.values().map(|feed| feed.lines.len() as u64).sum(),
        faults: world.faults.counts.clone(),
        restarts: world.hosts.len() as u64 - 1,
        trace: world.trace.clone(),
    })
}

impl Simulation {
    pub fn world(&self) -> MutexGuard<'_, World> {
        // Nobody goes on after a panic.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts hosts until one has run everything, and then one more, which finds nothing to do.
    fn run_hosts(self: &Arc<Self>) {
        while self.world().broken.is_none() {
            if host::run(self, Until::Done) == Ended::Done {
                break;
            }
            if self.world().hosts.len() > HOSTS_MAX {
                self.world().broken(format!("{HOSTS_MAX} hosts were not enough"));
            }
        }
        if self.world().broken.is_none() && host::run(self, Until::Done) != Ended::Done {
            self.world().broken("a host that nobody disturbs does not come to the end".to_owned());
        }
    }

    /// A call that leaves the engine: `effect` is what it does to the world, if no fault befalls it; `failed` makes the
    /// error.
    pub fn call<T, E>(
        self: &Arc<Self>,
        host: HostId,
        site: Site,
        what: &str,
        failed: impl Fn(String) -> E,
        effect: impl FnOnce(&mut World) -> Result<T, E>,
    ) -> Result<T, E> {
        let strike = self.strike(host, site, what);
        let mut world = self.world();
        if world.hosts[host].is_down {
            return Err(failed("the machine is down".to_owned()));
        }
        let note = |world: &mut World, how: &str| world.note(&format!("host {host} {what}{how}"));
        let error = || failed(format!("injected at {what}"));
        match strike {
            None | Some(Strike::Slow | Strike::Overtaken | Strike::Stop) => {
                let result = effect(&mut world);
                note(&mut world, if result.is_ok() { "" } else { ": refused" });
                result
            }
            Some(Strike::ErrorBefore) => {
                note(&mut world, ": ERROR before");
                Err(error())
            }
            Some(Strike::ErrorAfter) => {
                let result = effect(&mut world);
                note(&mut world, ": ERROR after");
                result.and_then(|_| Err(error()))
            }
            Some(Strike::CrashBefore) => {
                note(&mut world, ": CRASH before");
                self.crash(&mut world, host);
                Err(error())
            }
            Some(Strike::CrashAfter) => {
                let result = effect(&mut world);
                note(&mut world, ": CRASH after");
                self.crash(&mut world, host);
                result.and_then(|_| Err(error()))
            }
        }
    }

    /// Lets time go by, gives threads their turn, and says what befalls the call itself.
    fn strike(self: &Arc<Self>, host: HostId, site: Site, what: &str) -> Option<Strike> {
        let (strike, work) = {
            let mut world = self.world();
            if world.hosts[host].is_down || !world.count_call() {
                return None;
            }
            let may_be_overtaken = world.hosts.iter().all(|other| !other.is_overtaken);
            let strike = world.faults.strike(site, may_be_overtaken);
            if matches!(strike, Some(Strike::ErrorBefore | Strike::ErrorAfter)) {
                world.hosts[host].has_met_errors = true;
            }
            world.close_feeds();
            (strike, world.work(host))
        };
        if let Some(work) = work {
            work();
        }
        match strike {
            Some(Strike::Slow) => {
                let mut world = self.world();
                let micros = world.faults.delay_micros();
                world.note(&format!("host {host} {what}: SLOW, {micros} µs"));
                world.pass(micros);
            }
            Some(Strike::Overtaken) => self.overtake(host, what),
            Some(Strike::Stop) => {
                let mut world = self.world();
                world.note(&format!("host {host} is told to STOP"));
                world.hosts[host].stop();
            }
            _ => {}
        }
        strike
    }

    /// Another host takes over and runs some batches while this one is in the middle of a call.
    fn overtake(self: &Arc<Self>, host: HostId, what: &str) {
        let batches = {
            let mut world = self.world();
            world.note(&format!("host {host} {what}: OVERTAKEN"));
            world.hosts[host].is_overtaken = true;
            world.random.between(1, 4)
        };
        host::run(self, Until::Batches(batches));
        let mut world = self.world();
        world.hosts[host].is_overtaken = false;
        world.note(&format!("host {host} wakes up"));
    }

    /// The host's memory is gone. If its machine lost its power, so is a part of what was not synced.
    fn crash(&self, world: &mut World, host: HostId) {
        let state = &mut world.hosts[host];
        state.is_down = true;
        state.work.clear();
        world.late_work.clear();
        let lost = world.random.length(0, 2);
        let now = world.now;
        for feed in world.feeds.values_mut() {
            let received = feed.arrived(now).saturating_sub(feed.taken);
            feed.lose(lost.min(received));
        }
        // Another host that sleeps has its own machine: what it had written and not synced is in its memory still.
        let is_alone = world.hosts.iter().all(|other| !other.is_overtaken);
        if world.random.once_in(2) && is_alone {
            self.lose_power(world);
        }
    }

    /// Of what was not synced a part reaches the disk, and of that the end may be zeros.
    fn lose_power(&self, world: &mut World) {
        let mut cut = Vec::new();
        let random = &mut world.random;
        self.storage.restart(|name, unsynced| {
            let kept = random.length(0, unsynced);
            let zeros = if random.once_in(2) { random.length(0, kept) } else { 0 };
            cut.push((name.to_owned(), unsynced, kept, zeros));
            kept
        });
        for (name, unsynced, kept, zeros) in cut {
            world.note(&format!("power cut: {name} keeps {kept} of {unsynced} bytes, {zeros} of them as zeros"));
            if let Some(mut bytes) = self.storage.files().remove(&name).filter(|_| zeros > 0) {
                let first = bytes.len() - zeros;
                bytes[first..].fill(0);
                self.storage.overwrite(&name, bytes);
            }
        }
    }
}

impl World {
    /// Work whose turn it is, now and then.
    fn work(&mut self, host: HostId) -> Option<crate::world::Work> {
        if !self.random.once_in(TURN_EVERY) {
            return None;
        }
        let work = self.hosts[host].work.pop().or_else(|| self.late_work.pop())?;
        self.note("a thread gets its turn");
        Some(work)
    }
}
