//! The objects below a prefix, for callers that wait, with errors that say what and where.

use std::{collections::VecDeque, fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use object_store::{ObjectStore, path::Path};

use super::{
    calls::{self, Got, Put},
    index::{Found, Index},
    layout::Object,
    runtime::{Pending, Runtime},
    trouble,
};
use crate::storage::{Advice, StorageError};

/// How much is read at once. The index of any file fits into it.
pub(super) const READ_BYTES: u64 = 4 << 20;

/// How many short pieces are on their way at once.
pub(super) const GETS_MAX: usize = 16;

/// Some answer of the store.
pub(super) type Answer<T> = Pending<object_store::Result<T>>;

/// A store, and what the names of the checkpoint's objects begin with.
#[derive(Clone)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    place: Arc<str>,
    runtime: Arc<Runtime>,
}

/// The beginning of a file's object.
pub(super) enum Head {
    /// The file lies in parts.
    Index(Index),
    /// It begins so, and has so many bytes.
    Content(Got),
}

impl Objects {
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str, place: &str, runtime: Arc<Runtime>) -> Objects {
        Objects { store, prefix: prefix.to_owned(), place: place.into(), runtime }
    }

    /// Where an object is, for people; empty: the checkpoint itself.
    pub fn shown(&self, name: &str) -> String {
        if name.is_empty() { self.place.to_string() } else { format!("{}/{name}", self.place) }
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.prefix))
    }

    /// The name of an object below a folder; nothing for what stands for a folder itself.
    fn below(&self, folder: &str, path: &Path) -> Option<String> {
        let folder = self.path(folder);
        let name: Vec<_> = path.prefix_match(&folder)?.map(|part| part.as_ref().to_owned()).collect();
        if name.is_empty() { None } else { Some(name.join("/")) }
    }

    /// Waits for an answer.
    pub fn wait<T>(&self, action: &'static str, name: &str, answer: Answer<T>) -> Result<T, StorageError> {
        let answer = answer.wait().ok_or_else(|| trouble::stopped(action, self.shown(name)))?;
        answer.map_err(|error| trouble::failed(action, self.shown(name), &error))
    }

    /// Begins to make an object, if its name is free.
    pub fn begin_put(&self, name: &str, content: Bytes) -> Answer<Put> {
        self.runtime.start(calls::put_new(self.store.clone(), self.path(name), content))
    }

    /// Makes an object, if its name is free.
    pub fn put(&self, name: &str, content: Bytes) -> Result<Put, StorageError> {
        self.wait("create", name, self.begin_put(name, content))
    }

    /// Refuses a store that makes an object although its name is taken. The object has this content already.
    pub fn check_conditional_put(&self, name: &str, content: &'static [u8]) -> Result<(), StorageError> {
        let answer = self.runtime.start(calls::is_put_conditional(self.store.clone(), self.path(name), content.into()));
        if self.wait("create", name, answer)? {
            return Ok(());
        }
        Err(self.refused("use", "", Advice::NoConditionalWrites, "it overwrites objects that are there"))
    }

    /// Begins to read a range of an object; nothing comes if it is not there.
    pub fn begin_get(&self, name: &str, range: Range<u64>) -> Answer<Option<Got>> {
        self.runtime.start(calls::get(self.store.clone(), self.path(name), range))
    }

    /// The beginnings of files' objects, of each at most so many bytes, as [`Objects::head`] gives them one by one: the next
    /// ones are under way.
    pub fn begin_heads(
        &self,
        wanted: Vec<(String, u64)>,
    ) -> impl Iterator<Item = (String, Result<Head, StorageError>)> + '_ {
        let mut wanted = wanted.into_iter();
        let mut in_flight = VecDeque::new();
        std::iter::from_fn(move || {
            for (name, bytes) in wanted.by_ref().take(GETS_MAX - in_flight.len()) {
                let answer = self.begin_get(&name, 0..bytes.max(Index::BYTES_MIN as u64));
                in_flight.push_back((name, answer));
            }
            let (name, answer) = in_flight.pop_front()?;
            let head = self.wait("read", &name, answer).and_then(|got| self.head_of(&name, got));
            Some((name, head))
        })
    }

    /// The beginning of a file's object, at most `bytes` of it, or what parts the file has.
    pub fn head(&self, name: &str, bytes: u64) -> Result<Head, StorageError> {
        let bytes = bytes.max(Index::BYTES_MIN as u64);
        let got = self.wait("read", name, self.begin_get(name, 0..bytes))?;
        self.head_of(name, got)
    }

    fn head_of(&self, name: &str, got: Option<Got>) -> Result<Head, StorageError> {
        let mut got = got.ok_or_else(|| self.missing(name))?;
        if Index::is_meant(&got.bytes) && (got.bytes.len() as u64) < got.size.min(READ_BYTES) {
            got = self.wait("read", name, self.begin_get(name, 0..READ_BYTES))?.ok_or_else(|| self.missing(name))?;
        }
        match Index::find(&got.bytes) {
            Found::Index(index) => Ok(Head::Index(index)),
            Found::Content => Ok(Head::Content(got)),
            Found::Newer => {
                Err(self.refused("read", name, Advice::Newer, "the index of its parts has a newer version"))
            }
        }
    }

    /// An object's length; nothing if it is not there.
    pub fn size(&self, name: &str) -> Result<Option<u64>, StorageError> {
        self.wait("look at", name, self.runtime.start(calls::size(self.store.clone(), self.path(name))))
    }

    /// All objects below a folder, by their names below it.
    pub fn list(&self, folder: &str) -> Result<Vec<Object>, StorageError> {
        let listed = self.runtime.start(calls::list(self.store.clone(), self.path(folder)));
        let listed = self.wait("list", folder, listed)?;
        let objects = listed.into_iter().filter_map(|meta| {
            Some(Object { name: self.below(folder, &meta.location)?, bytes: meta.size, tag: meta.e_tag })
        });
        Ok(objects.collect())
    }

    /// The names at the top: those of objects, and those that objects have in front of a `/`.
    pub fn top(&self) -> Result<(Vec<String>, Vec<String>), StorageError> {
        let found = self.runtime.start(calls::look(self.store.clone(), self.path("")));
        let found = self.wait("list", "", found)?;
        let objects = found.objects.iter().filter_map(|meta| self.below("", &meta.location)).collect();
        let folders = found.common_prefixes.iter().filter_map(|path| self.below("", path)).collect();
        Ok((objects, folders))
    }

    /// Begins to delete objects.
    pub fn begin_delete(&self, names: &[String]) -> Answer<()> {
        let paths = names.iter().map(|name| self.path(name)).collect();
        self.runtime.start(calls::delete(self.store.clone(), paths))
    }

    /// Deletes objects, those that are there.
    pub fn delete(&self, name: &str, names: &[String]) -> Result<(), StorageError> {
        if names.is_empty() { Ok(()) } else { self.wait("remove", name, self.begin_delete(names)) }
    }

    pub fn exists_already(&self, name: &str) -> StorageError {
        StorageError::Exists { place: self.shown(name) }
    }

    pub fn missing(&self, name: &str) -> StorageError {
        StorageError::NotFound { place: self.shown(name) }
    }

    /// What the store would do, and must not.
    pub fn refused(&self, action: &'static str, name: &str, advice: Advice, what: &str) -> StorageError {
        let source = std::io::Error::other(what.to_owned());
        StorageError::System { action, place: self.shown(name), advice, source }
    }
}

/// The place alone: what a store shows of itself may have its keys in it.
impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects {{ {} }}", self.place)
    }
}
