//! Hosts that are up at the same time take turns: each has a thread, and one of them runs. Whose turn it is follows from the
//! seed, so a run is the same each time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::world::HostId;

/// Whose turn it is.
#[derive(Default)]
pub(crate) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The hosts that are up.
    up: Vec<HostId>,
    /// `None`: nobody's, or that of whoever starts hosts.
    current: Option<HostId>,
}

impl Turns {
    /// A host is up; its turn comes later.
    pub fn enter(&self, host: HostId) {
        self.lock().up.push(host);
    }

    /// The hosts that are up besides one; none, if it is not up itself.
    pub fn others(&self, host: HostId) -> Vec<HostId> {
        let up = self.lock().up.clone();
        if up.contains(&host) { up.into_iter().filter(|&other| other != host).collect() } else { Vec::new() }
    }

    /// The hosts that are up besides one, which may not be up itself.
    pub fn others_of(&self, host: HostId) -> Vec<HostId> {
        self.lock().up.iter().copied().filter(|&other| other != host).collect()
    }

    /// Whether a host is up, and so many at most.
    pub fn has_room(&self, host: HostId, hosts_max: usize) -> bool {
        let state = self.lock();
        state.up.contains(&host) && state.up.len() < hosts_max
    }

    /// Whether no other host is up.
    pub fn is_alone(&self, host: HostId) -> bool {
        self.lock().up.iter().all(|&other| other == host)
    }

    /// It is another host's turn.
    pub fn pass(&self, to: HostId) {
        self.lock().current = Some(to);
        self.changed.notify_all();
    }

    /// Comes back when it is the host's turn; `None`: when all hosts have ended.
    pub fn wait(&self, host: Option<HostId>) {
        let mut state = self.lock();
        while state.current != host {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A host has ended; it is the turn of the one that has been up longest.
    pub fn leave(&self, host: HostId) {
        let mut state = self.lock();
        state.up.retain(|&other| other != host);
        state.current = state.up.first().copied();
        drop(state);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
