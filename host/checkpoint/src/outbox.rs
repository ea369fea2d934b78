//! Rows for sinks that are too many for a commit's record: a file of their own, written while the batch is open, which the
//! record names. It is published before the record is made, so a record never names one that is not there.
//!
//! The file is drafted before anybody knows the record's number, and may be published by a host that has been overtaken. So its
//! number is one that no other host and no other batch has. What no record names is swept by the next host.

use serde::{Deserialize, Serialize};

use crate::{
    error::CheckpointError,
    format::{FileKind, FileReader, FileWriter, Header, Section},
    log::{Archive, Sections, damage, numbered, or_damage, own},
    record::{Number, Outbox, OutboxParts, Record, outbox_name},
    recover::Scanned,
    storage::{Draft, Storage, StorageError},
};

/// A host's numbers begin with its generation, in so many digits less than all.
const SEQUENCE_MAX: u64 = 10_000_000_000;

/// What the file says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OutboxHeader {
    pipeline: String,
    number: Number,
}

impl Header for OutboxHeader {}

/// Begins the outboxes of a host.
#[derive(Debug)]
pub struct Outboxes {
    archive: Archive,
    begun: u64,
}

/// An outbox that is being written. Dropped before it is published, it leaves nothing.
pub struct OutboxDraft {
    archive: Archive,
    number: Number,
    writer: FileWriter,
    draft: Box<dyn Draft>,
    bytes: u64,
}

impl Outboxes {
    pub(crate) fn new(archive: Archive) -> Outboxes {
        Outboxes { archive, begun: 0 }
    }

    /// Begins one.
    pub fn begin(&mut self) -> Result<OutboxDraft, CheckpointError> {
        self.begun += 1;
        let number = self.archive.generation().saturating_mul(SEQUENCE_MAX).saturating_add(self.begun);
        let name = outbox_name(number);
        let header = OutboxHeader { pipeline: self.archive.pipeline().to_owned(), number };
        let begun = FileWriter::begin(FileKind::Outbox, &header, 0);
        let (writer, beginning) = begun.map_err(|source| self.archive.file_error(&name, source))?;
        let draft = self.archive.storage().draft(&name)?;
        let mut outbox = OutboxDraft { archive: self.archive.clone(), number, writer, draft, bytes: 0 };
        outbox.add(&beginning)?;
        Ok(outbox)
    }
}

impl OutboxDraft {
    /// Adds rows of an output. The section's partition is the part that they belong to, behind those that came before.
    pub fn write(&mut self, section: &Section) -> Result<(), CheckpointError> {
        for frame in self.writer.section(section) {
            let frame = frame.map_err(|source| self.archive.file_error(&outbox_name(self.number), source))?;
            self.draft.write(&frame)?;
            self.bytes += frame.len() as u64;
        }
        Ok(())
    }

    /// Bytes that were written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes it appear, durably: `outputs` say which parts make the batch, and in which order. Gives what a commit names it by.
    pub fn publish(mut self, outputs: Vec<OutboxParts>) -> Result<Outbox, CheckpointError> {
        let end = self.writer.end();
        let checksum = end.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        self.draft.write(&end)?;
        self.bytes += end.len() as u64;
        self.draft.publish()?;
        Ok(Outbox { number: self.number, bytes: self.bytes, checksum, outputs })
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.draft.write(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

impl std::fmt::Debug for OutboxDraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OutboxDraft {{ {}, {} bytes }}", outbox_name(self.number), self.bytes)
    }
}

impl Archive {
    /// The sections of an outbox, as they were written. Behind the last one it is certain that all of them are those that the
    /// commit names.
    pub fn outbox(&self, outbox: &Outbox) -> Result<Sections, CheckpointError> {
        let name = outbox_name(outbox.number);
        let begun = FileReader::begin::<OutboxHeader>(self.storage().reader(&name)?, FileKind::Outbox);
        let (reader, prefix) = begun.map_err(|source| self.file_error(&name, source))?;
        own(self.pipeline(), &prefix.header.pipeline).map_err(|source| self.file_error(&name, source))?;
        self.check_number(&name, prefix.header.number, outbox.number)?;
        Ok(Sections::new(reader, self, name).until((outbox.bytes, outbox.checksum)))
    }

    /// All rows of a commit's outputs, as sections: those of its record and those of its outbox, by output and part.
    pub fn read_outputs(&self, commit: Number, outbox: Option<&Outbox>) -> Result<Vec<Section>, CheckpointError> {
        use crate::format::SectionKind::Output;
        let mut sections = self.read_sections(commit)?;
        sections.retain(|section| section.kind == Output);
        let Some(outbox) = outbox else { return Ok(sections) };
        let mut written = self.outbox(outbox)?.collect::<Result<Vec<_>, _>>()?;
        for output in &outbox.outputs {
            for (place, &part) in (0..).zip(&output.parts) {
                let is_of = |section: &mut Section| section.stream == output.output && section.partition == part;
                let batches = written.extract_if(.., is_of).flat_map(|section| section.batches).collect();
                let (stream, table) = (output.output.clone(), String::new());
                sections.push(Section { kind: Output, stream, table, partition: place, batches });
            }
        }
        Ok(sections)
    }
}

/// How an outbox is damaged, if it is, or that it is missing.
pub(crate) fn verify_outbox(
    storage: &dyn Storage,
    pipeline: &str,
    outbox: &Outbox,
) -> Result<Option<String>, CheckpointError> {
    let name = outbox_name(outbox.number);
    let input = match storage.reader(&name) {
        Err(StorageError::NotFound { .. }) => return Ok(Some("it is missing".to_owned())),
        Err(error) => return or_damage(Err(error.into())),
        Ok(input) => input,
    };
    let verified = match FileReader::begin::<OutboxHeader>(input, FileKind::Outbox) {
        Err(error) => Err(error),
        Ok((mut reader, prefix)) => own(pipeline, &prefix.header.pipeline)
            .and_then(|()| reader.verify())
            .and_then(|()| reader.check_all(outbox.bytes, outbox.checksum)),
    };
    damage(storage, &name, verified)
}

/// The numbers of the outboxes that there are.
pub(crate) fn outbox_files(storage: &dyn Storage) -> Result<Vec<Number>, CheckpointError> {
    Ok(numbered(storage, "outbox")?.into_iter().map(|(number, _)| number).collect())
}

/// The outbox that a record names.
pub(crate) fn outbox_of(record: &Scanned) -> Option<&Outbox> {
    match record.found.as_ref().map(|header| &header.record) {
        Ok(Record::Commit(commit)) => commit.outbox.as_ref(),
        _ => None,
    }
}

/// Removes outboxes that were there before the claim, and that no record names: of batches that did not come to count.
pub(crate) fn sweep(storage: &dyn Storage, found: &[Number], records: &[Scanned]) -> Result<(), CheckpointError> {
    let named: Vec<Number> = records.iter().filter_map(outbox_of).map(|outbox| outbox.number).collect();
    let orphans = found.iter().filter(|number| !named.contains(number)).map(|&number| outbox_name(number));
    Ok(storage.remove_all(&orphans.collect::<Vec<_>>())?)
}
