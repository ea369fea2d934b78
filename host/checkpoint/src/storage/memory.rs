//! A checkpoint in memory, for tests and simulation: it can fail, and lose what was not synced.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Appender, Call, Draft, Entry, Fault, Operation, Storage, StorageError, SyncWork};

/// Files in memory. Clones are the same storage, as two hosts would see it.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    shared: Arc<Mutex<Shared>>,
}

/// Says what happens to a call.
type Plan = Box<dyn FnMut(&Call) -> Fault + Send>;

#[derive(Default)]
struct Shared {
    files: BTreeMap<String, Content>,
    calls: u64,
    plan: Option<Plan>,
    is_down: bool,
    /// Bytes that all files together may have.
    capacity: Option<u64>,
}

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    /// How many of them a crash leaves.
    synced: usize,
}

struct MemoryDraft {
    storage: MemoryStorage,
    name: String,
    bytes: Vec<u8>,
}

struct MemoryAppender {
    storage: MemoryStorage,
    name: String,
}

// === impl MemoryStorage ===

impl MemoryStorage {
    /// An empty one that never fails.
    pub fn new() -> MemoryStorage {
        MemoryStorage::default()
    }

    /// From now on `plan` decides what happens to each call. Their numbers go on from where they are. The plan may use
    /// the storage itself, as another host; no faults befall what it does.
    pub fn set_faults(&self, plan: impl FnMut(&Call) -> Fault + Send + 'static) {
        self.lock().plan = Some(Box::new(plan));
    }

    /// No more faults.
    pub fn clear_faults(&self) {
        self.lock().plan = None;
    }

    /// From now on it is a disk of so many bytes. What goes beyond is refused as a full disk does it; of an append a part
    /// may get there.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().capacity = bytes;
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// Whether a fault has stopped the machine.
    pub fn is_down(&self) -> bool {
        self.lock().is_down
    }

    /// Starts again after a crash, or makes one: of what was appended and not synced to each file, `kept` says how many
    /// bytes have reached the disk, given the file's name and the number of those bytes.
    pub fn restart(&self, mut kept: impl FnMut(&str, usize) -> usize) {
        let mut shared = self.lock();
        shared.is_down = false;
        for (name, content) in &mut shared.files {
            let unsynced = content.bytes.len() - content.synced;
            let kept = if unsynced == 0 { 0 } else { kept(name, unsynced).min(unsynced) };
            content.bytes.truncate(content.synced + kept);
            content.synced = content.bytes.len();
        }
    }

    /// Replaces a file's bytes, as damage would.
    pub fn overwrite(&self, name: &str, bytes: Vec<u8>) {
        let synced = bytes.len();
        self.lock().files.insert(name.to_owned(), Content { bytes, synced });
    }

    /// All files, by name.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.lock().files.iter().map(|(name, content)| (name.clone(), content.bytes.clone())).collect()
    }

    /// A storage of its own with the same files, all of them durable, and no faults.
    pub fn copy(&self) -> MemoryStorage {
        let copy = MemoryStorage::new();
        for (name, bytes) in self.files() {
            copy.overwrite(&name, bytes);
        }
        copy
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A test that panicked elsewhere leaves whole files behind: each change is one assignment.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to this call. The plan is asked without the lock, so that it can use the storage itself.
    fn fault(&self, operation: Operation, name: &str) -> (Fault, MutexGuard<'_, Shared>) {
        let mut shared = self.lock();
        let call = Call { number: shared.calls, operation, name: name.to_owned() };
        shared.calls += 1;
        if shared.is_down {
            return (Fault::CrashBefore, shared);
        }
        let Some(mut plan) = shared.plan.take() else { return (Fault::None, shared) };
        drop(shared);
        let fault = plan(&call);
        let mut shared = self.lock();
        shared.plan.get_or_insert(plan);
        (fault, shared)
    }

    fn call<T>(
        &self,
        operation: Operation,
        name: &str,
        effect: impl FnOnce(&mut Shared) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let (fault, mut shared) = self.fault(operation, name);
        shared.is_down |= matches!(fault, Fault::CrashBefore | Fault::CrashAfter);
        let failed = || StorageError::system("use", name, io::Error::other(format!("injected: {fault:?}")));
        match fault {
            Fault::None => effect(&mut shared),
            Fault::Before | Fault::CrashBefore => Err(failed()),
            Fault::After | Fault::CrashAfter => effect(&mut shared).and_then(|_| Err(failed())),
        }
    }

    fn insert(&self, operation: Operation, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        self.call(operation, name, |shared| {
            if shared.files.contains_key(name) {
                return Err(StorageError::Exists { place: name.to_owned() });
            }
            shared.check_room(name, bytes.len())?;
            shared.files.insert(name.to_owned(), Content { bytes: bytes.to_vec(), synced: bytes.len() });
            Ok(())
        })
    }
}

impl Storage for MemoryStorage {
    fn create(&self, name: &str, content: &[u8]) -> Result<(), StorageError> {
        self.insert(Operation::Create, name, content)
    }

    fn draft(&self, name: &str) -> Result<Box<dyn Draft>, StorageError> {
        self.call(Operation::Draft, name, |_| Ok(()))?;
        Ok(Box::new(MemoryDraft { storage: self.clone(), name: name.to_owned(), bytes: Vec::new() }))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, StorageError> {
        self.read_prefix(name, usize::MAX)
    }

    fn read_prefix(&self, name: &str, bytes: usize) -> Result<Vec<u8>, StorageError> {
        self.call(Operation::Read, name, |shared| {
            let content = shared.file(name)?;
            Ok(content.bytes[..content.bytes.len().min(bytes)].to_vec())
        })
    }

    fn reader(&self, name: &str) -> Result<Box<dyn Read + Send>, StorageError> {
        Ok(Box::new(Cursor::new(self.read(name)?)))
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>, StorageError> {
        self.call(Operation::List, folder, |shared| {
            let entry = |(name, content): (&String, &Content)| {
                let name = name.strip_prefix(folder)?.strip_prefix('/')?;
                Some(Entry { name: name.to_owned(), bytes: content.bytes.len() as u64 })
            };
            Ok(shared.files.iter().filter_map(entry).collect())
        })
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.call(Operation::Remove, name, |shared| {
            shared.files.remove(name);
            Ok(())
        })
    }

    fn appender(&self, name: &str) -> Result<Box<dyn Appender>, StorageError> {
        self.call(Operation::Appender, name, |shared| shared.file(name).map(|_| ()))?;
        Ok(Box::new(MemoryAppender { storage: self.clone(), name: name.to_owned() }))
    }

    fn sync(&self, folder: &str) -> Result<(), StorageError> {
        self.call(Operation::Settle, folder, |_| Ok(()))
    }

    fn leftovers(&self) -> Result<Vec<String>, StorageError> {
        self.call(Operation::List, "tmp", |_| Ok(Vec::new()))
    }

    fn remove_leftovers(&self, _found: &[String]) -> Result<(), StorageError> {
        self.call(Operation::Settle, "tmp", |_| Ok(()))
    }

    fn free_bytes(&self) -> Result<Option<u64>, StorageError> {
        self.call(Operation::Free, "", |shared| Ok(shared.free_bytes()))
    }

    fn place(&self) -> String {
        "the checkpoint in memory".to_owned()
    }
}

// === impl Shared ===

impl Shared {
    fn free_bytes(&self) -> Option<u64> {
        let used: u64 = self.files.values().map(|content| content.bytes.len() as u64).sum();
        self.capacity.map(|capacity| capacity.saturating_sub(used))
    }

    fn check_room(&self, name: &str, bytes: usize) -> Result<(), StorageError> {
        match self.free_bytes() {
            Some(free) if free < bytes as u64 => {
                Err(StorageError::system("write", name, io::ErrorKind::StorageFull.into()))
            }
            _ => Ok(()),
        }
    }

    fn file(&mut self, name: &str) -> Result<&mut Content, StorageError> {
        self.files.get_mut(name).ok_or_else(|| StorageError::NotFound { place: name.to_owned() })
    }
}

// === impl MemoryDraft ===

impl Draft for MemoryDraft {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let len = self.bytes.len() + bytes.len();
        self.storage.call(Operation::Write, &self.name, |shared| shared.check_room(&self.name, len))?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn publish(self: Box<Self>) -> Result<(), StorageError> {
        self.storage.insert(Operation::Publish, &self.name, &self.bytes)
    }
}

// === impl MemoryAppender ===

impl Appender for MemoryAppender {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.storage.call(Operation::Append, &self.name, |shared| {
            let free = shared.free_bytes().map_or(usize::MAX, |free| usize::try_from(free).unwrap_or(usize::MAX));
            let full = shared.check_room(&self.name, bytes.len());
            shared.file(&self.name)?.bytes.extend_from_slice(&bytes[..bytes.len().min(free)]);
            full
        })
    }

    /// Nothing but what was there when it was begun becomes durable.
    fn begin_sync(&mut self) -> Result<SyncWork, StorageError> {
        let (storage, name) = (self.storage.clone(), self.name.clone());
        let begun = storage.lock().file(&name).map_or(0, |content| content.bytes.len());
        Ok(Box::new(move || {
            storage.call(Operation::Sync, &name, |shared| {
                let content = shared.file(&name)?;
                content.synced = content.synced.max(begun.min(content.bytes.len()));
                Ok(())
            })
        }))
    }
}
