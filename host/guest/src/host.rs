//! What a guest can reach: `log` and `count`. And the state that the host keeps for an instance.

use std::{collections::BTreeMap, sync::Arc};

use tidemill_model::{
    limits::{self, Limits},
    text::is_visible,
};
use wasmtime::{ResourceLimiter, StoreContextMut, Trap, component::Linker};

use crate::{
    boundary::CutText,
    lines::Lines,
    log::{FunctionLog, LogLevel, one_line},
    verdict::{Place, Verdict},
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
    lines: Lines,
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
    pub(crate) fn new(limits: Arc<Limits>, log: Arc<FunctionLog>, lines: Lines) -> Host {
        Host { limits, log, lines, panic: None, counters: BTreeMap::new() }
    }

    /// Where in its author's source the guest was.
    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
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
        let has_room = (!panicked || self.log.is_first_panic()) && self.log.take_line();
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
        if name.text.is_empty() || name.bytes > limits::NAME_BYTES || !name.text.chars().all(is_visible) {
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
            return Err(Verdict::OutOfMemory { limit, at: Place::default() }.into());
        }
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Verdict::OutOfMemory { limit: self.limits.memory_bytes, at: Place::default() }.into())
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let limit = self.limits.table_elements.min(maximum.unwrap_or(usize::MAX));
        if desired > limit {
            return Err(Verdict::OutOfTable { limit, at: Place::default() }.into());
        }
        Ok(true)
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Verdict::OutOfTable { limit: self.limits.table_elements, at: Place::default() }.into())
    }

    fn memories(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{LogLine, LogSink};

    struct Nobody;

    impl LogSink for Nobody {
        fn line(&self, _: LogLine<'_>) {}
    }

    fn host(limits: Limits) -> Host {
        let limits = Arc::new(limits);
        let log = FunctionLog::new("p".into(), "f".to_owned(), String::new(), limits.clone(), Arc::new(Nobody));
        Host::new(limits, Arc::new(log), Lines::default())
    }

    fn name(text: &str) -> CutText<{ limits::NAME_BYTES }> {
        CutText { text: text.to_owned(), bytes: text.len() }
    }

    #[test]
    fn counters_have_exact_bounds() {
        let mut host = host(Limits { counters: 2, ..Limits::default() });
        assert_eq!(host.count(name("a"), u64::MAX), Ok(()));
        assert_eq!(host.count(name(&"n".repeat(128)), 0), Ok(()));
        assert_eq!(host.count(name("c"), 1), Err(Verdict::TooManyCounters { limit: 2 }));
        assert_eq!(host.count(name("a"), 7), Ok(()), "one that is there already");
        assert_eq!(host.take_counters(), [("a".to_owned(), u64::MAX)]);
        // Its name stays known, and it begins anew.
        assert_eq!(host.count(name("a"), 7), Ok(()));
        assert_eq!(host.take_counters(), [("a".to_owned(), 7)]);
        assert_eq!(host.take_counters(), []);
        for wrong in ["", "a\nb", &"n".repeat(129)] {
            assert!(matches!(host.count(name(wrong), 1), Err(Verdict::WrongCounter { .. })), "{wrong}");
        }
    }

    #[test]
    fn a_panic_is_that_of_its_call_and_is_kept_without_room_for_its_line() {
        for log_lines_per_batch in [0, 5] {
            let mut host = host(Limits { log_lines_per_batch, ..Limits::default() });
            host.log(LogLevel::Error, "panicked: at the sky".to_owned());
            host.log(LogLevel::Info, "panicked: only told".to_owned());
            assert_eq!(host.take_panic().as_deref(), Some("at the sky"));
            assert_eq!(host.take_panic(), None);
            host.log(LogLevel::Error, "panicked: and caught".to_owned());
            host.begin_call();
            assert_eq!(host.take_panic(), None);
        }
    }

    #[test]
    fn memories_and_tables_grow_to_their_limit() {
        let mut host = host(Limits { memory_bytes: 100, table_elements: 10, ..Limits::default() });
        assert!(host.memory_growing(0, 100, None).unwrap_or(false));
        assert!(host.memory_growing(0, 101, None).is_err());
        assert!(host.memory_growing(0, 51, Some(50)).is_err());
        assert!(host.table_growing(0, 10, None).unwrap_or(false));
        assert!(host.table_growing(0, 11, None).is_err());
        assert!(host.table_growing(0, 6, Some(5)).is_err());
    }
}
