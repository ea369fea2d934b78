//! A checkpoint in an object store. All that is asked of the store is a PUT that fails if the name is taken, GET of a range,
//! LIST and DELETE. See `object/layout.rs` for what lies where.
//!
//! - A file is one object, made by one PUT. One that is too long for that lies in parts, and is there when its index is.
//! - What is appended to a file is collected, and put as its next object with a sync.
//! - Files in parts that an earlier host publishes after this one has swept their parts away are not whole
//!   ([`Storage::is_whole`]): they read as damaged, and nothing is removed because of them.

mod append;
mod calls;
mod client;
mod draft;
mod in_flight;
mod index;
mod layout;
mod objects;
mod reader;
mod runtime;
mod s3;
mod trouble;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use object_store::ObjectStore;
use tidemill_model::ports::Spawn;

use super::{Advice, Appender, Draft, Entry, FOLDERS, Readers, Storage, StorageError};
use append::ObjectAppender;
use calls::Put;
use draft::{ObjectDraft, PART_BYTES};
use index::Index;
use layout::{File, Object};
use objects::{Head, Objects};
use reader::ObjectReader;
use runtime::Runtime;

/// The object that says that this is a checkpoint. It is also what is tried out whether the store can do what is needed.
const MARKER: &str = "checkpoint";
/// What stands in it; a layout that this version does not know has another number.
const MARKER_TEXT: &[u8] = b"a checkpoint of Tidemill, layout 1\n";
const MARKER_BEGINNING: &[u8] = b"a checkpoint of Tidemill, layout ";
/// How much is read ahead of each of many files.
const AHEAD_BYTES: u64 = 256 << 10;
/// The folder whose files grow.
const GROWING: &str = "input/";

/// A place in an object store.
#[derive(Debug)]
pub struct ObjectStorage {
    objects: Objects,
    /// Part of the names of drafts: no other process has it.
    writer: u64,
    drafts: AtomicU64,
    part_bytes: usize,
    known: Mutex<Known>,
}

/// What need not be asked again.
#[derive(Debug, Default)]
struct Known {
    /// The lengths of files in parts, by their index's name, with the index's tag and length.
    lengths: BTreeMap<String, (Option<String>, u64, u64)>,
    /// Files that consist of more than one object.
    in_parts: BTreeSet<String>,
}

// === impl ObjectStorage ===

impl ObjectStorage {
    /// A place below a prefix (without `/` at its ends) of a store. Anything but a checkpoint is refused and left as it is,
    /// and so is a store that overwrites what it must not. `place` is what people call it, and `writer` a number that no
    /// other process has.
    pub fn open(
        store: Arc<dyn ObjectStore>,
        prefix: &str,
        place: &str,
        writer: u64,
        spawn: &dyn Spawn,
    ) -> Result<ObjectStorage, StorageError> {
        ObjectStorage::new(store, prefix, place, writer, started(spawn, place)?).made_ready()
    }

    /// The same for looking at a checkpoint that must be there already: nothing is written.
    pub fn existing(
        store: Arc<dyn ObjectStore>,
        prefix: &str,
        place: &str,
        spawn: &dyn Spawn,
    ) -> Result<ObjectStorage, StorageError> {
        ObjectStorage::new(store, prefix, place, 0, started(spawn, place)?).with_checkpoint()
    }

    fn new(
        store: Arc<dyn ObjectStore>,
        prefix: &str,
        place: &str,
        writer: u64,
        runtime: Arc<Runtime>,
    ) -> ObjectStorage {
        ObjectStorage {
            objects: Objects::new(store, prefix, place, runtime),
            writer,
            drafts: AtomicU64::new(0),
            part_bytes: PART_BYTES,
            known: Mutex::default(),
        }
    }

    /// Makes files lie in shorter parts than usual: for tests.
    pub fn with_part_bytes(self, part_bytes: usize) -> ObjectStorage {
        ObjectStorage { part_bytes: part_bytes.max(1), ..self }
    }

    fn made_ready(self) -> Result<ObjectStorage, StorageError> {
        let is_checkpoint = self.refuse_others()?;
        if self.objects.put(MARKER, MARKER_TEXT.into())? == Put::Taken {
            return Err(self.refused_mark(is_checkpoint)?);
        }
        // Two hosts could overwrite each other's records in a store that takes it a second time.
        self.objects.check_conditional_put(MARKER, MARKER_TEXT)?;
        Ok(self)
    }

    /// What an object means that stands in the place of the mark.
    fn refused_mark(&self, is_checkpoint: bool) -> Result<StorageError, StorageError> {
        let is_known = match self.objects.head(MARKER, MARKER_TEXT.len() as u64)? {
            Head::Content(found) => found.bytes.starts_with(MARKER_BEGINNING),
            Head::Index(_) => false,
        };
        Ok(match (is_known, is_checkpoint) {
            (true, _) => self.objects.refused("use", "", Advice::Newer, "its files lie in another way than is known"),
            // What lies beside it has the names of a checkpoint's folders.
            (false, true) => self.objects.refused("use", MARKER, Advice::DamagedMark, "it is not what was written"),
            (false, false) => self.foreign(MARKER.to_owned()),
        })
    }

    fn with_checkpoint(self) -> Result<ObjectStorage, StorageError> {
        if !self.refuse_others()? {
            return Err(StorageError::NoCheckpoint { place: self.place() });
        }
        Ok(self)
    }

    /// Refuses other things than a checkpoint's; gives whether there is one.
    fn refuse_others(&self) -> Result<bool, StorageError> {
        let (objects, folders) = self.objects.top()?;
        if let Some(other) = objects.into_iter().find(|name| name != MARKER) {
            return Err(self.foreign(other));
        }
        if let Some(other) = folders.iter().find(|name| !FOLDERS.contains(&name.as_str())) {
            return Err(self.foreign(format!("{other}/")));
        }
        Ok(!folders.is_empty())
    }

    fn foreign(&self, entry: String) -> StorageError {
        StorageError::Foreign { place: self.place(), entry }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked has left whole entries behind.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_draft(&self, name: &str) -> ObjectDraft {
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        self.known().in_parts.insert(name.to_owned());
        ObjectDraft::new(&self.objects, name, format!("{:016x}-{number}", self.writer), self.part_bytes)
    }

    fn files(&self, folder: &str) -> Result<BTreeMap<String, File>, StorageError> {
        let files = layout::files(self.objects.list(folder)?);
        let in_parts = files.iter().filter(|(_, file)| !file.appended.is_empty() || !file.drafts.is_empty());
        self.known().in_parts.extend(in_parts.map(|(name, _)| format!("{folder}/{name}")));
        Ok(files)
    }

    /// A file's first bytes, of which there may be enough already.
    fn prefix_of(&self, name: &str, bytes: usize, head: Head) -> Result<Vec<u8>, StorageError> {
        if let Head::Content(got) = &head {
            let is_all = got.bytes.len() as u64 == got.size && !name.starts_with(GROWING);
            if got.bytes.len() >= bytes || is_all {
                return Ok(got.bytes[..got.bytes.len().min(bytes)].to_vec());
            }
        }
        let mut content = Vec::new();
        // Not a byte more than is wanted is asked for: the file may be long.
        let reader = ObjectReader::up_to(&self.objects, name, head, name.starts_with(GROWING), bytes as u64);
        let read = reader?.take(bytes as u64).read_to_end(&mut content);
        read.map_err(|error| self.unread(name, error))?;
        Ok(content)
    }

    /// What a reader could not read, as what it is.
    fn unread(&self, name: &str, error: io::Error) -> StorageError {
        match error.downcast::<StorageError>() {
            Ok(error) => error,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.objects.missing(name),
            Err(error) => StorageError::system("read", self.objects.shown(name), error),
        }
    }

    /// A file's length; nothing if it has just gone.
    fn bytes(&self, name: &str, head: &Object, file: &File) -> Result<Option<u64>, StorageError> {
        let appended = file.counted(head.bytes).iter().map(|(_, bytes)| bytes).sum::<u64>();
        if file.drafts.is_empty() {
            return Ok(Some(head.bytes + appended));
        }
        let known = self.known().lengths.get(name).cloned();
        if let Some((_, _, bytes)) =
            known.filter(|(tag, size, _)| tag.is_some() && (tag, *size) == (&head.tag, head.bytes))
        {
            return Ok(Some(bytes));
        }
        let bytes = match self.objects.head(name, objects::READ_BYTES) {
            Ok(Head::Index(index)) => index.bytes(),
            Ok(Head::Content(got)) => got.size,
            Err(StorageError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        self.known().lengths.insert(name.to_owned(), (head.tag.clone(), head.bytes, bytes));
        Ok(Some(bytes))
    }

    /// Those of a file's objects that nothing refers to. The list that they are from is older than what is looked at now: what
    /// any host has added after it is not among them.
    fn unnamed(&self, name: &str, file: &File) -> Result<Vec<String>, StorageError> {
        let named = match self.objects.head(name, objects::READ_BYTES) {
            Ok(Head::Index(index)) => Some(index.draft),
            // A damaged index may be brought back from a copy, and then it needs its parts.
            Ok(Head::Content(found)) if Index::is_meant(&found.bytes) => return Ok(Vec::new()),
            Ok(Head::Content(_)) => None,
            Err(StorageError::NotFound { .. }) => {
                let appended = file.appended.keys().map(|&offset| layout::appended_name(name, offset));
                return Ok(appended.chain(parts(name, file, None)).collect());
            }
            Err(error) => return Err(error),
        };
        Ok(parts(name, file, named.as_deref()).collect())
    }
}

fn started(spawn: &dyn Spawn, place: &str) -> Result<Arc<Runtime>, StorageError> {
    Runtime::try_new(spawn).map(Arc::new).map_err(|error| StorageError::system("open", place, error))
}

/// The parts of all drafts but one.
fn parts(name: &str, file: &File, but: Option<&str>) -> impl Iterator<Item = String> {
    let drafts = file.drafts.iter().filter(move |(draft, _)| Some(draft.as_str()) != but);
    drafts.flat_map(move |(draft, numbers)| numbers.iter().map(move |&number| layout::part_name(name, draft, number)))
}

impl Storage for ObjectStorage {
    fn create(&self, name: &str, content: &[u8]) -> Result<(), StorageError> {
        // What grows begins with one object, however long it is: offsets count from its end.
        let is_one = content.len() < self.part_bytes && !Index::is_meant(content);
        if is_one || name.starts_with(GROWING) {
            return match self.objects.put(name, content.to_vec().into())? {
                Put::Ours => Ok(()),
                Put::Taken => Err(self.objects.exists_already(name)),
            };
        }
        let mut draft = self.new_draft(name);
        draft.add(content)?;
        if draft.finish()? { Ok(()) } else { Err(self.objects.exists_already(name)) }
    }

    fn draft(&self, name: &str) -> Result<Box<dyn Draft>, StorageError> {
        Ok(Box::new(self.new_draft(name)))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, StorageError> {
        let mut content = Vec::new();
        self.reader(name)?.read_to_end(&mut content).map_err(|error| self.unread(name, error))?;
        Ok(content)
    }

    fn read_prefix(&self, name: &str, bytes: usize) -> Result<Vec<u8>, StorageError> {
        self.prefix_of(name, bytes, self.objects.head(name, (bytes as u64).min(objects::READ_BYTES))?)
    }

    fn read_prefixes(&self, wanted: &[(String, usize)]) -> Vec<Result<Vec<u8>, StorageError>> {
        let first = |(name, bytes): &(String, usize)| (name.clone(), (*bytes as u64).min(objects::READ_BYTES));
        let heads = self.objects.begin_heads(wanted.iter().map(first).collect());
        heads.zip(wanted).map(|((name, head), &(_, bytes))| self.prefix_of(&name, bytes, head?)).collect()
    }

    fn reader(&self, name: &str) -> Result<Box<dyn Read + Send>, StorageError> {
        Ok(Box::new(ObjectReader::open(&self.objects, name, name.starts_with(GROWING))?))
    }

    fn readers<'a>(&'a self, names: Vec<String>) -> Readers<'a> {
        let ahead = names.into_iter().map(|name| (name, AHEAD_BYTES)).collect();
        Box::new(self.objects.begin_heads(ahead).map(|(name, head)| {
            let reader = ObjectReader::of(&self.objects, &name, head?, name.starts_with(GROWING))?;
            Ok(Box::new(reader) as Box<dyn Read + Send>)
        }))
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>, StorageError> {
        let mut entries = Vec::new();
        for (name, file) in self.files(folder)? {
            let Some(head) = &file.head else { continue };
            if let Some(bytes) = self.bytes(&format!("{folder}/{name}"), head, &file)? {
                entries.push(Entry { name, bytes });
            }
        }
        Ok(entries)
    }

    /// The index goes first: without it the parts are leftovers, whatever happens.
    fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.objects.delete(name, &[name.to_owned()])?;
        if !name.starts_with(GROWING) && !self.known().in_parts.contains(name) {
            return Ok(());
        }
        let below = self.objects.list(name)?;
        let names: Vec<String> = below.into_iter().map(|object| format!("{name}/{}", object.name)).collect();
        self.objects.delete(name, &names)?;
        let mut known = self.known();
        known.in_parts.remove(name);
        known.lengths.remove(name);
        Ok(())
    }

    /// A record is mostly one object, and there may be thousands.
    fn remove_all(&self, names: &[String]) -> Result<(), StorageError> {
        let is_one = |name: &&String| !name.starts_with(GROWING) && !self.known().in_parts.contains(*name);
        let (single, others): (Vec<&String>, Vec<&String>) = names.iter().partition(is_one);
        others.into_iter().try_for_each(|name| self.remove(name))?;
        let single: Vec<String> = single.into_iter().cloned().collect();
        single.first().map_or(Ok(()), |first| self.objects.delete(first, &single))
    }

    fn appender(&self, name: &str) -> Result<Box<dyn Appender>, StorageError> {
        Ok(Box::new(ObjectAppender::open(&self.objects, name, self.part_bytes)?))
    }

    /// A store that has said yes has it.
    fn sync(&self, _folder: &str) -> Result<(), StorageError> {
        Ok(())
    }

    fn leftovers(&self) -> Result<Vec<String>, StorageError> {
        let mut found = Vec::new();
        for folder in FOLDERS {
            for (name, file) in self.files(folder)? {
                let name = format!("{folder}/{name}");
                if file.head.is_none() {
                    found.extend(file.appended.keys().map(|&offset| layout::appended_name(&name, offset)));
                }
                found.extend(parts(&name, &file, None));
            }
        }
        Ok(found)
    }

    fn remove_leftovers(&self, found: &[String]) -> Result<(), StorageError> {
        for folder in FOLDERS {
            let of_folder = found.iter().filter_map(|name| name.strip_prefix(folder)?.strip_prefix('/'));
            let objects = of_folder.map(|name| Object { name: name.to_owned(), bytes: 0, tag: None });
            for (name, file) in layout::files(objects) {
                let name = format!("{folder}/{name}");
                self.objects.delete(&name, &self.unnamed(&name, &file)?)?;
            }
        }
        Ok(())
    }

    fn is_whole(&self, name: &str) -> Result<bool, StorageError> {
        let index = match self.objects.head(name, objects::READ_BYTES) {
            Ok(Head::Index(index)) => index,
            Ok(Head::Content(_)) => return Ok(true),
            Err(StorageError::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let there: BTreeMap<String, u64> = self
            .objects
            .list(name)?
            .into_iter()
            .map(|object| (format!("{name}/{}", object.name), object.bytes))
            .collect();
        let mut parts = index.lengths.iter().zip(0..);
        Ok(parts.all(|(bytes, number)| there.get(&layout::part_name(name, &index.draft, number)) == Some(bytes)))
    }

    fn place(&self) -> String {
        self.objects.shown("")
    }
}
