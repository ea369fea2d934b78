//! The file that is being read: what was opened is what is read, from its beginning to its end.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use tidemill_model::ports::PortError;

use super::{
    facts::Facts,
    pin::{self, Content, Digest, Marks, Name, ReadFile},
    reading::{AsKnown, Waiting},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Current {
    pub about: Waiting,
    file: io::Take<File>,
    /// As it was when it was opened.
    opened: Facts,
    read_bytes: u64,
    hasher: Option<blake3::Hasher>,
}

/// What comes next of a file.
pub(super) enum Step {
    /// So many bytes.
    Bytes(usize),
    /// Nothing any more.
    End,
    /// Nothing at all: it had nothing when it was listed, and somebody has begun to write to it.
    Changed,
}

impl Current {
    pub fn new(about: Waiting, file: File, opened: Facts) -> Current {
        let len_max = match about.as_known {
            AsKnown::Read { size, .. } => size,
            // What is made up when it is read has no size, or so it is said.
            AsKnown::Opened | AsKnown::Listed(_) if opened.len == 0 => u64::MAX,
            AsKnown::Opened | AsKnown::Listed(_) => opened.len,
        };
        Current { file: file.take(len_max), about, opened, read_bytes: 0, hasher: None }
    }

    /// The next bytes. With `pins` they are hashed.
    pub fn read(&mut self, block: &mut [u8], pins: bool) -> io::Result<Step> {
        // Not when the file is opened: whether there are pins may be said after that, but before anything is read.
        if self.read_bytes == 0 && self.hasher.is_none() && (pins || self.is_again()) {
            self.hasher = Some(blake3::Hasher::new());
        }
        let len = self.file.read(block)?;
        if len == 0 {
            return Ok(Step::End);
        }
        if self.read_bytes == 0 && self.opened.len == 0 && !self.is_again() && self.file.get_ref().metadata()?.len() > 0
        {
            return Ok(match self.about.as_known {
                AsKnown::Listed(_) => Step::Changed,
                AsKnown::Opened | AsKnown::Read { .. } => Step::End,
            });
        }
        self.read_bytes += len as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&block[..len]);
        }
        Ok(Step::Bytes(len))
    }

    /// It has ended; gives what was read, if that was hashed.
    ///
    /// # Errors
    /// It is not what it was when it was opened, or read before.
    pub fn finish(mut self, stream: &str) -> Result<Option<ReadFile>, PortError> {
        let hash = self.hasher.as_ref().map(|hasher| Digest(hasher.finalize()));
        let modified = match self.about.as_known {
            AsKnown::Read { size, hash: expected, modified } => {
                if hash != Some(expected) || self.read_bytes != size {
                    // It was as before when it was looked at, so somebody is at it now.
                    return Err(pin::changed(stream, &self.about.path, "somebody writes to it".to_owned()));
                }
                modified
            }
            AsKnown::Opened | AsKnown::Listed(_) => {
                self.check_unchanged(stream, hash)?;
                self.opened.modified
            }
        };
        let content = |hash| Content { size: self.read_bytes, modified_micros: modified.0, hash };
        Ok(hash.map(|hash| ReadFile {
            name: Name::new(&self.about.name),
            mark: Marks(vec![self.opened.mark()]),
            content: content(hash),
        }))
    }

    fn is_again(&self) -> bool {
        matches!(self.about.as_known, AsKnown::Read { .. })
    }

    /// Refuses a file that was written to while it was read: half of it may be what it was, and half what it is.
    fn check_unchanged(&mut self, stream: &str, hash: Option<Digest>) -> Result<(), PortError> {
        let failed = |error| {
            let path = self.about.path.display();
            PortError::environment(format!("stream `{stream}` cannot look at {path} any more"), error)
        };
        let now = self.file.get_ref().metadata().and_then(|about| Facts::of(&about)).map_err(failed)?;
        let was = self.opened;
        if (now.len, now.modified) == (was.len, was.modified) {
            return Ok(());
        }
        // It may only have been touched, or appended to where that does not matter.
        let may_grow = matches!(self.about.as_known, AsKnown::Opened);
        let may_be_so = now.len == was.len || (may_grow && now.len > was.len);
        let is_so = match hash {
            Some(hash) => may_be_so && self.begins_with(hash).map_err(failed)?,
            None => may_grow && now.len > was.len,
        };
        if is_so {
            return Ok(());
        }
        Err(pin::written(stream, &self.about.path, was.len, now.len))
    }

    /// Whether what was read is still what the file begins with. It is read once more, which only those files pay for that
    /// somebody is at.
    fn begins_with(&self, hash: Digest) -> io::Result<bool> {
        let mut file = self.file.get_ref();
        file.seek(SeekFrom::Start(0))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file.take(self.read_bytes))?;
        Ok(hasher.finalize() == hash.0)
    }
}
