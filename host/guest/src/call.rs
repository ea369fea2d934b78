//! The one way into a guest. Every call goes through [`Live::call`], so that a call can one day be suspended there.

use std::sync::Arc;

use tidemill_model::limits::{Limits, STACK_BYTES};
use wasmtime::{FrameInfo, PoolConcurrencyLimitError, Store, Trap, WasmBacktrace, component::InstancePre};

use crate::{
    boundary::{Consume, Entry, Shape},
    host::Host,
    verdict::{Place, Verdict},
};

/// A store with one instance, until a call fails: then both are gone, and their memory is free for others.
pub(crate) struct Live {
    store: Option<Store<Host>>,
    limits: Arc<Limits>,
    /// What calls have used since it was last taken.
    fuel: u64,
}

impl Live {
    /// A new instance of a component, and what `find` finds in it.
    pub(crate) fn start<E>(
        component: &InstancePre<Host>,
        host: Host,
        limits: &Arc<Limits>,
        find: impl FnOnce(&mut Store<Host>, &wasmtime::component::Instance) -> wasmtime::Result<E>,
    ) -> Result<(Live, E), Verdict> {
        let mut store = Store::new(component.engine(), host);
        store.limiter(|host| host);
        store.set_hostcall_fuel(limits.result_bytes);
        // No plugin needs resources, and what the runtime does for one is not in the price of its call.
        store.set_max_component_handles(0);
        let started = store.set_fuel(limits.fuel_per_call).and_then(|()| {
            let instance = component.instantiate(&mut store)?;
            find(&mut store, &instance)
        });
        match started {
            Ok(found) => Ok((Live { store: Some(store), limits: limits.clone(), fuel: 0 }, found)),
            Err(error) => Err(verdict_of(&error, store.data_mut(), limits, 0)),
        }
    }

    /// Calls the guest with fuel for `rows` rows and lets `consume` see what it answered.
    pub(crate) fn call<S: Shape>(
        &mut self,
        entry: Entry<S>,
        rows: usize,
        params: S::Params<'_>,
        consume: Consume<'_, S::Answer>,
    ) -> Result<(), Verdict> {
        // Out of its place until the call has ended well: an error, or a panic of the consumer's, drops it.
        let mut store = self.store.take().ok_or(Verdict::Poisoned)?;
        let rows = rows as u64;
        let fuel = self.limits.fuel_per_call.saturating_add(self.limits.fuel_per_row.saturating_mul(rows));
        store.data_mut().begin_call();
        let called = store.set_fuel(fuel).and_then(|()| entry.call(&mut store, params, consume));
        self.fuel = self.fuel.saturating_add(fuel - store.get_fuel().unwrap_or(0).min(fuel));
        match called {
            Ok(()) => {
                self.store = Some(store);
                Ok(())
            }
            Err(error) => Err(verdict_of(&error, store.data_mut(), &self.limits, rows)),
        }
    }

    /// The fuel that calls have used since the last time.
    pub(crate) fn take_fuel(&mut self) -> u64 {
        std::mem::take(&mut self.fuel)
    }

    /// What the guest counted since the last time. Nothing if it has failed: a batch that fails counts nothing.
    pub(crate) fn take_counters(&mut self) -> Vec<(String, u64)> {
        self.store.as_mut().map(|store| store.data_mut().take_counters()).unwrap_or_default()
    }
}

fn verdict_of(error: &wasmtime::Error, host: &mut Host, limits: &Limits, rows: u64) -> Verdict {
    let verdict = unplaced(error, host, limits, rows);
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return verdict };
    verdict.placed(host.lines().place(trace.frames().iter().filter_map(FrameInfo::module_offset)))
}

fn unplaced(error: &wasmtime::Error, host: &mut Host, limits: &Limits, rows: u64) -> Verdict {
    let at = Place::default();
    if let Some(verdict) = error.downcast_ref::<Verdict>() {
        return verdict.clone();
    }
    if let Some(&trap) = error.downcast_ref::<Trap>() {
        return match (trap, host.take_panic()) {
            (Trap::OutOfFuel, _) => {
                Verdict::OutOfFuel { per_call: limits.fuel_per_call, per_row: limits.fuel_per_row, rows, at }
            }
            (Trap::StackOverflow, _) => Verdict::StackOverflow { limit: STACK_BYTES, at },
            (_, Some(message)) => Verdict::Panicked { message, at },
            (trap, None) => Verdict::Trapped { reason: trap.to_string(), at },
        };
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Verdict::NoInstanceLeft;
    }
    let reason = error.root_cause().to_string();
    // wasmtime keeps the type of this error to itself; a test would notice other words.
    if reason.contains("fuel allocated for hostcalls has been exhausted") {
        return Verdict::ResultTooLarge { limit: limits.result_bytes };
    }
    Verdict::Trapped { reason, at }
}
