//! Reads files one after the other, no more than is asked for.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use tidemill_model::{connector::TextOptions, ports::PortError, time::Timestamp};

use super::pin::{self, Content, Digest, Name, ReadFile};
use crate::text::{CHUNK_BYTES, LineBuffer, LineCutter};

/// Bytes read at a time.
const READ_BYTES_MAX: usize = 256 << 10;

/// A file to be read.
#[derive(Debug)]
pub(super) struct Waiting {
    /// What it is called in pins.
    pub name: OsString,
    pub path: PathBuf,
    /// It is read up to here.
    pub len: u64,
    pub modified: Timestamp,
    /// It was read before, and has to have these bytes again.
    pub expected: Option<Digest>,
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
    /// Whether what is read is hashed, so that it can be pinned. Nobody else has to pay for it.
    pub pins: bool,
    finished: Vec<ReadFile>,
    /// Files that were finished without a hash.
    unpinned: u64,
}

/// A file that is being read.
#[derive(Debug)]
struct Current {
    about: Waiting,
    file: io::Take<File>,
    read_bytes: u64,
    hasher: Option<blake3::Hasher>,
}

impl Waiting {
    /// A file that was read before.
    pub fn again(name: OsString, path: PathBuf, content: &Content) -> Waiting {
        let modified = Timestamp(content.modified_micros);
        Waiting { name, path, len: content.size, modified, expected: Some(content.hash) }
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
            pins: false,
            finished: Vec::new(),
            unpinned: 0,
        }
    }

    /// Reads this file now.
    pub fn begin(&mut self, about: Waiting, file: File) {
        self.current = Some(Current { file: file.take(about.len), about, read_bytes: 0, hasher: None });
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
                Ok(0) => {
                    self.cutter.finish(&mut self.lines);
                    self.finish()?;
                }
                Ok(len) => self.cutter.cut(&self.block[..len], &mut self.lines),
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
        match File::open(&about.path) {
            Ok(file) => self.begin(about, file),
            Err(error) if about.expected.is_some() => return Err(pin::gone(&self.stream, &about.path, error)),
            Err(error) => {
                self.unreadable += 1;
                tracing::warn!(stream = %self.stream, path = %about.path.display(), %error, "a file cannot be opened; passed over");
            }
        }
        Ok(true)
    }

    /// The file that is being read has ended.
    fn finish(&mut self) -> Result<(), PortError> {
        let Some(Current { about, read_bytes, hasher, .. }) = self.current.take() else { return Ok(()) };
        let hash = hasher.map(|hasher| Digest(hasher.finalize()));
        if about.expected.is_some() && (hash != about.expected || read_bytes != about.len) {
            // It was as before when it was looked at, so somebody is at it now.
            return Err(pin::changed(&self.stream, &about.path, "somebody writes to it".to_owned()));
        }
        match hash {
            Some(hash) => {
                let content = Content { size: read_bytes, modified_micros: about.modified.0, hash };
                self.finished.push(ReadFile { name: Name::new(&about.name), content });
            }
            None => self.unpinned += 1,
        }
        Ok(())
    }
}

impl Current {
    /// The next bytes; 0 of them at the end.
    fn read(&mut self, block: &mut [u8], pins: bool) -> io::Result<usize> {
        // Not when the file is opened: whether there are pins may be said after that, but before anything is read.
        if self.read_bytes == 0 && self.hasher.is_none() && (pins || self.about.expected.is_some()) {
            self.hasher = Some(blake3::Hasher::new());
        }
        let len = self.file.read(block)?;
        self.read_bytes += len as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&block[..len]);
        }
        Ok(len)
    }
}
