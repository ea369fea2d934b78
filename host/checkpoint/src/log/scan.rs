//! What is in a checkpoint's folders, read and checked.

use std::io::Read;
use tidemill_model::text::counted;

use super::pins::{NewestPins, Pins};
use crate::{
    error::CheckpointError,
    format::{FileKind, FileReader, FormatError, prefix_bytes, read_prefix},
    outbox::{outbox_of, verify_outbox},
    record::{Number, RecordHeader, SnapshotHeader, number_of, outbox_name, record_name, snapshot_name},
    recover::{Recovery, Scanned, recover},
    retain::SnapshotFile,
    storage::{Entry, Storage, StorageError},
};

/// What is read of a record at first: most headers fit.
const FIRST_BYTES: usize = 4 << 10;

/// How many records' first bytes are held at once.
const AT_ONCE_MAX: usize = 256;

/// And bytes of their headers, if these are long. One may always be held.
const HEADER_BYTES_AT_ONCE_MAX: usize = 32 << 20;

/// The log and the snapshots as they were found.
pub(crate) struct Scan {
    pub records: Vec<Scanned>,
    /// Commits with a snapshot, ascending.
    pub snapshots: Vec<Number>,
    /// Commits whose snapshot is damaged.
    pub damaged_snapshots: Vec<Number>,
    /// Records and the snapshot that were read in full, and are whole.
    checked: Vec<Number>,
    checked_snapshot: Option<Number>,
    checked_outboxes: Vec<Number>,
    /// Those of a host that goes on need few of them.
    pins: Pins,
}

impl Scan {
    /// With where sources were behind every batch, for whoever looks at a checkpoint.
    pub fn of(storage: &dyn Storage, pipeline: &str) -> Result<Scan, CheckpointError> {
        Scan::with(storage, pipeline, Pins::All)
    }

    /// For going on from: where sources were long ago is not read. A folder's pin may have megabytes.
    pub fn for_opening(storage: &dyn Storage, pipeline: &str) -> Result<Scan, CheckpointError> {
        Scan::with(storage, pipeline, Pins::Newest(NewestPins::default()))
    }

    fn with(storage: &dyn Storage, pipeline: &str, pins: Pins) -> Result<Scan, CheckpointError> {
        let mut scan = Scan {
            records: Vec::new(),
            snapshots: Vec::new(),
            damaged_snapshots: Vec::new(),
            checked: Vec::new(),
            checked_snapshot: None,
            checked_outboxes: Vec::new(),
            pins,
        };
        scan.look_again(storage, pipeline)?;
        Ok(scan)
    }

    /// Looks for what has changed since. What was read of a record, or a snapshot, stays: none of them is written twice, so that
    /// a look costs no more than what a host at work has added meanwhile.
    pub fn look_again(&mut self, storage: &dyn Storage, pipeline: &str) -> Result<(), CheckpointError> {
        // The log last: a host that has just begun has a log before it has anything else.
        let mut snapshots: Vec<Number> = snapshot_files(storage)?.iter().map(|snapshot| snapshot.commit).collect();
        snapshots.retain(|snapshot| !self.damaged_snapshots.contains(snapshot));
        let has_input = !storage.list("input")?.is_empty();
        let has_outbox = !storage.list("outbox")?.is_empty();
        let mut entries = numbered(storage, "log")?;
        let is_listed = |record: &Scanned, entries: &[(Number, Entry)]| {
            let at = entries.binary_search_by_key(&record.number, |(number, _)| *number);
            at.is_ok_and(|at| entries[at].1.bytes == record.bytes)
        };
        // What was damaged is read again: a host at work may have removed what was to be beside it, which is needed no more.
        self.records.retain(|record| record.found.is_ok() && is_listed(record, &entries));
        entries.retain(|(number, _)| self.records.binary_search_by_key(number, |record| record.number).is_err());
        self.checked.retain(|checked| self.records.iter().any(|record| record.number == *checked));
        let mut records = std::mem::take(&mut self.records);
        let (mut foreign, mut anothers) = (None, None);
        for entries in entries.chunks(AT_ONCE_MAX) {
            beginnings(storage, entries, |number, entry, begun| {
                let found = match header_of(storage, pipeline, number, begun) {
                    Ok((header, file_bytes)) if file_bytes == Some(entry.bytes) => Ok(header),
                    Ok(_) => Err(format!("it has {}, and was written with others", counted(entry.bytes, "byte"))),
                    Err(CheckpointError::File { name, source, .. }) if source.is_damage() => {
                        if matches!(source, FormatError::NotOurs) {
                            foreign.get_or_insert(name);
                        }
                        Err(source.to_string())
                    }
                    Err(CheckpointError::OtherPipeline { found, .. }) => {
                        let what = of_another(&found).to_string();
                        anothers.get_or_insert(found);
                        Err(what)
                    }
                    // Another host has just cleaned it away.
                    Err(CheckpointError::Storage(StorageError::NotFound { .. })) => return Ok(()),
                    Err(error) => return Err(error),
                };
                records.push(Scanned { number, bytes: entry.bytes, found });
                if let Pins::Newest(newest) = &mut self.pins {
                    newest.keep(&mut records);
                }
                Ok(())
            })?;
        }
        records.sort_by_key(|record| record.number);
        // One that nobody knows, or another pipeline, among those of a checkpoint, is damaged. Where none is known, none may be ours.
        let is_ours = records.iter().any(|record| record.found.is_ok());
        if let Some(found) = anothers.filter(|_| !is_ours) {
            return Err(other_pipeline(storage, pipeline, &found));
        }
        if let Some(name) = foreign.filter(|_| !is_ours) {
            return Err(CheckpointError::ForeignLog { place: storage.place(), name });
        }
        let without_log = |folder| CheckpointError::WithoutLog { place: storage.place(), folder };
        if records.is_empty() && !snapshots.is_empty() {
            return Err(without_log("state"));
        }
        if records.is_empty() && has_outbox {
            return Err(without_log("outbox"));
        }
        if records.is_empty() && has_input {
            return Err(without_log("input"));
        }
        (self.records, self.snapshots) = (records, snapshots);
        Ok(())
    }

    /// A batch that is to be delivered, and whose rows are not whole: its commit is damaged with them.
    fn damaged_outbox(
        &mut self,
        storage: &dyn Storage,
        pipeline: &str,
        recovery: &Recovery,
    ) -> Result<Option<(Number, String)>, CheckpointError> {
        for undelivered in &recovery.undelivered {
            let at = self.records.binary_search_by_key(&undelivered.number, |record| record.number);
            let Some(outbox) = at.ok().and_then(|at| outbox_of(&self.records[at])) else { continue };
            if self.checked_outboxes.contains(&outbox.number) {
                continue;
            }
            if let Some(what) = verify_outbox(storage, pipeline, outbox)? {
                return Ok(Some((undelivered.number, format!("of {}: {what}", outbox_name(outbox.number)))));
            }
            self.checked_outboxes.push(outbox.number);
        }
        Ok(None)
    }

    /// What to go on from. Everything that it rests upon is read in full and checked; what turns out damaged is decided
    /// about anew.
    pub fn decide(&mut self, storage: &dyn Storage, pipeline: &str) -> Result<Recovery, CheckpointError> {
        loop {
            let recovery = recover(&self.records, &self.snapshots).map_err(|refusal| CheckpointError::Refused {
                place: storage.place(),
                refusal,
                also: also(&self.damaged_snapshots),
            })?;
            // Once each: a snapshot is much larger than the records behind it.
            if let Some(commit) = recovery.snapshot.filter(|_| recovery.snapshot != self.checked_snapshot) {
                if verify_snapshot(storage, pipeline, commit)?.is_some() {
                    self.snapshots.retain(|&snapshot| snapshot != commit);
                    self.damaged_snapshots.push(commit);
                    continue;
                }
                self.checked_snapshot = Some(commit);
            }
            let mut unchecked = relied_upon(&recovery);
            unchecked.retain(|number| !self.checked.contains(number));
            let names = unchecked.iter().map(|&number| record_name(number)).collect();
            let mut damaged = None;
            for (&number, reader) in unchecked.iter().zip(storage.readers(names)) {
                self.checked.push(number);
                let reader = reader.map_err(CheckpointError::from);
                let verified = reader.and_then(|reader| verify_read_record(storage, number, reader));
                damaged = or_damage(verified)?.map(|what| (number, what));
                if damaged.is_some() {
                    break;
                }
            }
            let damaged = match damaged {
                None => self.damaged_outbox(storage, pipeline, &recovery)?,
                damaged => damaged,
            };
            let Some((number, what)) = damaged else { return Ok(recovery) };
            let at = self.records.binary_search_by_key(&number, |record| record.number);
            at.into_iter().for_each(|at| self.records[at].found = Err(what.clone()));
        }
    }
}

/// Records whose every byte counts.
fn relied_upon(recovery: &Recovery) -> Vec<Number> {
    let last = recovery.last.iter().map(|last| last.commit.plan);
    let planned = recovery.planned.iter().map(|planned| planned.number);
    let undelivered = recovery.undelivered.iter().map(|undelivered| undelivered.number);
    let head = [recovery.head].into_iter().filter(|&number| number > 0);
    head.chain(recovery.deltas.iter().copied()).chain(undelivered).chain(last).chain(planned).collect()
}

fn also(damaged: &[Number]) -> String {
    let names: Vec<String> = damaged.iter().map(|&commit| snapshot_name(commit)).collect();
    if names.is_empty() { String::new() } else { format!(" (damaged as well: {})", names.join(", ")) }
}

/// Gives the beginnings of records in order, each with its whole header, as far as it can be told how long that is.
fn beginnings(
    storage: &dyn Storage,
    entries: &[(Number, Entry)],
    mut each: impl FnMut(Number, &Entry, Result<Vec<u8>, StorageError>) -> Result<(), CheckpointError>,
) -> Result<(), CheckpointError> {
    let wanted: Vec<_> = entries.iter().map(|&(number, _)| (record_name(number), FIRST_BYTES)).collect();
    let mut begun = storage.read_prefixes(&wanted);
    let lacking: Vec<usize> =
        begun.iter().map(|begun| begun.as_deref().ok().and_then(lacking_bytes).unwrap_or(0)).collect();
    let mut first = 0;
    while first < entries.len() {
        let mut bytes = 0;
        let within = lacking[first..].iter().take_while(|lacking| {
            bytes += **lacking;
            bytes <= HEADER_BYTES_AT_ONCE_MAX
        });
        let group = first..first + within.count().max(1);
        let longer: Vec<usize> = group.clone().filter(|at| lacking[*at] > 0).collect();
        let names: Vec<_> = longer.iter().map(|&at| (wanted[at].0.clone(), lacking[at])).collect();
        for (&at, whole) in longer.iter().zip(storage.read_prefixes(&names)) {
            begun[at] = whole;
        }
        for at in group.clone() {
            each(entries[at].0, &entries[at].1, std::mem::replace(&mut begun[at], Ok(Vec::new())))?;
        }
        first = group.end;
    }
    Ok(())
}

/// How much of a record its header takes, if that is more than was read at first. What lies behind it may be long.
fn lacking_bytes(begun: &[u8]) -> Option<usize> {
    if begun.len() < FIRST_BYTES { None } else { prefix_bytes(begun).filter(|&bytes| bytes > FIRST_BYTES) }
}

/// A record's header, and the length that its file must have.
pub(super) fn read_header(
    storage: &dyn Storage,
    pipeline: &str,
    number: Number,
) -> Result<(RecordHeader, Option<u64>), CheckpointError> {
    let name = record_name(number);
    let begun = storage.read_prefix(&name, FIRST_BYTES)?;
    let begun = lacking_bytes(&begun).map_or(Ok(begun), |bytes| storage.read_prefix(&name, bytes));
    header_of(storage, pipeline, number, begun)
}

/// The same, its first bytes read already.
fn header_of(
    storage: &dyn Storage,
    pipeline: &str,
    number: Number,
    begun: Result<Vec<u8>, StorageError>,
) -> Result<(RecordHeader, Option<u64>), CheckpointError> {
    let name = record_name(number);
    let prefix = read_prefix::<RecordHeader>(&begun?, FileKind::Record);
    let prefix = prefix.map_err(|source| file_error(storage, &name, source))?;
    if prefix.header.pipeline != pipeline {
        return Err(other_pipeline(storage, pipeline, &prefix.header.pipeline));
    }
    if prefix.header.number != number {
        let source = FormatError::damaged(format!("it is record {}", prefix.header.number), 0);
        return Err(file_error(storage, &name, source));
    }
    Ok((prefix.header, prefix.file_bytes))
}

fn other_pipeline(storage: &dyn Storage, pipeline: &str, found: &str) -> CheckpointError {
    let (found, expected) = (found.to_owned(), pipeline.to_owned());
    CheckpointError::OtherPipeline { place: storage.place(), found, expected }
}

/// In a checkpoint whose log is this pipeline's another one's file is a damaged one: it stands in the place of its own.
pub(crate) fn own(pipeline: &str, found: &str) -> Result<(), FormatError> {
    if found == pipeline { Ok(()) } else { Err(of_another(found)) }
}

fn of_another(pipeline: &str) -> FormatError {
    FormatError::damaged(format!("it is a file of the pipeline `{pipeline}`"), 0)
}

/// How a record is damaged, if it is.
pub(crate) fn verify_record(storage: &dyn Storage, number: Number) -> Result<Option<String>, CheckpointError> {
    let reader = storage.reader(&record_name(number)).map_err(CheckpointError::from);
    or_damage(reader.and_then(|reader| verify_read_record(storage, number, reader)))
}

fn verify_read_record(
    storage: &dyn Storage,
    number: Number,
    reader: Box<dyn Read + Send>,
) -> Result<Option<String>, CheckpointError> {
    let verified =
        FileReader::begin::<RecordHeader>(reader, FileKind::Record).and_then(|(mut reader, _)| reader.verify());
    damage(storage, &record_name(number), verified)
}

/// How a snapshot is damaged, if it is.
pub(crate) fn verify_snapshot(
    storage: &dyn Storage,
    pipeline: &str,
    commit: Number,
) -> Result<Option<String>, CheckpointError> {
    let name = snapshot_name(commit);
    let reader = match storage.reader(&name) {
        Err(error) => return or_damage(Err(error.into())),
        Ok(reader) => reader,
    };
    let begun = FileReader::begin::<SnapshotHeader>(reader, FileKind::Snapshot);
    let verified = match begun {
        Ok((mut reader, prefix)) => {
            let is_named_so = prefix.header.commit == commit;
            own(pipeline, &prefix.header.pipeline).and_then(|()| reader.verify()).and_then(|()| {
                if is_named_so { Ok(()) } else { Err(FormatError::damaged("it is another commit's", 0)) }
            })
        }
        Err(error) => Err(error),
    };
    damage(storage, &name, verified)
}

/// What is not even a file is damaged as one.
pub(crate) fn or_damage(verified: Result<Option<String>, CheckpointError>) -> Result<Option<String>, CheckpointError> {
    match verified {
        Err(CheckpointError::File { source, .. }) if source.is_damage() => Ok(Some(source.to_string())),
        verified => verified,
    }
}

pub(crate) fn damage(
    storage: &dyn Storage,
    name: &str,
    verified: Result<(), FormatError>,
) -> Result<Option<String>, CheckpointError> {
    match verified {
        Ok(()) => Ok(None),
        Err(error) if error.is_damage() => Ok(Some(error.to_string())),
        Err(error) => Err(file_error(storage, name, error)),
    }
}

/// The files of the folder of snapshots, whole or not.
pub(super) fn snapshot_files(storage: &dyn Storage) -> Result<Vec<SnapshotFile>, CheckpointError> {
    let files = numbered(storage, "state")?;
    Ok(files.into_iter().map(|(commit, entry)| SnapshotFile { commit, bytes: entry.bytes }).collect())
}

/// A folder's files by their numbers. Anything else there is refused.
pub(crate) fn numbered(storage: &dyn Storage, folder: &str) -> Result<Vec<(u64, Entry)>, CheckpointError> {
    let number = |entry: Entry| match number_of(&entry.name) {
        Some(number) => Ok((number, entry)),
        None => Err(CheckpointError::Foreign { name: format!("{folder}/{}", entry.name), place: storage.place() }),
    };
    storage.list(folder)?.into_iter().map(number).collect()
}

pub(crate) fn file_error(storage: &dyn Storage, name: &str, source: FormatError) -> CheckpointError {
    CheckpointError::File { name: name.to_owned(), place: storage.place(), source }
}
