//! Which files are settled: seen unchanged for a time, by a clock that only goes on.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::{OsStr, OsString},
    time::Duration,
};

use tidemill_model::time::Timestamp;

use super::{
    facts::{AsWritten, Facts},
    listing::Entry,
};

/// What a file whose time is one of whole seconds rests at least, unless the pipeline says how long: such a time may stand
/// for two seconds.
const COARSE_REST_MIN: Duration = Duration::from_secs(3);

/// A file that was last touched so long before the first look had rested before. No clock of a file server is so far behind.
const LONG_AGO: Duration = Duration::from_secs(3_600);

/// How long files must be seen unchanged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    fine: Duration,
    coarse: Duration,
}

/// When a folder was looked at, by a clock that only goes on; `None`: there is none, as where time is made up. Then
/// nothing can be watched, and what is there counts as settled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    pub began: Duration,
    pub ended: Duration,
}

/// Files that are not read yet, as they were seen.
#[derive(Debug, Default)]
pub(super) struct Watch {
    files: HashMap<OsString, Watched>,
    /// Tells the files of the last look from those that have gone.
    looks: u32,
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    content: AsWritten,
    /// It has been so since then; `None`: since long ago.
    since: Option<Duration>,
    /// The look that has shown it so first.
    first: u32,
    /// The look that has shown it last.
    look: u32,
}

/// When a file came to be as it is, and in one instant its place in a batch.
type Came<'a> = (Timestamp, Timestamp, &'a OsStr);

/// Of the files that still rest the one that came first, by the look that has shown it first as it is.
#[derive(Default)]
struct Resting(BTreeMap<u32, Entry>);

impl Rest {
    /// As the pipeline says, or by its interval.
    pub fn new(settled_after: Option<Duration>, interval: Duration) -> Rest {
        match settled_after {
            Some(rest) => Rest { fine: rest, coarse: rest },
            None => Rest { fine: interval, coarse: interval.max(COARSE_REST_MIN) },
        }
    }

    fn of(&self, facts: &Facts) -> Duration {
        if facts.is_coarse() { self.coarse } else { self.fine }
    }
}

impl Watch {
    /// The first look, at the time `now`.
    pub fn open(files: &[Entry], look: Option<Look>, now: Timestamp, rest: Rest) -> Watch {
        let Some(look) = look else { return Watch::default() };
        let watched = |entry: &Entry| {
            let is_old = now.since(entry.facts.touched()) > LONG_AGO + rest.of(&entry.facts);
            let since = (!is_old).then_some(look.ended);
            (entry.name.clone(), Watched { content: entry.facts.as_written(), since, first: 0, look: 0 })
        };
        Watch { files: files.iter().map(watched).collect(), looks: 0 }
    }

    /// Sees files again, or for the first time; gives those that are settled, and goes on watching the others. There may be a
    /// million, so that there are no two maps of them at a time.
    ///
    /// A look is no instant: it may miss a file that comes while it lasts, and show one that came after it. So a settled file
    /// waits for one that came before it, rests, and was first seen by the next look at the latest. What is written to again
    /// comes later, so that nothing is held up for long.
    pub fn settled(&mut self, files: Vec<Entry>, look: Option<Look>, rest: Rest) -> Vec<Entry> {
        let Some(look) = look else { return files };
        self.looks = self.looks.wrapping_add(1);
        let mut settled = files;
        let mut resting = Resting::default();
        settled.retain(|entry| {
            let is_settled = self.sees(entry, look, rest);
            if !is_settled {
                resting.add(self.first_of(&entry.name), entry);
            }
            is_settled
        });
        settled.retain(|entry| self.is_from_long_ago(&entry.name) || !resting.hold(self.first_of(&entry.name), entry));
        self.files.retain(|_, watched| watched.look == self.looks);
        self.files.shrink_to(2 * self.files.len());
        settled
    }

    /// Whether a file has rested.
    fn sees(&mut self, entry: &Entry, look: Look, rest: Rest) -> bool {
        let looks = self.looks;
        let now = Watched { content: entry.facts.as_written(), since: Some(look.ended), first: looks, look: looks };
        let Some(watched) = self.files.get_mut(&entry.name) else {
            self.files.insert(entry.name.clone(), now);
            return false;
        };
        let is_unchanged = watched.content == now.content;
        *watched = if is_unchanged { Watched { look: looks, ..*watched } } else { now };
        let rested = |since| look.began.saturating_sub(since) >= rest.of(&entry.facts);
        is_unchanged && watched.since.is_none_or(rested)
    }

    fn first_of(&self, name: &OsStr) -> u32 {
        self.files.get(name).map_or(self.looks, |watched| watched.first)
    }

    fn is_from_long_ago(&self, name: &OsStr) -> bool {
        self.files.get(name).is_some_and(|watched| watched.since.is_none())
    }
}

impl Resting {
    fn add(&mut self, first: u32, entry: &Entry) {
        if self.0.get(&first).is_none_or(|other| came(entry) < came(other)) {
            self.0.insert(first, entry.clone());
        }
    }

    /// Whether a file that was first seen by this look waits for one of them.
    fn hold(&self, first: u32, entry: &Entry) -> bool {
        self.0.range(..=first.saturating_add(1)).any(|(_, other)| came(other) < came(entry))
    }
}

fn came(entry: &Entry) -> Came<'_> {
    (entry.facts.touched(), entry.facts.modified, &entry.name)
}

#[cfg(test)]
mod tests;
