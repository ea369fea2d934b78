//! The world and the hosts in it: each call that leaves an engine goes through here, and may meet a fault.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tidemill_checkpoint::{MemoryStorage, Storage as _};
use tidemill_guest::Plugin;
use tidemill_model::time::Timestamp;
use tidemill_plan::graph::Plan;

use crate::{
    Failure, Report, check,
    host::{self, Ended},
    plugins::Loaded,
    scenario::Scenario,
    turns::Turns,
    world::{HostId, HostState, Site, Strike, World},
};

/// A run that needs more hosts than this does not come to an end.
const HOSTS_MAX: usize = 500;

/// How many hosts may be needed when nothing fails any more.
const LAST_HOSTS_MAX: usize = 4;

/// So many hosts are up at the same time, at most.
const HOSTS_AT_ONCE: usize = 3;

/// What is free of a full disk, at most.
const FULL_BYTES_MAX: u64 = 4_000;

/// Between the end of a host and the start of the next one, at most.
const PAUSE_MICROS_MAX: u64 = 2_000_000;

/// Once in so many calls a thread that has work gets its turn.
const TURN_EVERY: u64 = 12;

/// The same while several hosts are up: what is in the way of another host is done then.
const TURN_EVERY_OF_SEVERAL: u64 = 4;

/// Everything of one seed.
pub(crate) struct Simulation {
    pub scenario: Scenario,
    pub plan: Plan,
    pub plugins: HashMap<String, Plugin>,
    pub storage: MemoryStorage,
    pub turns: Turns,
    world: Mutex<World>,
}

/// See [`Simulator::run`](crate::Simulator::run).
pub(crate) fn run(seed: u64, plugins: &HashMap<String, Plugin>) -> Result<Report, Failure> {
    let scenario = Scenario::of(seed);
    let failure = |what, trace| Failure { seed, what, trace };
    let plan = Loaded(plugins).plan(&scenario).map_err(|what| failure(what, String::new()))?;
    let world = Mutex::new(World::new(seed, &scenario));
    let storage = MemoryStorage::new();
    let (plugins, turns) = (plugins.clone(), Turns::default());
    let simulation = Arc::new(Simulation { scenario, plan, plugins, storage, turns, world });
    simulation.run_hosts();
    let mut world = simulation.world();
    // Work that was never done holds on to the simulation.
    world.late_work.clear();
    let broken = world.broken.clone().map_or_else(|| check::check(&world, &simulation.storage), Err);
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
        world.hosts.push(HostState::default());
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

    /// Does what happens before the call.
    fn disturb(self: &Arc<Self>, host: HostId, strike: Strike, what: &str) {
        let mut world = self.world();
        match strike {
            Strike::Slow => {
                let micros = world.faults.delay_micros();
                world.note(&format!("host {host} {what}: SLOW, {micros} µs"));
                world.pass(micros);
            }
            Strike::ClockBack => {
                let micros = world.faults.delay_micros();
                world.note(&format!("host {host}: its CLOCK is set back by {micros} µs"));
                world.hosts[host].skew_micros -= micros.cast_signed();
            }
            Strike::Full => {
                let used: usize = self.storage.files().values().map(Vec::len).sum();
                let (free, micros) = (world.random.between(0, FULL_BYTES_MAX), 4 * world.faults.delay_micros());
                world.note(&format!("the disk is FULL but for {free} bytes, for {micros} µs"));
                world.hosts[host].has_met_errors = true;
                world.full_until = Some(Timestamp(world.now.0 + micros.cast_signed()));
                self.storage.set_capacity(Some(used as u64 + free));
            }
            Strike::Overtaken => {
                world.note(&format!("host {host} {what}: OVERTAKEN"));
                drop(world);
                let other = self.start_host();
                self.turns.pass(other);
                self.turns.wait(Some(host));
            }
            Strike::Stop => {
                world.note(&format!("host {host} is told to STOP"));
                world.hosts[host].stop();
            }
            Strike::ErrorBefore | Strike::ErrorAfter | Strike::CrashBefore | Strike::CrashAfter => {}
        }
    }

    /// A full disk has room again after a while.
    fn watch_disk(&self, world: &mut World, host: HostId) {
        let Some(until) = world.full_until else { return };
        // It may have seen an error that is nobody's fault.
        world.hosts[host].has_met_errors = true;
        if world.now >= until {
            world.note("the disk has room again");
            world.full_until = None;
            self.storage.set_capacity(None);
        }
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
        // What another host that is up has not synced is in its own memory.
        if world.random.once_in(2) && self.turns.is_alone(host) {
            self.lose_power(world);
        }
    }

    /// Of what was not synced a part reaches the disk, and of that the end may be zeros. Of files that appeared or went away
    /// it is not known either, unless their folder was synced.
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
        for name in std::mem::take(&mut world.unsettled) {
            if world.random.once_in(2) {
                world.note(&format!("power cut: {name} is gone"));
                world.committed.retain(|_, record| *record != name);
                // Nothing befalls what the simulation does itself.
                let _ = self.storage.remove(&name);
            }
        }
        for (name, bytes) in std::mem::take(&mut world.removed) {
            if world.random.once_in(2) {
                world.note(&format!("power cut: {name} is back"));
                self.storage.overwrite(&name, bytes);
            }
        }
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
