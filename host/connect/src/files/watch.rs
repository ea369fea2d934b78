//! Which files are settled: seen unchanged for a time, by a clock that only goes on.

use std::{collections::HashMap, ffi::OsString, time::Duration};

use tidemill_model::time::Timestamp;

use super::{facts::Facts, listing::Entry};

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
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    facts: Facts,
    /// It has been so since then; `None`: since long ago.
    since: Option<Duration>,
}

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
            // A file that is being written has been changed lately, even if its time of writing is set to another.
            let touched = entry.facts.changed.map_or(entry.facts.modified, |at| at.max(entry.facts.modified));
            let is_old = now.since(touched) > LONG_AGO + rest.of(&entry.facts);
            (entry.name.clone(), Watched { facts: entry.facts, since: (!is_old).then_some(look.ended) })
        };
        Watch { files: files.iter().map(watched).collect() }
    }

    /// Sees files again, or for the first time; gives those that are settled, and goes on watching the others.
    pub fn settled(&mut self, files: Vec<Entry>, look: Option<Look>, rest: Rest) -> Vec<Entry> {
        let Some(look) = look else { return files };
        let mut watched = HashMap::new();
        let mut settled = Vec::new();
        for entry in files {
            let before = self.files.get(&entry.name).filter(|before| before.facts.is_unchanged(&entry.facts));
            let seen = before.copied().unwrap_or(Watched { facts: entry.facts, since: Some(look.ended) });
            let rested = seen.since.is_none_or(|since| look.began.saturating_sub(since) >= rest.of(&entry.facts));
            watched.insert(entry.name.clone(), seen);
            if rested && before.is_some() {
                settled.push(entry);
            }
        }
        self.files = watched;
        settled
    }
}
