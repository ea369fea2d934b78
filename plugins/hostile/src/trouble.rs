//! Ways of not coming back.

use std::hint::black_box;

/// Never ends.
pub(crate) fn loop_forever() -> ! {
    loop {
        black_box(());
    }
}

/// Takes memory until there is none.
pub(crate) fn memory_bomb() {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Keeps some memory for ever.
pub(crate) fn leak(bytes: usize) {
    std::mem::forget(black_box(vec![1_u8; bytes]));
}

/// Calls itself until the stack is full.
pub(crate) fn deep_recursion(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX {
        return 0;
    }
    black_box(deep_recursion(depth + 1)) + 1
}

/// Traps without a word.
pub(crate) fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

/// A panic that says so before it traps, as the SDK's hook does.
pub(crate) fn panic_aloud(message: &str) -> ! {
    use crate::bindings::host::{Level, log};
    log(Level::Error, &format!("panicked: {message}"));
    trap()
}

/// Says more than anybody wants to hear.
pub(crate) fn flood() {
    use crate::bindings::host::{Level, log};
    let line = format!("flood {}", "x".repeat(5_000));
    for _ in 0..1_000 {
        log(Level::Info, &line);
    }
}
