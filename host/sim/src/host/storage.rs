//! A host's way to the storage, which may fail.

use std::{
    collections::BTreeMap,
    io::{Cursor, Error, Read},
    sync::Arc,
};

use tidemill_checkpoint::{Appender, Draft, Entry, Storage, StorageError, SyncWork};

use crate::{
    simulation::Simulation,
    world::{HostId, Site, World},
};

/// The checkpoint as one host sees it.
#[derive(Clone)]
pub(super) struct SimulatedStorage {
    simulation: Arc<Simulation>,
    host: HostId,
}

struct SimulatedDraft {
    storage: SimulatedStorage,
    name: String,
    inner: Box<dyn Draft>,
}

struct SimulatedAppender {
    storage: SimulatedStorage,
    name: String,
    inner: Box<dyn Appender>,
}

impl SimulatedStorage {
    pub fn new(simulation: Arc<Simulation>, host: HostId) -> SimulatedStorage {
        SimulatedStorage { simulation, host }
    }

    fn call<T>(
        &self,
        site: Site,
        action: &'static str,
        name: &str,
        effect: impl FnOnce(&mut World, &dyn Storage) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let failed = |what| StorageError::system(action, name, Error::other(what));
        let what = format!("{action} {}", short(name));
        let storage = &self.simulation.storage;
        self.simulation.call(self.host, site, &what, failed, |world| effect(world, storage))
    }

    /// A file has appeared; a record is a claim, or a commit, or another one.
    fn created(&self, world: &mut World, name: &str) {
        if world.is_failing {
            world.unsettled.insert(name.to_owned());
        } else if let Some((folder, _)) = name.split_once('/') {
            world.settle(folder);
        }
        let host = &mut world.hosts[self.host];
        if !name.starts_with("log/") {
            return;
        }
        if host.is_opening {
            // A claim below another record is none: its number was free because it had been cleaned away.
            let newest = self.simulation.storage.files().into_keys().rfind(|name| name.starts_with("log/"));
            if newest.is_some_and(|newest| newest == name) {
                world.owner = Some(self.host);
            }
        } else if let Some(batch) = host.planning.take() {
            let edition = host.edition;
            world.planned.insert(batch, edition);
        } else if let Some(batch) = host.committing.take() {
            world.committed(self.host, batch, name).unwrap_or_else(|what| world.broken(what));
        }
    }
}

/// A name without the zeros before its number.
fn short(name: &str) -> String {
    match name.split_once('/') {
        Some((folder, number)) => format!("{folder}/{}", number.trim_start_matches('0')),
        None => name.to_owned(),
    }
}

impl Storage for SimulatedStorage {
    fn create(&self, name: &str, content: &[u8]) -> Result<(), StorageError> {
        self.call(Site::Change, "create", name, |world, storage| {
            storage.create(name, content)?;
            self.created(world, name);
            Ok(())
        })
    }

    fn draft(&self, name: &str) -> Result<Box<dyn Draft>, StorageError> {
        let inner = self.call(Site::Change, "begin", name, |_, storage| storage.draft(name))?;
        Ok(Box::new(SimulatedDraft { storage: self.clone(), name: name.to_owned(), inner }))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, StorageError> {
        self.call(Site::Look, "read", name, |_, storage| storage.read(name))
    }

    fn read_prefix(&self, name: &str, bytes: usize) -> Result<Vec<u8>, StorageError> {
        self.call(Site::Look, "read the beginning of", name, |_, storage| storage.read_prefix(name, bytes))
    }

    fn reader(&self, name: &str) -> Result<Box<dyn Read + Send>, StorageError> {
        Ok(Box::new(Cursor::new(self.read(name)?)))
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>, StorageError> {
        self.call(Site::Look, "list", folder, |_, storage| storage.list(folder))
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.call(Site::Change, "remove", name, |world, storage| {
            if let Some(bytes) = self.simulation.storage.files().remove(name) {
                world.removed.insert(name.to_owned(), bytes);
            }
            storage.remove(name)
        })
    }

    fn appender(&self, name: &str) -> Result<Box<dyn Appender>, StorageError> {
        let inner = self.call(Site::Change, "open", name, |_, storage| storage.appender(name))?;
        Ok(Box::new(SimulatedAppender { storage: self.clone(), name: name.to_owned(), inner }))
    }

    fn sync(&self, folder: &str) -> Result<(), StorageError> {
        self.call(Site::Change, "sync", folder, |world, storage| {
            storage.sync(folder)?;
            world.settle(folder);
            Ok(())
        })
    }

    fn leftovers(&self) -> Result<Vec<String>, StorageError> {
        self.call(Site::Look, "list", "leftovers", |_, storage| storage.leftovers())
    }

    fn remove_leftovers(&self, found: &[String]) -> Result<(), StorageError> {
        self.call(Site::Change, "remove", "leftovers", |_, storage| storage.remove_leftovers(found))
    }

    fn free_bytes(&self) -> Result<Option<u64>, StorageError> {
        self.call(Site::Look, "measure", "the disk", |_, storage| storage.free_bytes())
    }

    fn place(&self) -> String {
        self.simulation.storage.place()
    }
}

impl Draft for SimulatedDraft {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.storage.call(Site::Change, "write to", &self.name, |_, _| self.inner.write(bytes))
    }

    fn publish(self: Box<Self>) -> Result<(), StorageError> {
        let SimulatedDraft { storage, name, inner } = *self;
        storage.call(Site::Change, "publish", &name, |world, _| {
            inner.publish()?;
            storage.created(world, &name);
            Ok(())
        })
    }
}

impl Appender for SimulatedAppender {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let SimulatedAppender { storage, name, inner } = self;
        let host = storage.host;
        storage.call(Site::Change, "append to", name, |world, _| {
            inner.append(bytes)?;
            world.feeds.values_mut().for_each(|feed| feed.appended_by(host));
            Ok(())
        })
    }

    fn begin_sync(&mut self) -> Result<SyncWork, StorageError> {
        let (storage, name) = (self.storage.clone(), self.name.clone());
        let (host, work) = (storage.host, self.inner.begin_sync()?);
        let begun: BTreeMap<_, _> =
            storage.simulation.world().feeds.iter().map(|(stream, feed)| (*stream, feed.appended(host))).collect();
        Ok(Box::new(move || {
            storage.call(Site::Change, "sync", &name, |world, _| {
                work()?;
                if world.owner == Some(host) {
                    for (stream, feed) in &mut world.feeds {
                        feed.synced_by(host, &begun[stream]);
                    }
                }
                Ok(())
            })
        }))
    }
}
