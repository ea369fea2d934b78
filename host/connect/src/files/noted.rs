//! Which files of a folder got another mark or place since somebody asked: a batch stores those, not all of a million.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use super::{
    facts::Mark,
    table::{Place, RowChange},
};

/// What files were known as when somebody asked last, of those of which that may have changed; `None`: nobody has asked yet, so
/// that nothing needs to be noted.
#[derive(Debug, Default)]
pub(super) struct Noted(Option<BTreeMap<(Place, OsString), Option<Mark>>>);

impl Noted {
    /// From now on.
    pub fn begin() -> Noted {
        Noted(Some(BTreeMap::new()))
    }

    /// A file gets another mark at this place, or goes from it or comes there, where it had this one. Before the first change: what
    /// comes later is no news.
    pub fn note(&mut self, place: Place, name: &OsStr, before: Option<Mark>) {
        if let Some(noted) = &mut self.0 {
            noted.entry((place, name.to_owned())).or_insert(before);
        }
    }

    /// A file goes.
    pub fn had(&mut self, place: Place, name: &OsStr, mark: Mark) {
        self.note(place, name, Some(mark));
    }

    /// What has changed, by what is now.
    pub fn changes(self, now: impl Fn(Place, &OsStr) -> Option<Mark>) -> Vec<RowChange> {
        let noted = self.0.unwrap_or_default().into_iter();
        let changes = noted.filter_map(|((place, name), before)| {
            let now = now(place, &name);
            (now != before).then_some(((place, name), now))
        });
        changes.collect()
    }
}
