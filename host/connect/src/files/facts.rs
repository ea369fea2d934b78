//! What a system shows of a file, and which two looks at files are looks at the same one.

use std::{
    fs, io,
    time::{SystemTime, UNIX_EPOCH},
};

use tidemill_model::time::Timestamp;

/// A file as it is at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// When it was written last, by the clock of whoever keeps the file.
    pub modified: Timestamp,
    pub len: u64,
    /// Its device and its number there, where the system tells.
    pub place: Option<(u64, u64)>,
    /// When it came to be, where the system tells.
    pub born: Option<Timestamp>,
    /// When it, its name or its settings were changed last, where the system tells.
    pub changed: Option<Timestamp>,
}

/// What writing to a file changes, or putting another one in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AsWritten {
    modified: Timestamp,
    len: u64,
    place: Option<(u64, u64)>,
}

/// What is remembered of a file that was read: enough to know it again under another name, and another under its own.
/// Marks are in checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Of the file itself: its number and when it came to be. The device is left out, as it changes from boot to boot;
    /// 0: not known.
    pub identity: u64,
    /// Of its size and time.
    pub content: u32,
}

impl Facts {
    pub fn of(about: &fs::Metadata) -> io::Result<Facts> {
        Ok(Facts {
            modified: timestamp(about.modified()?),
            len: about.len(),
            place: place(about),
            born: about.created().ok().map(timestamp).filter(|born| born.0 > 0),
            changed: changed(about),
        })
    }

    /// Whether nobody has written to it between two looks, and it is the same file.
    pub fn is_unchanged(&self, other: &Facts) -> bool {
        self.as_written() == other.as_written()
    }

    /// What is the same at two looks between which nobody has written to it, if it is the same file.
    pub fn as_written(&self) -> AsWritten {
        AsWritten { modified: self.modified, len: self.len, place: self.place }
    }

    /// When somebody was at it last: a file that is being written has been changed lately, even if its time of writing is set to
    /// another.
    pub fn touched(&self) -> Timestamp {
        self.changed.map_or(self.modified, |at| at.max(self.modified))
    }

    /// Whether its time is one of whole seconds, so that what happens within one does not show in it.
    pub fn is_coarse(&self) -> bool {
        self.modified.0 % 1_000_000 == 0
    }

    pub fn mark(&self) -> Mark {
        let identity = self.place.map_or(0, |(_, number)| mix(number, self.born.map_or(0, |born| born.0)).max(1));
        Mark { identity, content: (mix(self.len, self.modified.0) >> 32) as u32 }
    }

    /// Whether a file that was remembered as `known` is this one.
    ///
    /// Numbers are given again when a file is gone, so a number alone says nothing: it must have come to be at the same
    /// time, or, where the system does not tell that, have the same name, or size and time. And where numbers do not
    /// last, as in a folder that was mounted again, the same name, size and time are enough.
    pub fn is_known_as(&self, known: Mark, has_its_name: bool) -> bool {
        let mark = self.mark();
        if known.identity == 0 || mark.identity == 0 {
            return has_its_name;
        }
        let is_as_it_was = known.content == mark.content;
        if known.identity == mark.identity {
            return self.born.is_some() || has_its_name || is_as_it_was;
        }
        has_its_name && is_as_it_was
    }
}

/// A number for two. Part of the format of checkpoints.
pub(super) fn mix(a: u64, b: i64) -> u64 {
    // The steps of SplitMix64, once for each.
    let step = |value: u64| {
        let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    };
    step(step(a) ^ b as u64)
}

fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp(match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    })
}

#[cfg(unix)]
fn place(about: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    (about.ino() != 0).then(|| (about.dev(), about.ino()))
}

#[cfg(not(unix))]
fn place(_about: &fs::Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(unix)]
fn changed(about: &fs::Metadata) -> Option<Timestamp> {
    use std::os::unix::fs::MetadataExt;
    Some(Timestamp(about.ctime().saturating_mul(1_000_000).saturating_add(about.ctime_nsec() / 1_000)))
}

#[cfg(not(unix))]
fn changed(_about: &fs::Metadata) -> Option<Timestamp> {
    None
}
