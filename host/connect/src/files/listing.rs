//! Which files of a folder a batch gets: decided from listings alone.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
};

use tidemill_model::time::Timestamp;

use super::{
    facts::Facts,
    memory::Memory,
    pin::{Name, SeenPin, UnsettledFile},
    watch::{Look, Rest, Watch},
};

/// A file as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub name: OsString,
    pub facts: Facts,
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
    memory: Memory,
    watch: Watch,
    /// Files that were there at the beginning and are not read yet.
    awaited: HashSet<OsString>,
    /// The files that the last listing had and that were left, as it showed them.
    left: HashMap<OsString, (Timestamp, u64)>,
    /// When that was.
    last: Timestamp,
}

impl Seen {
    /// Looks at the folder for the first time. With `read` false, what is there is never read.
    pub fn open(listing: &Listing, read: bool, now: Timestamp, rest: Rest) -> Seen {
        let mut seen = Seen {
            rest,
            memory: Memory::default(),
            watch: Watch::open(&listing.files, listing.look, now, rest),
            awaited: listing.files.iter().map(|entry| entry.name.clone()).collect(),
            left: HashMap::new(),
            last: now,
        };
        if read {
            seen.left = left(&listing.files);
        } else {
            seen.memory = Memory::of(listing.folder, &listing.files);
        }
        seen
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

    /// A file that was there at the beginning and is not read yet; `None`: all were read, or have gone.
    pub fn awaited(&self) -> Option<&OsString> {
        self.awaited.iter().min()
    }

    /// A file that was chosen was not read: it had changed since, or, if not, was gone. One that is there is waited for.
    pub fn not_read(&mut self, name: &OsString, has_changed: bool) {
        self.memory.remove(name);
        if has_changed {
            self.awaited.insert(name.clone());
        }
    }

    /// What a checkpoint keeps of it, each name once. When files that are left were first seen so is not kept: nobody
    /// watches them while a program is down.
    pub fn pin(&self) -> SeenPin {
        let unsettled = |(name, &(modified, len)): (&OsString, &(Timestamp, u64))| UnsettledFile {
            name: Name::new(name),
            size: len,
            modified_micros: modified.0,
        };
        let mut unsettled: Vec<_> = self.left.iter().map(unsettled).collect();
        unsettled.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut pin = SeenPin { unsettled, listed_micros: self.last.0, ..SeenPin::default() };
        self.memory.pin(&mut pin);
        pin
    }

    /// Goes on behind what a checkpoint kept, and goes on watching what was there at the beginning.
    pub fn resume(&mut self, pin: &SeenPin) {
        self.memory = Memory::pinned(pin);
        self.last = Timestamp(pin.listed_micros);
        let left = |file: &UnsettledFile| Some((file.name.to_os().ok()?, (Timestamp(file.modified_micros), file.size)));
        self.left = pin.unsettled.iter().filter_map(left).collect();
    }

    fn pick(&mut self, listing: Listing, at: Timestamp, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let Listing { folder, files, look } = listing;
        let unknown = self.memory.unknown(folder, files);
        self.left = left(&unknown);
        let mut chosen = self.watch.settled(unknown, look, self.rest);
        chosen.retain(wanted);
        chosen.sort_by(|a, b| (a.facts.modified, &a.name).cmp(&(b.facts.modified, &b.name)));
        for entry in &chosen {
            self.memory.add(entry);
            self.left.remove(&entry.name);
        }
        self.awaited.retain(|name| self.left.contains_key(name));
        self.last = at;
        // A file that has two names, by a link, is one file.
        let mut places = HashSet::new();
        chosen.retain(|entry| entry.facts.place.is_none_or(|place| places.insert(place)));
        chosen
    }
}

fn left(files: &[Entry]) -> HashMap<OsString, (Timestamp, u64)> {
    files.iter().map(|entry| (entry.name.clone(), (entry.facts.modified, entry.facts.len))).collect()
}

#[cfg(test)]
mod tests;
