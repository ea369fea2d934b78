//! Which files are settled: seen unchanged for a time, by a clock that only goes on.

use std::{collections::HashMap, ffi::OsString, time::Duration};

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
    /// The look that has shown it last.
    look: u32,
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
            let since = (!is_old).then_some(look.ended);
            (entry.name.clone(), Watched { content: entry.facts.as_written(), since, look: 0 })
        };
        Watch { files: files.iter().map(watched).collect(), looks: 0 }
    }

    /// Sees files again, or for the first time; gives those that are settled, and goes on watching the others. There may be a
    /// million, so that there are no two maps of them at a time.
    pub fn settled(&mut self, files: Vec<Entry>, look: Option<Look>, rest: Rest) -> Vec<Entry> {
        let Some(look) = look else { return files };
        self.looks = self.looks.wrapping_add(1);
        let mut settled = files;
        settled.retain(|entry| self.sees(entry, look, rest));
        self.files.retain(|_, watched| watched.look == self.looks);
        self.files.shrink_to(2 * self.files.len());
        settled
    }

    /// Whether a file has rested.
    fn sees(&mut self, entry: &Entry, look: Look, rest: Rest) -> bool {
        let now = Watched { content: entry.facts.as_written(), since: Some(look.ended), look: self.looks };
        let Some(watched) = self.files.get_mut(&entry.name) else {
            self.files.insert(entry.name.clone(), now);
            return false;
        };
        let is_unchanged = watched.content == now.content;
        *watched = Watched { since: if is_unchanged { watched.since } else { now.since }, ..now };
        let rested = |since| look.began.saturating_sub(since) >= rest.of(&entry.facts);
        is_unchanged && watched.since.is_none_or(rested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a file of which was known at the first look when it was last written, and changed, is settled at the next one.
    fn is_settled(modified: i64, changed: Option<i64>, rest: Duration) -> bool {
        const NOW: i64 = 1_700_000_000_000_000;
        let at = |ago: i64| Timestamp(NOW - ago);
        let facts = Facts { modified: at(modified), len: 1, place: Some((1, 1)), born: None, changed: changed.map(at) };
        let entry = || vec![Entry { name: "a".into(), facts }];
        let look =
            |micros: u64| Some(Look { began: Duration::from_micros(micros), ended: Duration::from_micros(micros) });
        let rest = Rest::new(Some(rest), Duration::from_secs(1));
        let mut watch = Watch::open(&entry(), look(0), Timestamp(NOW), rest);
        watch.settled(entry(), look(1), rest).len() == 1
    }

    #[test]
    fn what_was_touched_long_before_the_first_look_had_rested() {
        const HOUR: i64 = 3_600_000_000;
        for rest in [0, 5_000_000, 60_000_000] {
            let settled = |modified, changed| is_settled(modified, changed, Duration::from_micros(rest as u64));
            let long = HOUR + rest;
            // Nothing has to rest that need not.
            let never_long = rest == 0;
            assert_eq!(settled(long, None), never_long, "{rest}");
            assert!(settled(long + 1, None) && settled(long + 1, Some(long + 1)));
            assert_eq!(settled(long + 1, Some(long)), never_long);
            assert_eq!(settled(long, Some(long + 1)), never_long);
            assert_eq!((settled(1, None), settled(long + 1, Some(0))), (never_long, never_long));
        }
    }
}
