//! Which files were read, or are not to be read: known again by their names and by what they are.
//!
//! A file that is gone is forgotten, so that no more is kept than a folder has. Two things only look as if files were gone:
//! a listing may miss one that is being renamed, and a folder that is not mounted is another, empty one.

use std::{
    cell::{LazyCell, OnceCell},
    collections::HashMap,
    ffi::OsString,
};

use super::{
    facts::Mark,
    listing::Entry,
    noted::Noted,
    pin::{FilesPin, Name, RememberedPin, SeenPin},
    table::{self, Place, RowChange, Rows},
};

type Files = HashMap<OsString, Mark>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The folder that `here` and `gone` belong to: another one may stand under the same path. `None`: not known.
    folder: Option<u64>,
    /// Files that the last listing had.
    here: Files,
    /// Files that it had not, and the one before it had.
    gone: Files,
    /// Another folder that stood under this path before, as it was left.
    away: Option<(u64, Files)>,
    /// What has changed since that was asked for.
    noted: Noted,
}

/// Files that are known before a listing is looked at.
struct Known<'a> {
    by_name: Vec<&'a Files>,
    /// Made when it is needed: where nothing is new, it is not.
    by_identity: OnceCell<Vec<Mark>>,
}

impl Memory {
    /// Remembers all of these files of a folder.
    pub fn of(folder: Option<u64>, files: &[Entry]) -> Memory {
        let here = files.iter().map(|entry| (entry.name.clone(), entry.facts.mark())).collect();
        Memory { folder, here, ..Memory::default() }
    }

    /// Gives those files of a listing that are not known, and forgets some that are gone.
    pub fn unknown(&mut self, folder: Option<u64>, files: Vec<Entry>) -> Vec<Entry> {
        if files.is_empty() {
            // There is nothing that could be taken for another file, and the others may come back.
            return files;
        }
        self.enter(folder);
        let known = Known { by_name: self.places().map(|(_, files)| files).collect(), by_identity: OnceCell::new() };
        let mut here = Files::with_capacity(self.here.len());
        // Two lists of a million would be one too many.
        let mut files = files;
        here.extend(files.extract_if(.., |entry| known.has(entry)).map(|entry| (entry.name, entry.facts.mark())));
        self.turn_to(here);
        files
    }

    /// From now on these are here. What is not, and did not get another name, is gone; what was gone before is forgotten.
    fn turn_to(&mut self, here: Files) {
        // Made when it is needed, too.
        let identities = LazyCell::new(|| sorted(here.values()));
        let is_renamed = |mark: &Mark| mark.identity != 0 && of_identity(&identities, mark.identity).next().is_some();
        let is_left = |name: &OsString, mark: &Mark| {
            let is_there = here.get(name).is_some_and(|now| is_same_name(*mark, *now));
            !is_there && !is_renamed(mark)
        };
        let noted = &mut self.noted;
        let mut left = std::mem::take(&mut self.here);
        for (name, _) in here.iter().filter(|(name, mark)| left.get(*name) != Some(mark)) {
            noted.note(Place::Here, name, left.get(name).copied());
        }
        let went = left.iter().filter(|(name, _)| !here.contains_key(*name));
        went.for_each(|(name, mark)| noted.had(Place::Here, name, *mark));
        left.retain(|name, mark| is_left(name, mark));
        self.gone.iter().for_each(|(name, mark)| noted.had(Place::Gone, name, *mark));
        left.keys().for_each(|name| noted.note(Place::Gone, name, None));
        self.gone = left;
        if let Some((_, files)) = &mut self.away {
            let went = files.extract_if(|name, mark| !is_left(name, mark));
            went.for_each(|(name, mark)| noted.had(Place::Away, &name, mark));
        }
        self.here = here;
    }

    /// This file is read.
    pub fn add(&mut self, entry: &Entry) {
        let before = self.here.insert(entry.name.clone(), entry.facts.mark());
        self.noted.note(Place::Here, &entry.name, before);
    }

    /// This file was not read after all, under whatever name.
    pub fn remove(&mut self, name: &OsString) {
        let Some(mark) = self.here.remove(name) else { return };
        self.noted.had(Place::Here, name, mark);
        if mark.identity != 0 {
            let same = self.here.extract_if(|_, other| other.identity == mark.identity);
            same.for_each(|(name, mark)| self.noted.had(Place::Here, &name, mark));
        }
    }

    /// Puts into a pin which folders it knows of. The files are in [rows](Memory::rows).
    pub fn pin(&self, pin: &mut SeenPin) {
        pin.folder = self.folder;
        let away = self.away.as_ref().filter(|(_, files)| !files.is_empty());
        pin.folder_before = away.map(|(folder, _)| *folder);
    }

    /// Every file that it knows.
    pub fn rows(&self) -> Rows {
        self.places()
            .flat_map(|(place, files)| files.iter().map(move |(name, mark)| ((place, name.clone()), *mark)))
            .collect()
    }

    /// What has changed in its rows since this was asked last; all that is not as in `before`, for the first time.
    pub fn changes(&mut self, before: Option<Rows>) -> Vec<RowChange> {
        let noted = std::mem::replace(&mut self.noted, Noted::begin());
        match before {
            Some(before) => table::differences(&before, &self.rows()),
            None => noted.changes(|place, name| {
                self.places().find(|(of, _)| *of == place).and_then(|(_, files)| files.get(name)).copied()
            }),
        }
    }

    fn places(&self) -> impl Iterator<Item = (Place, &Files)> {
        let away = self.away.as_ref().map(|(_, files)| (Place::Away, files));
        [(Place::Here, &self.here), (Place::Gone, &self.gone)].into_iter().chain(away)
    }

    /// What a pin says and the rows that were kept behind it.
    pub fn restored(pin: &SeenPin, rows: &Rows) -> Memory {
        if let Some(files) = &pin.files {
            return Memory::pinned(pin, files);
        }
        let of = |wanted: Place| -> Files {
            let rows = rows.iter().filter(|((place, _), _)| *place == wanted);
            rows.map(|((_, name), mark)| (name.clone(), *mark)).collect()
        };
        let away = pin.folder_before.map(|folder| (folder, of(Place::Away)));
        Memory { folder: pin.folder, here: of(Place::Here), gone: of(Place::Gone), away, noted: Noted::default() }
    }

    /// What a pin of an earlier version says. Its names were checked; one that this system cannot have stands for no file.
    fn pinned(pin: &SeenPin, FilesPin { done, marks, gone, away }: &FilesPin) -> Memory {
        let marks = marks.0.iter().copied().chain(std::iter::repeat(Mark::default()));
        let files = |names: &[Name], marks: &mut dyn Iterator<Item = Mark>| -> Files {
            names.iter().zip(marks).filter_map(|(name, mark)| Some((name.to_os().ok()?, mark))).collect()
        };
        let of = |pin: &RememberedPin| files(&pin.names, &mut pin.marks.0.iter().copied());
        Memory {
            folder: pin.folder,
            here: files(done, &mut { marks }),
            gone: gone.as_ref().map(of).unwrap_or_default(),
            away: away.as_ref().map(|away| (away.folder, of(&away.files))),
            noted: Noted::default(),
        }
    }

    /// A folder stands under the path that may not be the one that stood there before.
    fn enter(&mut self, folder: Option<u64>) {
        let (Some(before), Some(now)) = (self.folder, folder) else {
            self.folder = folder;
            return;
        };
        if before == now {
            return;
        }
        // All of them get another place; that is rare.
        let had = self.rows();
        let mut left = std::mem::take(&mut self.here);
        left.extend(std::mem::take(&mut self.gone));
        if let Some((_, back)) = self.away.take_if(|(away, _)| *away == now) {
            self.here = back;
        }
        (self.away, self.folder) = (Some((before, left)), folder);
        let has = self.rows();
        for (place, name) in had.keys().chain(has.keys()) {
            self.noted.note(*place, name, had.get(&(*place, name.clone())).copied());
        }
    }
}

impl Known<'_> {
    /// Whether this file was read, or is not to be.
    fn has(&self, entry: &Entry) -> bool {
        let mut named = self.by_name.iter().filter_map(|files| files.get(&entry.name));
        if named.any(|mark| entry.facts.is_known_as(*mark, true)) {
            return true;
        }
        let marks = self.by_identity.get_or_init(|| sorted(self.by_name.iter().flat_map(|files| files.values())));
        of_identity(marks, entry.facts.mark().identity).any(|mark| entry.facts.is_known_as(*mark, false))
    }
}

/// Marks by identity, in no more room than they need: there may be a million.
fn sorted<'a>(marks: impl Iterator<Item = &'a Mark>) -> Vec<Mark> {
    let mut marks: Vec<Mark> = marks.copied().collect();
    marks.sort_unstable_by_key(|mark| mark.identity);
    marks
}

/// Those of an identity.
fn of_identity(sorted: &[Mark], identity: u64) -> impl Iterator<Item = &Mark> {
    let first = sorted.partition_point(|mark| mark.identity < identity);
    sorted[first..].iter().take_while(move |mark| mark.identity == identity)
}

/// Whether a file was known under its name by an earlier mark than the one it has.
fn is_same_name(before: Mark, now: Mark) -> bool {
    before.identity == 0 || before.identity == now.identity || before.content == now.content
}
