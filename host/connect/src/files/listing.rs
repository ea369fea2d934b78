//! Which files of a folder a batch gets: decided from listings alone.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
};

use tidemill_model::time::Timestamp;

use super::pin::{Name, SeenPin, UnsettledFile};

/// A file as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub name: OsString,
    pub modified: Timestamp,
    pub len: u64,
}

/// What was seen of a folder so far.
#[derive(Debug)]
pub(super) struct Seen {
    /// Files that were read, or are not to be read. Those that are gone are forgotten: a new file may have their name.
    done: HashSet<OsString>,
    /// The others, as the last listing showed them.
    others: HashMap<OsString, (Timestamp, u64)>,
    /// When that was.
    last: Timestamp,
}

impl Seen {
    /// Looks at the folder for the first time. With `read` false, what is there is never read.
    pub fn open(listing: &[Entry], read: bool, now: Timestamp) -> Seen {
        let mut seen = Seen { done: HashSet::new(), others: HashMap::new(), last: now };
        if read {
            seen.others = listing.iter().map(|entry| (entry.name.clone(), (entry.modified, entry.len))).collect();
        } else {
            seen.done = listing.iter().map(|entry| entry.name.clone()).collect();
        }
        seen
    }

    /// The files of the batch sealed at `at`, the oldest first, and those of one time by name.
    ///
    /// A file that is still being written is left for a later batch. It counts as written when it has neither grown nor
    /// been touched since the last listing, or was last touched before that.
    pub fn choose(&mut self, listing: Vec<Entry>, at: Timestamp) -> Vec<Entry> {
        let settled = |seen: &Seen, entry: &Entry| {
            seen.others.get(&entry.name) == Some(&(entry.modified, entry.len)) || entry.modified <= seen.last
        };
        self.pick(listing, at, |seen, entry| entry.modified <= at && settled(seen, entry))
    }

    /// All files that were not read, for a run that ends with what is there.
    pub fn choose_all(&mut self, listing: Vec<Entry>, at: Timestamp) -> Vec<Entry> {
        self.pick(listing, at, |_, _| true)
    }

    /// What a checkpoint keeps of it, each name once.
    pub fn pin(&self) -> SeenPin {
        let mut done: Vec<_> = self.done.iter().map(|name| Name::new(name)).collect();
        done.sort_unstable();
        let unsettled = |(name, &(modified, len)): (&OsString, &(Timestamp, u64))| UnsettledFile {
            name: Name::new(name),
            size: len,
            modified_micros: modified.0,
        };
        let mut unsettled: Vec<_> = self.others.iter().map(unsettled).collect();
        unsettled.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        SeenPin { done, unsettled, listed_micros: self.last.0 }
    }

    /// What a checkpoint kept. The names were checked; one that this system cannot have stands for no file.
    pub fn pinned(pin: &SeenPin) -> Seen {
        let unsettled = |file: &UnsettledFile| {
            file.name.to_os().ok().map(|name| (name, (Timestamp(file.modified_micros), file.size)))
        };
        Seen {
            done: pin.done.iter().filter_map(|name| name.to_os().ok()).collect(),
            others: pin.unsettled.iter().filter_map(unsettled).collect(),
            last: Timestamp(pin.listed_micros),
        }
    }

    fn pick(&mut self, listing: Vec<Entry>, at: Timestamp, wanted: impl Fn(&Seen, &Entry) -> bool) -> Vec<Entry> {
        let (mut chosen, mut others, mut done) = (Vec::new(), HashMap::new(), HashSet::new());
        for entry in listing {
            if self.done.contains(&entry.name) {
                done.insert(entry.name);
            } else if wanted(self, &entry) {
                done.insert(entry.name.clone());
                chosen.push(entry);
            } else {
                others.insert(entry.name, (entry.modified, entry.len));
            }
        }
        (self.done, self.others, self.last) = (done, others, at);
        chosen.sort_by(|a, b| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(files: &[(&str, i64, u64)]) -> Vec<Entry> {
        let entry =
            |&(name, modified, len): &(&str, i64, u64)| Entry { name: name.into(), modified: Timestamp(modified), len };
        files.iter().map(entry).collect()
    }

    #[track_caller]
    fn check(seen: &mut Seen, at: i64, files: &[(&str, i64, u64)], expect: &[&str]) {
        let chosen = seen.choose(entries(files), Timestamp(at));
        assert_eq!(chosen.iter().map(|entry| entry.name.as_os_str()).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn each_file_is_chosen_once_oldest_first() {
        let there = [("b", 5, 1), ("a", 5, 1), ("c", 3, 1)];
        let mut seen = Seen::open(&entries(&there), true, Timestamp(0));
        check(&mut seen, 10, &there, &["c", "a", "b"]);
        check(&mut seen, 20, &there, &[]);
        check(&mut seen, 30, &[("a", 25, 9), ("b", 5, 1)], &[]);
        // c is gone; another one of its name is a new file.
        check(&mut seen, 40, &[("c", 30, 1)], &["c"]);
    }

    #[test]
    fn what_was_there_may_be_passed_over() {
        let mut seen = Seen::open(&entries(&[("old", 1, 1)]), false, Timestamp(5));
        check(&mut seen, 10, &[("old", 1, 1), ("new", 8, 1)], &[]);
        check(&mut seen, 20, &[("old", 1, 1), ("new", 8, 1)], &["new"]);
    }

    #[test]
    fn a_file_that_is_being_written_waits() {
        let mut seen = Seen::open(&[], true, Timestamp(0));
        check(&mut seen, 10, &[("a", 9, 1)], &[]);
        check(&mut seen, 20, &[("a", 19, 2)], &[]);
        check(&mut seen, 30, &[("a", 19, 2)], &["a"]);
        // Moved in: it was written long ago.
        check(&mut seen, 40, &[("a", 19, 2), ("moved", 5, 7)], &["moved"]);
        // From the future: its turn comes with its time.
        check(&mut seen, 50, &[("late", 65, 1)], &[]);
        check(&mut seen, 60, &[("late", 65, 1)], &[]);
        check(&mut seen, 70, &[("late", 65, 1)], &["late"]);
    }

    #[test]
    fn a_run_that_ends_takes_all() {
        let mut seen = Seen::open(&[], true, Timestamp(0));
        let chosen = seen.choose_all(entries(&[("b", 99, 1), ("a", 9, 1)]), Timestamp(0));
        assert_eq!(chosen.iter().map(|entry| entry.name.as_os_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(seen.choose_all(entries(&[("b", 99, 1), ("a", 9, 1)]), Timestamp(1)), []);
    }
}
