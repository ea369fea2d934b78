//! What a guest can reach: `log` and `count`. And the state that the host keeps for an instance.

use std::{collections::BTreeMap, sync::Arc};

use tidemill_model::limits::{self, Limits};
use wasmtime::{ResourceLimiter, StoreContextMut, Trap, component::Linker};

use crate::{
    boundary::CutText,
    log::{FunctionLog, LogLevel, one_line},
    verdict::Verdict,
};

/// The one interface that a component may import functions of.
pub(crate) const HOST_INTERFACE: &str = "tidemill:plugin/host@0.1.0";

/// Types alone: a component whose operators use them may name them as an import.
pub(crate) const DATA_INTERFACE: &str = "tidemill:plugin/data@0.1.0";

/// With this a guest's panic hook begins the line that it logs before it traps.
const PANIC_PREFIX: &str = "panicked: ";

/// No limit on lines is larger.
const LINE_BYTES: usize = 64 << 10;

/// What the host keeps for an instance.
pub(crate) struct Host {
    limits: Arc<Limits>,
    log: Arc<FunctionLog>,
    /// Of this call.
    panic: Option<String>,
    /// Every name that was counted under, since the instance was opened.
    counters: BTreeMap<String, u64>,
}

/// The functions that guests may import, and nothing else.
pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut host = linker.instance(HOST_INTERFACE)?;
    host.func_wrap("log", |mut store: StoreContextMut<'_, Host>, (level, line): (LogLevel, CutText<LINE_BYTES>)| {
        charge(&mut store, line.text.len())?;
        store.data_mut().log(level, line.text);
        Ok(())
    })?;
    host.func_wrap(
        "count",
        |mut store: StoreContextMut<'_, Host>, (name, delta): (CutText<{ limits::NAME_BYTES }>, u64)| {
            charge(&mut store, name.text.len())?;
            Ok(store.data_mut().count(name, delta)?)
        },
    )
}

/// Takes fuel for a call of the host, so that a guest cannot buy the host's time for a few instructions.
fn charge(store: &mut StoreContextMut<'_, Host>, bytes: usize) -> wasmtime::Result<()> {
    let price = limits::HOST_CALL_FUEL + bytes as u64;
    match store.get_fuel()?.checked_sub(price) {
        Some(left) => store.set_fuel(left),
        None => Err(Trap::OutOfFuel.into()),
    }
}

impl Host {
    pub(crate) fn new(limits: Arc<Limits>, log: Arc<FunctionLog>) -> Host {
        Host { limits, log, panic: None, counters: BTreeMap::new() }
    }

    /// Before each call.
    pub(crate) fn begin_call(&mut self) {
        self.panic = None;
    }

    /// What the guest's panic said in this call.
    pub(crate) fn take_panic(&mut self) -> Option<String> {
        self.panic.take()
    }

    /// What was counted since the last time, by name.
    pub(crate) fn take_counters(&mut self) -> Vec<(String, u64)> {
        let counted = self.counters.iter_mut().filter(|(_, count)| **count > 0);
        counted.map(|(name, count)| (name.clone(), std::mem::take(count))).collect()
    }

    fn log(&mut self, level: LogLevel, text: String) {
        let panicked = level == LogLevel::Error && text.starts_with(PANIC_PREFIX);
        let has_room = self.log.take_line();
        if !has_room && !panicked {
            return;
        }
        let line = one_line(text, self.limits.log_line_bytes);
        if has_room {
            self.log.write(level, &line);
        }
        if panicked {
            self.panic = Some(line.strip_prefix(PANIC_PREFIX).unwrap_or(&line).to_owned());
        }
    }

    fn count(&mut self, name: CutText<{ limits::NAME_BYTES }>, delta: u64) -> Result<(), Verdict> {
        if name.text.is_empty() || name.bytes > limits::NAME_BYTES || name.text.contains(char::is_control) {
            return Err(Verdict::WrongCounter { name: one_line(name.text, limits::NAME_BYTES) });
        }
        if let Some(count) = self.counters.get_mut(&name.text) {
            *count = count.saturating_add(delta);
            return Ok(());
        }
        if self.counters.len() >= self.limits.counters {
            return Err(Verdict::TooManyCounters { limit: self.limits.counters });
        }
        self.counters.insert(name.text, delta);
        Ok(())
    }
}

/// A growth beyond a limit traps: a guest that was told "no" would go on, and its own abort says nothing of memory.
impl ResourceLimiter for Host {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let limit = self.limits.memory_bytes.min(maximum.unwrap_or(usize::MAX));
        if desired > limit {
            return Err(Verdict::OutOfMemory { limit }.into());
        }
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Verdict::OutOfMemory { limit: self.limits.memory_bytes }.into())
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let limit = self.limits.table_elements.min(maximum.unwrap_or(usize::MAX));
        if desired > limit {
            return Err(Verdict::OutOfTable { limit }.into());
        }
        Ok(true)
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Verdict::OutOfTable { limit: self.limits.table_elements }.into())
    }

    fn memories(&self) -> usize {
        1
    }
}
