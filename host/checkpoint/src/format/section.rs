//! Sections: rows of a stream's partition within a record or snapshot.

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use tidemill_model::text::counted;

use super::{FormatError, SECTION_BYTES_MAX, decode, decode_batches, encode, encode_batches};

/// What a section's rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SectionKind {
    /// Changed state in a commit, all state in a snapshot.
    State,
    /// Rows for a sink.
    Output,
}

/// Rows of one partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// What the rows are.
    pub kind: SectionKind,
    /// The stream or output that they belong to.
    pub stream: String,
    /// Which of the stream's tables; empty where it has one.
    pub table: String,
    /// The partition.
    pub partition: u32,
    /// The rows; all batches have one schema. None: no rows, and no schema either.
    pub batches: Vec<RecordBatch>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    kind: SectionKind,
    stream: String,
    table: String,
    partition: u32,
}

/// As version 1 wrote it.
#[derive(Deserialize)]
struct Head1 {
    head: Head,
    /// Nobody asked for it: what a table's rows are stands in the header of the commit.
    _version: u32,
}

/// State of so many bytes goes on in another section. Few in tests, so that they meet it.
const STATE_BYTES: usize = if cfg!(test) { 1 << 12 } else { 1 << 30 };

/// A section as bytes: its head and its rows.
pub(crate) struct Payload {
    pub head: Vec<u8>,
    pub body: Vec<u8>,
}

impl Payload {
    /// The sections that a section is written as: state of any size is brought back section by section.
    pub fn all_of(section: &Section) -> impl Iterator<Item = Result<Payload, FormatError>> + '_ {
        let mut left = Some(&section.batches[..]);
        std::iter::from_fn(move || {
            let batches = left.take()?;
            let mut bytes = 0;
            let within = batches.iter().take_while(|batch| {
                bytes += batch.get_array_memory_size();
                section.kind != SectionKind::State || bytes <= STATE_BYTES
            });
            let (these, others) = batches.split_at(within.count().max(1).min(batches.len()));
            left = Some(others).filter(|others| !others.is_empty());
            Some(Payload::of(section, these))
        })
    }

    fn of(section: &Section, batches: &[RecordBatch]) -> Result<Payload, FormatError> {
        let head = Head {
            kind: section.kind,
            stream: section.stream.clone(),
            table: section.table.clone(),
            partition: section.partition,
        };
        let payload = Payload { head: encode(&head)?, body: encode_batches(batches)? };
        match payload.body.len() as u64 {
            bytes if bytes > SECTION_BYTES_MAX => Err(FormatError::Unwritable {
                what: format!(
                    "a section of `{}` has {}, at most {SECTION_BYTES_MAX}",
                    section.stream,
                    counted(bytes, "byte")
                ),
            }),
            _ => Ok(payload),
        }
    }

    /// The section; `at` is where the bytes stand, in a file of a version.
    pub fn into_section(self, at: u64, version: u16) -> Result<Section, FormatError> {
        let head = if version < 2 { decode::<Head1>(&self.head, at)?.head } else { decode(&self.head, at)? };
        let Head { kind, stream, table, partition } = head;
        let batches = decode_batches(self.body, at + self.head.len() as u64)?;
        Ok(Section { kind, stream, table, partition, batches })
    }
}
