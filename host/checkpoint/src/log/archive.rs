//! Reading records' sections and snapshots, and writing snapshots.

use std::{fmt, io::Read, sync::Arc};

use super::scan::{self, own};
use crate::{
    error::CheckpointError,
    format::{FileKind, FileReader, FileWriter, FormatError, Section},
    record::{Number, RecordHeader, SnapshotHeader, record_name, snapshot_name},
    storage::{Storage, StorageError},
};

/// The files of a checkpoint that do not change. Clones may be used by any thread.
#[derive(Clone)]
pub struct Archive {
    storage: Arc<dyn Storage>,
    pipeline: String,
    generation: u64,
}

/// Sections, read one by one; after an error there are no more.
pub struct Sections {
    reader: Option<FileReader<Box<dyn Read + Send>>>,
    archive: Archive,
    name: String,
    /// The length and the checksum that the whole file must have.
    whole: Option<(u64, u32)>,
}

impl Archive {
    pub(crate) fn new(storage: Arc<dyn Storage>, pipeline: &str, generation: u64) -> Archive {
        Archive { storage, pipeline: pipeline.to_owned(), generation }
    }

    pub(crate) fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    pub(crate) fn pipeline(&self) -> &str {
        &self.pipeline
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The number of the newest record that there is now, whatever is in it.
    pub fn newest(&self) -> Result<Option<Number>, CheckpointError> {
        Ok(scan::numbered(&*self.storage, "log")?.last().map(|(number, _)| *number))
    }

    /// All sections of a record.
    pub fn read_sections(&self, number: Number) -> Result<Vec<Section>, CheckpointError> {
        self.sections(number)?.collect()
    }

    /// The sections of a record, one by one.
    pub fn sections(&self, number: Number) -> Result<Sections, CheckpointError> {
        self.sections_in(number, self.storage.reader(&record_name(number))?)
    }

    /// The sections of many records, record by record.
    pub fn sections_of(&self, numbers: Vec<Number>) -> impl Iterator<Item = Result<Sections, CheckpointError>> + '_ {
        let names = numbers.iter().map(|&number| record_name(number)).collect();
        numbers.into_iter().zip(self.storage.readers(names)).map(|(number, reader)| self.sections_in(number, reader?))
    }

    fn sections_in(&self, number: Number, reader: Box<dyn Read + Send>) -> Result<Sections, CheckpointError> {
        let name = record_name(number);
        let (reader, prefix) = FileReader::begin::<RecordHeader>(reader, FileKind::Record)
            .map_err(|source| self.file_error(&name, source))?;
        own(&self.pipeline, &prefix.header.pipeline).map_err(|source| self.file_error(&name, source))?;
        self.check_number(&name, prefix.header.number, number)?;
        Ok(Sections::new(reader, self, name))
    }

    /// The sections of the snapshot of the state after a commit.
    pub fn read_snapshot(&self, commit: Number) -> Result<Sections, CheckpointError> {
        let name = snapshot_name(commit);
        let (reader, prefix) = FileReader::begin::<SnapshotHeader>(self.storage.reader(&name)?, FileKind::Snapshot)
            .map_err(|source| self.file_error(&name, source))?;
        own(&self.pipeline, &prefix.header.pipeline).map_err(|source| self.file_error(&name, source))?;
        self.check_number(&name, prefix.header.commit, commit)?;
        Ok(Sections::new(reader, self, name))
    }

    /// Writes the state after a commit, section by section, and makes it appear as a whole. That it is there already is
    /// no error: the state after a commit is always the same.
    pub fn write_snapshot(
        &self,
        commit: Number,
        sections: impl IntoIterator<Item = Result<Section, CheckpointError>>,
    ) -> Result<(), CheckpointError> {
        let name = snapshot_name(commit);
        let header = SnapshotHeader { pipeline: self.pipeline.clone(), commit, generation: self.generation };
        let unwritable = |source| self.file_error(&name, source);
        let (mut writer, beginning) = FileWriter::begin(FileKind::Snapshot, &header, 0).map_err(unwritable)?;
        let mut draft = self.storage.draft(&name)?;
        draft.write(&beginning)?;
        for section in sections {
            for frame in writer.section(&section?) {
                draft.write(&frame.map_err(unwritable)?)?;
            }
        }
        draft.write(&writer.end())?;
        match draft.publish() {
            Ok(()) => Ok(()),
            // An earlier try may have made it visible and no more; it will be relied upon.
            Err(StorageError::Exists { .. }) => Ok(self.storage.sync("state")?),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn file_error(&self, name: &str, source: FormatError) -> CheckpointError {
        scan::file_error(&*self.storage, name, source)
    }

    pub(crate) fn check_number(&self, name: &str, found: Number, expected: Number) -> Result<(), CheckpointError> {
        if found == expected {
            return Ok(());
        }
        Err(self.file_error(name, FormatError::damaged(format!("it is number {found}"), 0)))
    }
}

impl Sections {
    pub(crate) fn new(reader: FileReader<Box<dyn Read + Send>>, archive: &Archive, name: String) -> Sections {
        Sections { reader: Some(reader), archive: archive.clone(), name, whole: None }
    }

    /// The same of a file that must have this length and this checksum.
    pub(crate) fn until(self, whole: (u64, u32)) -> Sections {
        Sections { whole: Some(whole), ..self }
    }
}

impl Iterator for Sections {
    type Item = Result<Section, CheckpointError>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.reader.as_mut()?;
        let section = match (reader.next().transpose(), self.whole) {
            (None, Some((bytes, checksum))) => reader.check_all(bytes, checksum).err().map(Err),
            (section, _) => section,
        };
        if !matches!(section, Some(Ok(_))) {
            self.reader = None;
        }
        section.map(|section| section.map_err(|source| self.archive.file_error(&self.name, source)))
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Archive {{ {} }}", self.storage.place())
    }
}

impl fmt::Debug for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sections {{ {} }}", self.name)
    }
}
