//! The world and the hosts in it: each call that leaves an engine goes through here, and may meet a fault.

mod disturb;

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tidemill_checkpoint::MemoryStorage;
use tidemill_guest::Plugin;
use tidemill_plan::graph::Plan;

use crate::{
    Failure, Report, check,
    host::{self, Ended},
    plugins::Loaded,
    scenario::{Edition, FILES, Scenario},
    turns::Turns,
    world::{HostId, HostState, Site, Strike, World},
};

/// A run that needs more hosts than this does not come to an end.
const HOSTS_MAX: usize = 500;

/// How many hosts may be needed when nothing fails any more.
const LAST_HOSTS_MAX: usize = 16;

/// So many hosts are up at the same time, at most.
const HOSTS_AT_ONCE: usize = 3;

/// Between the end of a host and the start of the next one, at most.
const PAUSE_MICROS_MAX: u64 = 2_000_000;

/// Once in so many calls a thread that has work gets its turn.
const TURN_EVERY: u64 = 12;

/// The same while several hosts are up: what is in the way of another host is done then.
const TURN_EVERY_OF_SEVERAL: u64 = 4;

/// Everything of one seed.
pub(crate) struct Simulation {
    pub scenario: Scenario,
    plans: Mutex<HashMap<Edition, Plan>>,
    pub plugins: HashMap<String, Plugin>,
    pub storage: MemoryStorage,
    pub turns: Turns,
    world: Mutex<World>,
}

/// See [`Simulator::run`](crate::Simulator::run).
pub(crate) fn run(seed: u64, plugins: &HashMap<String, Plugin>) -> Result<Report, Failure> {
    let scenario = Scenario::of(seed);
    let failure = |what, trace| Failure { seed, what, trace };
    let first = scenario.first_edition();
    let plan = Loaded(plugins).plan(&scenario, first).map_err(|what| failure(what, String::new()))?;
    let world = Mutex::new(World::new(seed, &scenario));
    let storage = MemoryStorage::new();
    let (plugins, turns) = (plugins.clone(), Turns::default());
    let plans = Mutex::new(HashMap::from([(first, plan)]));
    let simulation = Arc::new(Simulation { scenario, plans, plugins, storage, turns, world });
    simulation.run_hosts();
    let mut world = simulation.world();
    // Work that was never done holds on to the simulation.
    world.late_work.clear();
    let broken =
        world.broken.clone().map_or_else(|| check::check(&world, &simulation.scenario, &simulation.storage), Err);
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

    /// The pipeline as a host has it.
    pub fn plan(&self, edition: Edition) -> Result<Plan, String> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(&edition) {
            return Ok(plan.clone());
        }
        let plan = Loaded(&self.plugins).plan(&self.scenario, edition)?;
        plans.insert(edition, plan.clone());
        Ok(plan)
    }

    /// Starts hosts until one has run everything, and then one more, which finds nothing to do.
    fn run_hosts(self: &Arc<Self>) {
        while self.run_host() != Ended::Done && self.world().broken.is_none() {
            if self.world().hosts.len() > HOSTS_MAX {
                self.world().broken(format!("{HOSTS_MAX} hosts were not enough"));
            }
        }
        self.world().full_until = None;
        self.storage.set_capacity(None);
        // An operator may stop it to give it more room.
        let is_done = |_| self.world().broken.is_some() || self.run_host() == Ended::Done;
        if !(0..LAST_HOSTS_MAX).any(is_done) {
            self.world().broken("a host that nobody disturbs does not come to the end".to_owned());
        }
    }

    /// Starts a host, and waits until it and those that take over from it have ended. Says how the last one did.
    fn run_host(self: &Arc<Self>) -> Ended {
        let host = self.start_host();
        self.turns.pass(host);
        self.turns.wait(None);
        let threads = std::mem::take(&mut self.world().threads);
        let pause = self.world().random.between(0, PAUSE_MICROS_MAX);
        self.world().pass(pause);
        let is_done = threads.into_iter().any(|thread| thread.join().is_ok_and(|ended| ended == Ended::Done));
        if is_done { Ended::Done } else { Ended::Early }
    }

    /// Starts a host on a thread of its own; it waits for its turn.
    #[allow(clippy::disallowed_methods, reason = "only one of these threads runs at a time")]
    fn start_host(self: &Arc<Self>) -> HostId {
        let mut world = self.world();
        let host = world.hosts.len();
        let is_alone = self.turns.others_of(host).is_empty();
        let edition = world.next_edition(&self.scenario, is_alone);
        // A source that begins at its beginning again would not find them.
        if is_alone && self.scenario.passing.is_none_or(|passing| passing.stream != FILES) {
            world.remove_files();
        }
        world.hosts.push(HostState::new(edition));
        self.turns.enter(host);
        let simulation = self.clone();
        world.threads.push(std::thread::spawn(move || {
            simulation.turns.wait(Some(host));
            let ended = catch_unwind(AssertUnwindSafe(|| host::run(&simulation, host)));
            let ended = ended.unwrap_or_else(|_| {
                simulation.world().broken(format!("host {host} panicked"));
                Ended::Early
            });
            simulation.turns.leave(host);
            ended
        }));
        host
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
            None | Some(Strike::Slow | Strike::ClockBack | Strike::Full | Strike::Overtaken | Strike::Stop) => {
                let result = effect(&mut world);
                note(&mut world, if result.is_ok() { "" } else { ": refused" });
                result
            }
            Some(Strike::ErrorBefore) => {
                note(&mut world, ": ERROR before");
                Err(error())
            }
            Some(Strike::ErrorAfter) => {
                world.is_failing = true;
                let result = effect(&mut world);
                world.is_failing = false;
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

    /// Lets time go by, gives others their turn, and says what befalls the call itself.
    fn strike(self: &Arc<Self>, host: HostId, site: Site, what: &str) -> Option<Strike> {
        if self.world().hosts[host].is_down {
            return None;
        }
        self.take_turns(host);
        let (strike, work) = {
            let mut world = self.world();
            if world.hosts[host].is_down || !world.count_call() {
                return None;
            }
            self.watch_disk(&mut world, host);
            let may_be_overtaken = self.turns.has_room(host, HOSTS_AT_ONCE);
            let strike = world.faults.strike(site, may_be_overtaken);
            if matches!(strike, Some(Strike::ErrorBefore | Strike::ErrorAfter)) {
                world.hosts[host].has_met_errors = true;
            }
            world.close_feeds();
            let every = if self.turns.is_alone(host) { TURN_EVERY } else { TURN_EVERY_OF_SEVERAL };
            (strike, world.work(host, every))
        };
        if let Some(work) = work {
            work();
        }
        if let Some(strike) = strike {
            self.disturb(host, strike, what);
        }
        strike
    }

    /// Of hosts that are up at the same time, another one may go on now.
    fn take_turns(&self, host: HostId) {
        let others = self.turns.others(host);
        if others.is_empty() {
            return;
        }
        let mut world = self.world();
        let patience = world.patience;
        if !world.random.once_in(patience) {
            return;
        }
        let to = world.random.pick(&others);
        world.patience = world.random.pick(&[1, 2, 5, 20, 100, 600]);
        drop(world);
        self.turns.pass(to);
        self.turns.wait(Some(host));
    }
}

impl World {
    /// Work whose turn it is, now and then.
    fn work(&mut self, host: HostId, every: u64) -> Option<crate::world::Work> {
        if !self.random.once_in(every) {
            return None;
        }
        let work = self.hosts[host].work.pop().or_else(|| self.late_work.pop())?;
        self.note("a thread gets its turn");
        Some(work)
    }
}
