//! What befalls hosts and the storage: delays, crashes, power cuts, a full disk.

use std::sync::Arc;

use tidemill_checkpoint::Storage as _;
use tidemill_model::time::Timestamp;

use super::Simulation;
use crate::world::{HostId, Strike, World};

/// What is free of a full disk, at most.
const FULL_BYTES_MAX: u64 = 4_000;

impl Simulation {
    /// Does what happens before the call.
    pub(super) fn disturb(self: &Arc<Self>, host: HostId, strike: Strike, what: &str) {
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
    pub(super) fn watch_disk(&self, world: &mut World, host: HostId) {
        let Some(until) = world.full_until else { return };
        // It may have seen an error that is nobody's fault.
        world.hosts[host].has_met_errors = true;
        if world.now >= until {
            world.note("the disk has room again");
            world.full_until = None;
            self.storage.set_capacity(None);
        }
    }

    /// The host's memory is gone. If its machine lost its power, so is a part of what was not synced.
    pub(super) fn crash(&self, world: &mut World, host: HostId) {
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
                world.committed.retain(|_, committed| committed.record != name);
                // Nothing befalls what the simulation does itself.
                let _ = self.storage.remove(&name);
            }
        }
        for (name, bytes) in std::mem::take(&mut world.removed) {
            let is_free = !self.storage.files().contains_key(&name);
            if world.random.once_in(2) && is_free {
                world.note(&format!("power cut: {name} is back"));
                self.storage.overwrite(&name, bytes);
            }
        }
    }
}
