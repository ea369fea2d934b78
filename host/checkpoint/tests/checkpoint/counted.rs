//! A storage that counts what is read of each of its files.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    sync::{Arc, Mutex},
};

use tidemill_checkpoint::{Appender, Draft, Entry, Storage, StorageError};

/// Bytes that were read, by the names of files.
pub type Bytes = BTreeMap<String, u64>;

/// See the module.
pub struct Counted {
    inner: Arc<dyn Storage>,
    read: Arc<Mutex<Bytes>>,
}

struct CountedReader {
    inner: Box<dyn Read + Send>,
    name: String,
    read: Arc<Mutex<Bytes>>,
}

impl Counted {
    pub fn new(inner: Arc<dyn Storage>) -> Counted {
        Counted { inner, read: Arc::default() }
    }

    /// What was read since the last call of this.
    pub fn take_read(&self) -> Bytes {
        std::mem::take(&mut self.read.lock().unwrap())
    }

    fn count(&self, name: &str, content: Result<Vec<u8>, StorageError>) -> Result<Vec<u8>, StorageError> {
        let content = content?;
        *self.read.lock().unwrap().entry(name.to_owned()).or_default() += content.len() as u64;
        Ok(content)
    }
}

impl Read for CountedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        *self.read.lock().unwrap().entry(self.name.clone()).or_default() += bytes as u64;
        Ok(bytes)
    }
}

impl Storage for Counted {
    fn create(&self, name: &str, content: &[u8]) -> Result<(), StorageError> {
        self.inner.create(name, content)
    }

    fn draft(&self, name: &str) -> Result<Box<dyn Draft>, StorageError> {
        self.inner.draft(name)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, StorageError> {
        self.count(name, self.inner.read(name))
    }

    fn read_prefix(&self, name: &str, bytes: usize) -> Result<Vec<u8>, StorageError> {
        self.count(name, self.inner.read_prefix(name, bytes))
    }

    fn reader(&self, name: &str) -> Result<Box<dyn Read + Send>, StorageError> {
        let (inner, name) = (self.inner.reader(name)?, name.to_owned());
        Ok(Box::new(CountedReader { inner, name, read: self.read.clone() }))
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>, StorageError> {
        self.inner.list(folder)
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.inner.remove(name)
    }

    fn appender(&self, name: &str) -> Result<Box<dyn Appender>, StorageError> {
        self.inner.appender(name)
    }

    fn sync(&self, folder: &str) -> Result<(), StorageError> {
        self.inner.sync(folder)
    }

    fn leftovers(&self) -> Result<Vec<String>, StorageError> {
        self.inner.leftovers()
    }

    fn remove_leftovers(&self, found: &[String]) -> Result<(), StorageError> {
        self.inner.remove_leftovers(found)
    }

    fn place(&self) -> String {
        self.inner.place()
    }
}
