//! What a host left over that was killed while it wrote.

use std::{fs::File, io};

use rustix::fs::{AtFlags, unlinkat};

use super::{Cache, UNFINISHED};

/// Removes files that were being written and that nobody writes any more. Who writes one holds its lock, and the kernel lets go
/// of it when that process ends, in whatever way.
pub(super) fn remove(cache: &Cache) {
    let Ok(entries) = cache.path.read_dir() else { return };
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        if !name.ends_with(UNFINISHED) {
            continue;
        }
        match cache.file(&name).and_then(|file| is_left_over(&file)) {
            // Another host may be faster.
            Ok(true) => drop(unlinkat(&*cache.folder, &name, AtFlags::empty())),
            Ok(false) => {}
            Err(error) => tracing::debug!(name, "what is no unfinished file of this user's stays: {error}"),
        }
    }
}

fn is_left_over(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}
