//! Reads files one after the other, no more than is asked for.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use tidemill_model::{connector::TextOptions, ports::PortError};

use crate::text::{CHUNK_BYTES, LineBuffer, LineCutter};

/// Bytes read at a time.
const READ_BYTES_MAX: usize = 256 << 10;

/// Files to read, and the lines that came out of them.
#[derive(Debug)]
pub(super) struct Reading {
    stream: String,
    current: Option<(PathBuf, io::Take<File>)>,
    waiting: VecDeque<(PathBuf, u64)>,
    cutter: LineCutter,
    block: Vec<u8>,
    pub lines: LineBuffer,
    /// Files that could not be opened, since this was last looked at.
    pub unreadable: u64,
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
        }
    }

    /// Reads this file now, its first `len` bytes.
    pub fn begin(&mut self, path: PathBuf, file: File, len: u64) {
        self.current = Some((path, file.take(len)));
    }

    /// Reads these files after those that are there, as many bytes of each as are said.
    pub fn append(&mut self, files: impl IntoIterator<Item = (PathBuf, u64)>) {
        self.waiting.extend(files);
    }

    /// Reads until `bytes` are held, or everything: then it says so.
    pub fn read(&mut self, bytes: usize) -> Result<bool, PortError> {
        while self.lines.line_bytes() < bytes {
            let Some((path, file)) = &mut self.current else {
                if self.open_next() {
                    continue;
                }
                return Ok(true);
            };
            match file.read(&mut self.block) {
                Ok(0) => {
                    self.cutter.finish(&mut self.lines);
                    self.current = None;
                }
                Ok(len) => self.cutter.cut(&self.block[..len], &mut self.lines),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let what = format!("stream `{}` cannot read on in {}", self.stream, path.display());
                    return Err(PortError::environment(what, error));
                }
            }
        }
        Ok(self.current.is_none() && self.waiting.is_empty())
    }

    /// Lets go of all files.
    pub fn stop(&mut self) {
        self.current = None;
        self.waiting.clear();
    }

    /// Goes to the next file; says whether there was one. One that is gone, or not for us, is told of and counted.
    fn open_next(&mut self) -> bool {
        let Some((path, len)) = self.waiting.pop_front() else { return false };
        match File::open(&path) {
            Ok(file) => self.begin(path, file, len),
            Err(error) => {
                self.unreadable += 1;
                tracing::warn!(stream = %self.stream, path = %path.display(), %error, "a file cannot be opened; passed over");
            }
        }
        true
    }
}
