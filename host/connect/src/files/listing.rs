//! Which files of a folder a batch gets: decided from listings alone.

use std::{
    collections::HashSet,
    ffi::OsString,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tidemill_model::{connector::World, ports::PortError, time::Timestamp};

use super::{
    facts::Facts,
    memory::Memory,
    pin::SeenPin,
    table::{RowChange, Rows},
    watch::{Look, Rest, Watch},
};

/// A batch's files are all named in its pin, so there are no more of them than have so many bytes there, of all folders of a run
/// together: their pins stand in one record. The others are left for the next batch.
const PIN_BYTES_MAX: usize = if cfg!(test) { 1 << 14 } else { 4 << 20 };

/// What a pin has of a file besides its name, at most.
const PIN_BYTES_A_FILE: usize = 256;

/// A file as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub name: OsString,
    pub facts: Facts,
}

/// How many folders a run has.
#[derive(Debug)]
pub(super) struct Folders(AtomicUsize);

impl Folders {
    /// Counts one more of a run.
    pub fn one_more(world: &World) -> Result<Arc<Folders>, PortError> {
        let folders = world.shared.get(|| Ok(Folders(AtomicUsize::new(0))))?;
        folders.0.fetch_add(1, Ordering::Relaxed);
        Ok(folders)
    }

    /// What the pin of each has for its files.
    fn pin_bytes_max(&self) -> usize {
        PIN_BYTES_MAX / self.0.load(Ordering::Relaxed).max(1)
    }
}

/// A folder at one instant.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    /// Which folder it is: another one may come to stand under the same path.
    pub folder: Option<u64>,
    /// Its files, in no order.
    pub files: Vec<Entry>,
    /// When it was looked at.
    pub look: Option<Look>,
}

/// What was seen of a folder so far.
#[derive(Debug)]
pub(super) struct Seen {
    rest: Rest,
    folders: Arc<Folders>,
    memory: Memory,
    watch: Watch,
    /// Files that were there at the beginning and are not read yet; `None`: nobody waits for them.
    awaited: Option<HashSet<OsString>>,
    /// When that was.
    last: Timestamp,
}

impl Seen {
    /// Looks at the folder for the first time. With `read` false, what is there is never read.
    pub fn open(listing: &Listing, read: bool, now: Timestamp, rest: Rest) -> Seen {
        let mut seen = Seen {
            rest,
            folders: Arc::new(Folders(AtomicUsize::new(1))),
            memory: Memory::default(),
            watch: Watch::open(&listing.files, listing.look, now, rest),
            awaited: None,
            last: now,
        };
        if !read {
            seen.memory = Memory::of(listing.folder, &listing.files);
        }
        seen
    }

    /// It is one of these.
    pub fn beside(self, folders: Arc<Folders>) -> Seen {
        Seen { folders, ..self }
    }

    /// In a run that ends with what is there: until these files are read.
    pub fn awaiting(self, listing: &Listing) -> Seen {
        Seen { awaited: Some(names(&listing.files)), ..self }
    }

    /// The files of the batch sealed at `at`, the oldest first, and those of one time by name: those that are settled and
    /// were last written at that time or before.
    pub fn choose(&mut self, listing: Listing, at: Timestamp) -> Vec<Entry> {
        self.pick(listing, at, |entry| entry.facts.modified <= at)
    }

    /// The settled files, whatever their times, for a run that ends with what is there.
    pub fn choose_all(&mut self, listing: Listing, at: Timestamp) -> Vec<Entry> {
        self.pick(listing, at, |_| true)
    }

    /// A file that was there at the beginning and is not read yet; `None`: all were read, or have gone, or nobody waits.
    pub fn awaited(&self) -> Option<&OsString> {
        self.awaited.iter().flatten().min()
    }

    /// A file that was chosen was not read: it had changed since, or, if not, was gone. One that is there is waited for.
    pub fn not_read(&mut self, name: &OsString, has_changed: bool) {
        self.memory.remove(name);
        if let Some(awaited) = self.awaited.as_mut().filter(|_| has_changed) {
            awaited.insert(name.clone());
        }
    }

    /// What a checkpoint keeps of it, besides the files. When files that are left were first seen so is not kept: nobody
    /// watches them while a program is down.
    pub fn pin(&self) -> SeenPin {
        let mut pin = SeenPin { listed_micros: self.last.0, ..SeenPin::default() };
        self.memory.pin(&mut pin);
        pin
    }

    /// The files that are known, for a table of the checkpoint: what has changed since this was asked last, or since there were
    /// the rows `before`.
    pub fn changes(&mut self, before: Option<Rows>) -> Vec<RowChange> {
        self.memory.changes(before)
    }

    /// Goes on behind what a checkpoint kept, and goes on watching what was there at the beginning.
    pub fn resume(&mut self, pin: &SeenPin, rows: Option<&Rows>) {
        self.memory = Memory::restored(pin, rows.unwrap_or(&Rows::new()));
        self.last = Timestamp(pin.listed_micros);
    }

    fn pick(&mut self, listing: Listing, at: Timestamp, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let Listing { folder, files, look } = listing;
        let unknown = self.memory.unknown(folder, files);
        let mut left = if self.awaited.is_some() { names(&unknown) } else { HashSet::new() };
        let mut chosen = self.watch.settled(unknown, look, self.rest);
        chosen.retain(wanted);
        chosen.sort_by(|a, b| (a.facts.modified, &a.name).cmp(&(b.facts.modified, &b.name)));
        let (mut bytes, bytes_max) = (0, self.folders.pin_bytes_max());
        let within = chosen.iter().take_while(|entry| {
            bytes += entry.name.len() + PIN_BYTES_A_FILE;
            bytes <= bytes_max
        });
        chosen.truncate(within.count().max(1));
        for entry in &chosen {
            self.memory.add(entry);
            left.remove(&entry.name);
        }
        if let Some(awaited) = &mut self.awaited {
            awaited.retain(|name| left.contains(name));
        }
        self.last = at;
        // A file that has two names, by a link, is one file.
        let mut places = HashSet::new();
        chosen.retain(|entry| entry.facts.place.is_none_or(|place| places.insert(place)));
        chosen
    }
}

fn names(files: &[Entry]) -> HashSet<OsString> {
    files.iter().map(|entry| entry.name.clone()).collect()
}

#[cfg(test)]
impl Seen {
    /// All files that are known.
    fn rows(&self) -> Rows {
        self.memory.rows()
    }
}

#[cfg(test)]
mod tests;
