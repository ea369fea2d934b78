//! Faults that a test injects into [`MemoryStorage`](super::MemoryStorage).

/// What is done to the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// [`Storage::create`](super::Storage::create)
    Create,
    /// [`Storage::draft`](super::Storage::draft)
    Draft,
    /// [`Draft::write`](super::Draft::write)
    Write,
    /// [`Draft::publish`](super::Draft::publish)
    Publish,
    /// Any way of reading.
    Read,
    /// [`Storage::list`](super::Storage::list)
    List,
    /// [`Storage::remove`](super::Storage::remove)
    Remove,
    /// [`Storage::appender`](super::Storage::appender)
    Appender,
    /// [`Appender::append`](super::Appender::append)
    Append,
    /// [`Appender::sync`](super::Appender::sync)
    Sync,
    /// [`Storage::sync`](super::Storage::sync) and [`Storage::remove_leftovers`](super::Storage::remove_leftovers)
    Settle,
    /// [`Storage::free_bytes`](super::Storage::free_bytes)
    Free,
}

/// A call that a fault may befall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which one, from 0.
    pub number: u64,
    /// What it does.
    pub operation: Operation,
    /// With what file or folder.
    pub name: String,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It fails and has done nothing.
    Before,
    /// It has done everything, and fails.
    After,
    /// The machine stops before it; every later call fails until
    /// [`MemoryStorage::restart`](super::MemoryStorage::restart).
    CrashBefore,
    /// The machine stops after it.
    CrashAfter,
}
