//! Reads files one after the other, no more than is asked for.

use std::{collections::VecDeque, ffi::OsString, fs::File, io, path::PathBuf};

use tidemill_model::{ports::PortError, time::Timestamp};

use super::{
    current::{Current, Step},
    facts::Facts,
    pin::{self, Content, Digest, ReadFile},
};
use crate::text::{CHUNK_BYTES, LineBuffer, LineCutter, TextOptions};

/// Bytes read at a time.
const READ_BYTES_MAX: usize = 256 << 10;

/// A file to be read.
#[derive(Debug)]
pub(super) struct Waiting {
    /// What it is called in pins.
    pub name: OsString,
    pub path: PathBuf,
    pub as_known: AsKnown,
}

/// What a file must be when it is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum AsKnown {
    /// As it was when it was opened; what is appended to it after that is not read.
    Opened,
    /// As it was listed.
    Listed(Facts),
    /// It was read before, and has to have these bytes again.
    Read { size: u64, modified: Timestamp, hash: Digest },
}

/// A file that was not read although it was to be.
#[derive(Debug)]
pub(super) struct NotRead {
    pub name: OsString,
    pub path: PathBuf,
    /// It is another one now, or has changed; if not, there is none.
    pub has_changed: bool,
}

/// Files to read, and the lines that came out of them.
#[derive(Debug)]
pub(super) struct Reading {
    stream: String,
    current: Option<Current>,
    waiting: VecDeque<Waiting>,
    cutter: LineCutter,
    block: Vec<u8>,
    pub lines: LineBuffer,
    /// Files that could not be opened, since this was last looked at.
    pub unreadable: u64,
    /// Files that are not what they were listed as, since this was last looked at.
    pub not_read: Vec<NotRead>,
    /// Whether what is read is hashed, so that it can be pinned. Nobody else has to pay for it.
    pub pins: bool,
    finished: Vec<ReadFile>,
    /// Files that were finished without a hash.
    unpinned: u64,
}

impl Waiting {
    /// A file that was read before.
    pub fn again(name: OsString, path: PathBuf, content: &Content) -> Waiting {
        let modified = Timestamp(content.modified_micros);
        Waiting { name, path, as_known: AsKnown::Read { size: content.size, modified, hash: content.hash } }
    }
}

impl Reading {
    pub fn new(stream: &str, text: &TextOptions) -> Reading {
        Reading {
            stream: stream.to_owned(),
            current: None,
            waiting: VecDeque::new(),
            cutter: LineCutter::new(text.clone()),
            block: vec![0; READ_BYTES_MAX],
            lines: LineBuffer::new(CHUNK_BYTES),
            unreadable: 0,
            not_read: Vec::new(),
            pins: false,
            finished: Vec::new(),
            unpinned: 0,
        }
    }

    /// Reads this file now, which was just opened.
    pub fn begin(&mut self, about: Waiting, file: File, opened: Facts) {
        self.current = Some(Current::new(about, file, opened));
    }

    /// Reads these files after those that are there.
    pub fn append(&mut self, files: impl IntoIterator<Item = Waiting>) {
        self.waiting.extend(files);
    }

    /// Reads until `bytes` are held, or everything: then it says so.
    pub fn read(&mut self, bytes: usize) -> Result<bool, PortError> {
        while self.lines.line_bytes() < bytes {
            let Some(current) = &mut self.current else {
                if self.open_next()? {
                    continue;
                }
                return Ok(true);
            };
            match current.read(&mut self.block, self.pins) {
                Ok(Step::Bytes(len)) => self.cutter.cut(&self.block[..len], &mut self.lines),
                Ok(Step::End) => {
                    self.cutter.finish(&mut self.lines);
                    self.finish()?;
                }
                Ok(Step::Changed) => {
                    let about = self.current.take().map(|current| current.about);
                    about.into_iter().for_each(|about| self.put_back(about, true));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let what = format!("stream `{}` cannot read on in {}", self.stream, current.about.path.display());
                    return Err(PortError::environment(what, error));
                }
            }
        }
        Ok(self.current.is_none() && self.waiting.is_empty())
    }

    /// The files that were read since [`Reading::forget_finished`], in order.
    pub fn finished(&self) -> Result<&[ReadFile], PortError> {
        if self.unpinned == 0 {
            return Ok(&self.finished);
        }
        let message = format!("stream `{}`: its files were read before it was said that they are pinned", self.stream);
        Err(crate::pin::changed(message))
    }

    /// The next batch begins.
    pub fn forget_finished(&mut self) {
        self.finished.clear();
        self.unpinned = 0;
    }

    /// Lets go of all files.
    pub fn stop(&mut self) {
        self.current = None;
        self.waiting.clear();
    }

    /// Goes to the next file; says whether there was one. One that is gone, or not for us, is told of and counted, if
    /// it was not read before.
    fn open_next(&mut self) -> Result<bool, PortError> {
        let Some(about) = self.waiting.pop_front() else { return Ok(false) };
        let opened = File::open(&about.path).and_then(|file| {
            let facts = Facts::of(&file.metadata()?)?;
            Ok((file, facts))
        });
        match (opened, about.as_known) {
            (Ok((_, opened)), AsKnown::Listed(listed)) if !listed.is_unchanged(&opened) => self.put_back(about, true),
            (Ok((file, opened)), _) => self.begin(about, file, opened),
            (Err(error), AsKnown::Read { .. }) => return Err(pin::gone(&self.stream, &about.path, error)),
            (Err(error), _) => {
                self.unreadable += 1;
                tracing::warn!(stream = %self.stream, path = %about.path.display(), %error, "a file cannot be opened; passed over");
                // A file that has another name now may be met again under that.
                if error.kind() == io::ErrorKind::NotFound {
                    self.put_back(about, false);
                }
            }
        }
        Ok(true)
    }

    fn put_back(&mut self, about: Waiting, has_changed: bool) {
        let Waiting { name, path, .. } = about;
        self.not_read.push(NotRead { name, path, has_changed });
    }

    /// The file that is being read has ended.
    fn finish(&mut self) -> Result<(), PortError> {
        let Some(current) = self.current.take() else { return Ok(()) };
        match current.finish(&self.stream)? {
            Some(read) => self.finished.push(read),
            None => self.unpinned += 1,
        }
        Ok(())
    }
}
