//! A row of a replay. It becomes JSON only where it is shown, and piece by piece: of few bytes it may be long as text.

use std::{
    cmp::Ordering,
    io::{self, BufWriter, Write},
};

use arrow_array::RecordBatch;
use tidemill_connect::write_json;
use tidemill_model::schema::Schema;

/// Bytes of a row that people are shown.
const SHOWN_BYTES_MAX: usize = 4 << 10;

/// A row where it lies. Two are the same if their JSON is.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    schema: &'a Schema,
    batch: &'a RecordBatch,
    row: usize,
    /// Of its JSON.
    digest: [u8; 32],
}

/// Takes so many bytes, and then refuses.
struct Head(Vec<u8>);

impl<'a> Row<'a> {
    pub fn new(schema: &'a Schema, batch: &'a RecordBatch, row: usize) -> Row<'a> {
        let mut digest = BufWriter::new(blake3::Hasher::new());
        write_json(schema, batch, row, &mut digest).expect("a digest takes every byte");
        let digest = digest.into_inner().expect("a digest takes every byte").finalize();
        Row { schema, batch, row, digest: digest.into() }
    }

    /// Writes it as JSON.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write_json(self.schema, self.batch, self.row, out)
    }

    /// The beginning of its JSON; all of it, unless it is long.
    pub fn head(&self) -> String {
        let mut head = Head(Vec::new());
        let is_whole = self.write(&mut head).is_ok();
        let text = String::from_utf8_lossy(&head.0);
        if is_whole { text.into_owned() } else { format!("{} ... (--json has all)", text.trim_end_matches('\u{fffd}')) }
    }
}

impl Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = SHOWN_BYTES_MAX - self.0.len();
        self.0.extend_from_slice(&bytes[..room.min(bytes.len())]);
        if bytes.len() > room { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl PartialEq for Row<'_> {
    fn eq(&self, other: &Row<'_>) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Row<'_> {}

impl PartialOrd for Row<'_> {
    fn partial_cmp(&self, other: &Row<'_>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Row<'_> {
    fn cmp(&self, other: &Row<'_>) -> Ordering {
        self.digest.cmp(&other.digest)
    }
}
