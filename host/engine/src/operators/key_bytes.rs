//! How many bytes the keys of a batch have.

use tidemill_state::keys::KeyTable;

/// Counts the bytes of the keys that a batch has touched, each once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyBytes {
    bytes: usize,
    keys: usize,
}

impl KeyBytes {
    /// Counts those that have come since the last time.
    pub(super) fn count(&mut self, table: &KeyTable) {
        let new = &table.touched()[self.keys..];
        self.bytes += new.iter().map(|&id| table.key(id).len()).sum::<usize>();
        self.keys += new.len();
    }

    /// Of all of them.
    pub(super) fn bytes(self) -> usize {
        self.bytes
    }
}
