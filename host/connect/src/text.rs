//! From bytes to rows of one field `line: text`.
//!
//! A line ends with LF or CRLF; neither is part of it. A CR elsewhere is data. The end of the input ends the last line.
//! Lines that are too long are rejected, and lines that are not UTF-8 are mended or rejected, both counted.
//!
//! Rows come out in chunks. A chunk is full with the first line at which its lines' bytes, one for each line's end
//! counted in, reach [`CHUNK_BYTES`]; a batch begins with a new chunk. So which rows make a chunk depends on the rows
//! alone, however the bytes were split when they were read.

mod buffer;
mod cutter;
pub(crate) mod options;
mod piece;
mod pool;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::SchemaRef;
use tidemill_model::{
    ports::{Irregularity, PortError},
    schema::{Kind, Schema},
    text::{by_count, counted},
};

pub use options::{InvalidUtf8, TextOptions};
pub(crate) use {
    buffer::{LineBuffer, TakenLines},
    cutter::LineCutter,
};

/// The line bytes of a full chunk: small enough to stay in a core's cache from one operator to the next.
pub const CHUNK_BYTES: usize = 128 << 10;

/// The largest `line_bytes_max`: a chunk's offsets have 32 bits, and mending may treble a line.
pub const LINE_BYTES_MAX: usize = 256 << 20;

/// The schema of lines: `line: text`.
pub fn schema() -> Schema {
    Schema::single("line", Kind::Text)
}

/// Lines as rows. `arrow` is [`schema`] for Arrow.
pub(crate) fn rows(arrow: &SchemaRef, lines: StringArray) -> RecordBatch {
    RecordBatch::try_new(Arc::clone(arrow), vec![Arc::new(lines)]).expect("one text column without missing values")
}

/// Refuses limits that cannot be kept. `whose` names the stream.
pub(crate) fn check_options(whose: &str, options: &TextOptions) -> Result<(), PortError> {
    if (1..=LINE_BYTES_MAX).contains(&options.line_bytes_max) {
        return Ok(());
    }
    let given = options.line_bytes_max;
    Err(PortError::configuration(format!(
        "stream `{whose}`: lines of at most {given} bytes cannot be: choose 1 to {LINE_BYTES_MAX}"
    )))
}

/// Lines that were not taken as they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Irregular {
    /// Longer than allowed.
    pub too_long: u64,
    /// Not UTF-8.
    pub not_utf8: u64,
}

impl Irregular {
    /// What to tell, and forgets it.
    pub fn drain(&mut self, options: &TextOptions) -> Vec<Irregularity> {
        let counts = std::mem::take(self);
        let (done, is_rejected) = match options.invalid_utf8 {
            InvalidUtf8::Replace => ("bad bytes replaced by U+FFFD", false),
            InvalidUtf8::Reject => ("rejected", true),
        };
        let mut told = Vec::new();
        if counts.too_long > 0 {
            let lines = by_count(counts.too_long, "line", "lines");
            let what = format!("{lines} longer than {}, rejected", counted(options.line_bytes_max, "byte"));
            told.push(Irregularity { what, count: counts.too_long, is_rejected: true });
        }
        if counts.not_utf8 > 0 {
            let lines = by_count(counts.not_utf8, "line that is", "lines that are");
            let what = format!("{lines} not UTF-8, {done}");
            told.push(Irregularity { what, count: counts.not_utf8, is_rejected });
        }
        told
    }
}
