//! What is said of connections that come and go. A producer that connects for every line must not flood the log, nor a peer that
//! closes every connection.

use std::{
    fmt::Display,
    sync::atomic::{AtomicU64, Ordering},
};

/// How many there were in this run.
#[derive(Debug, Default)]
pub(super) struct Visits {
    came: AtomicU64,
    closed: AtomicU64,
    lost: AtomicU64,
}

impl Visits {
    /// `what` is told of the first, the second, the fourth, the eighth, and so on; of the others only to who debugs.
    pub fn came(&self, stream: &str, peer: &dyn Display, what: &'static str) {
        let count = next(&self.came);
        match count.is_power_of_two() {
            true => tracing::info!(%stream, %peer, count, "{what}"),
            false => tracing::debug!(%stream, %peer, count, "{what}"),
        }
    }

    /// The same of those that went in good order.
    pub fn closed(&self, stream: &str, peer: &dyn Display, what: &'static str) {
        let count = next(&self.closed);
        match count.is_power_of_two() {
            true => tracing::info!(%stream, %peer, count, "{what}"),
            false => tracing::debug!(%stream, %peer, count, "{what}"),
        }
    }

    /// The same of those that were lost.
    pub fn lost(&self, stream: &str, peer: &dyn Display, error: &dyn Display, what: &'static str) {
        let count = next(&self.lost);
        match count.is_power_of_two() {
            true => tracing::warn!(%stream, %peer, %error, count, "{what}"),
            false => tracing::debug!(%stream, %peer, %error, count, "{what}"),
        }
    }
}

fn next(count: &AtomicU64) -> u64 {
    count.fetch_add(1, Ordering::Relaxed) + 1
}
