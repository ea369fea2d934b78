//! What the programs that tests start do not inherit: signals that whoever started the tests has ignored, as `nohup` does, and
//! shells for what they run beside them.

use std::sync::Once;

use tokio::signal::unix::{SignalKind, signal};

static CAUGHT: Once = Once::new();

/// From here on children are ended by signals, whatever this process was started with: what a process catches, a program that
/// it starts meets as it is by default.
pub fn catch_what_is_ignored() {
    CAUGHT.call_once(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        // They are caught for good, and nothing is done then: it is as if they were ignored.
        kinds.into_iter().filter(|kind| is_ignored(*kind)).for_each(|kind| drop(signal(kind).unwrap()));
    });
}

/// Where the system does not say it, it is not.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (kind.as_raw_value() - 1)) != 0
}
