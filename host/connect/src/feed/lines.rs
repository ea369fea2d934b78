//! Where lines come from.

use std::{
    io::{self, BufRead},
    sync::Arc,
};

use memchr::memrchr;
use tidemill_model::{
    ports::{Clock, Wake},
    time::Timestamp,
};

use super::Feed;
use crate::generate::Generator;

/// Bytes of lines that are given at a time.
const BLOCK_BYTES: usize = 64 << 10;

/// A longer line is passed on in parts.
const LINE_BYTES_MAX: usize = 1 << 20;

/// At high rates lines go together, so many times a second, and so many at most.
const BLOCKS_PER_SECOND: u64 = 100;
const BLOCK_LINES_MAX: u64 = 1_024;

/// When a feed was held up, it makes up for at most this time.
const BEHIND_MICROS_MAX: i64 = 1_000_000;

/// Made-up lines.
pub struct GeneratedLines {
    generator: Generator,
    /// Lines a second.
    rate: Option<u64>,
    left: u64,
    clock: Arc<dyn Clock>,
    /// The time from which due times are counted, and the lines given since.
    begun: Option<(Timestamp, u64)>,
    block: Vec<u8>,
}

/// Lines of a reader, as they come.
#[derive(Debug)]
pub struct CopiedLines<R> {
    reader: R,
    block: Vec<u8>,
    /// Bytes at the beginning of `block` that were given.
    given: usize,
}

// === impl GeneratedLines ===

impl GeneratedLines {
    /// `rate` lines a second (`None`: as fast as they are taken), `count` in all (`None`: without end).
    pub fn new(generator: Generator, rate: Option<u64>, count: Option<u64>, clock: Arc<dyn Clock>) -> GeneratedLines {
        let left = count.unwrap_or(u64::MAX);
        GeneratedLines { generator, rate: rate.map(|rate| rate.max(1)), left, clock, begun: None, block: Vec::new() }
    }

    /// Waits until the next lines are due, and says how many.
    fn wait(&mut self, rate: u64) -> u64 {
        let lines = (rate / BLOCKS_PER_SECOND).clamp(1, BLOCK_LINES_MAX).min(self.left);
        let now = self.clock.now();
        let (mut begun, mut given) = self.begun.unwrap_or((now, 0));
        if now.0.saturating_sub(due(begun, given, rate).0) > BEHIND_MICROS_MAX {
            (begun, given) = (Timestamp(now.0 - BEHIND_MICROS_MAX), 0);
        }
        given += lines;
        self.begun = Some((begun, given));
        let due = due(begun, given, rate);
        while self.clock.now() < due {
            self.clock.wait(due, &Wake::default());
        }
        lines
    }
}

/// When line `line` is due, counted from `begun`.
fn due(begun: Timestamp, line: u64, rate: u64) -> Timestamp {
    let micros = (u128::from(line) * 1_000_000).div_ceil(u128::from(rate));
    Timestamp(begun.0.saturating_add(i64::try_from(micros).unwrap_or(i64::MAX)))
}

impl Feed for GeneratedLines {
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.block.clear();
        let lines_max = self.rate.map_or(self.left, |rate| self.wait(rate));
        let mut lines = 0;
        while lines < lines_max && (self.rate.is_some() || self.block.len() < BLOCK_BYTES) {
            self.generator.append_line(&mut self.block);
            lines += 1;
        }
        self.left -= lines;
        Ok(Some(&self.block))
    }
}

// === impl CopiedLines ===

impl<R: BufRead> CopiedLines<R> {
    /// All bytes of `reader`, cut behind line ends only.
    pub fn new(reader: R) -> CopiedLines<R> {
        CopiedLines { reader, block: Vec::new(), given: 0 }
    }
}

impl<R: BufRead> Feed for CopiedLines<R> {
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.block.drain(..std::mem::take(&mut self.given));
        loop {
            let bytes = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                bytes => bytes?,
            };
            let (len, before) = (bytes.len(), self.block.len());
            self.block.extend_from_slice(bytes);
            self.reader.consume(len);
            self.given = match memrchr(b'\n', &self.block[before..]) {
                Some(end) => before + end + 1,
                // The last line, which nothing ends, or one that is too long to be kept.
                None if len == 0 || self.block.len() > LINE_BYTES_MAX => self.block.len(),
                None => continue,
            };
            return Ok((self.given > 0).then(|| &self.block[..self.given]));
        }
    }
}
