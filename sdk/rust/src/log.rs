//! Lines for the operator's log, and counters. Natively both are kept for the test kit.

pub use crate::bindings::tidemill::plugin::host::Level;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{aside, take};

/// Writes a line to the operator's log. The macros [`info!`](crate::info) and its like are shorter.
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::tidemill::plugin::host::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    native::log(level, message);
}

pub(crate) fn count(counter: &str, delta: u64) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::tidemill::plugin::host::count(counter, delta);
    #[cfg(not(target_arch = "wasm32"))]
    native::count(counter, delta);
}

/// Logs at level trace, with `format!`'s arguments.
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Trace, &format!($($message)+)) };
}

/// Logs at level debug, with `format!`'s arguments.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Debug, &format!($($message)+)) };
}

/// Logs at level info, with `format!`'s arguments.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Info, &format!($($message)+)) };
}

/// Logs at level warn, with `format!`'s arguments.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Warn, &format!($($message)+)) };
}

/// Logs at level error, with `format!`'s arguments.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Error, &format!($($message)+)) };
}

/// What a native call logged and counted, a thread's own: tests run next to each other.
#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::{cell::RefCell, collections::BTreeMap};

    use super::Level;

    /// Lines and counters.
    pub(crate) type Noted = (Vec<(Level, String)>, BTreeMap<String, u64>);

    thread_local! {
        static NOTED: RefCell<Noted> = const { RefCell::new((Vec::new(), BTreeMap::new())) };
    }

    pub(super) fn log(level: Level, message: &str) {
        NOTED.with_borrow_mut(|noted| noted.0.push((level, message.to_owned())));
    }

    pub(super) fn count(counter: &str, delta: u64) {
        NOTED.with_borrow_mut(|noted| *noted.1.entry(counter.to_owned()).or_default() += delta);
    }

    /// What this thread noted since the last time.
    pub(crate) fn take() -> Noted {
        NOTED.take()
    }

    /// Runs `calls` as if they noted nothing.
    pub(crate) fn aside<R>(calls: impl FnOnce() -> R) -> R {
        let noted = NOTED.take();
        let result = calls();
        NOTED.set(noted);
        result
    }
}
