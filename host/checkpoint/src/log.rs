//! The log: one record after the other, each made only if its number is free, so that of two hosts one fails and knows why.

mod archive;
mod fence;
mod open;
mod pins;
mod removal;
mod scan;
mod usage;

use std::sync::{Arc, atomic::Ordering};

use tidemill_model::time::Timestamp;

use crate::{
    error::CheckpointError,
    format::{FileKind, Section, VERSION, whole_file},
    outbox::{Outboxes, outbox_of},
    record::{Number, Outbox, Record, RecordHeader, record_name},
    recover::Scanned,
    storage::{Storage, StorageError},
};

pub use archive::{Archive, Sections};
pub use fence::Fence;
pub use open::Glance;
pub use removal::{Cleaned, Removal, Removed, SnapshotsFound};
pub(crate) use scan::{Scan, damage, file_error, numbered, or_damage, own, verify_record, verify_snapshot};
pub use usage::Usage;

/// A checkpoint's log, of the host that has claimed it.
pub struct Log {
    storage: Arc<dyn Storage>,
    archive: Archive,
    fence: Fence,
    /// The record that the next one stands upon.
    head: Number,
    /// What is there, by number.
    records: Vec<Scanned>,
    usage: Usage,
    /// The last batch that counts.
    committed: Option<Timestamp>,
    /// The newest plan without a commit.
    planned: Option<(Number, Timestamp)>,
    /// Damaged snapshots, by their commits.
    damaged_snapshots: Vec<Number>,
    /// A record may be there or not: nothing can be added before the log is opened again.
    is_uncertain: bool,
}

impl Log {
    /// Adds a record, durably, and gives its number. What is delivered has no sections.
    ///
    /// After [`CheckpointError::Storage`] nothing was added, and the same record may be tried again. After
    /// [`CheckpointError::Fenced`] and [`CheckpointError::Uncertain`] nothing can be added any more.
    pub fn append(&mut self, record: Record, sections: &[Section]) -> Result<Number, CheckpointError> {
        let number = self.fence.next();
        if self.is_uncertain {
            return Err(self.uncertain(number, None));
        }
        self.check_order(&record, sections)?;
        let header = RecordHeader {
            pipeline: self.archive.pipeline().to_owned(),
            number,
            previous: self.head,
            generation: self.fence.generation(),
            record,
        };
        let name = record_name(number);
        let content =
            whole_file(FileKind::Record, &header, sections).map_err(|source| self.archive.file_error(&name, source))?;
        match self.storage.create(&name, &content) {
            Ok(()) => {}
            Err(StorageError::Exists { .. }) => self.settle_taken(number, &content)?,
            Err(error) => self.settle_failed(number, &content, error)?,
        }
        self.added(header, content.len() as u64);
        Ok(number)
    }

    /// For reading what the log and its snapshots hold, and for writing snapshots, on any thread.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// For asking, on any thread, whether this host still owns the checkpoint.
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// For rows of sinks that are too many for a record. Asked for once: numbers begin anew.
    pub fn outboxes(&self) -> Outboxes {
        Outboxes::new(self.archive.clone())
    }

    /// Snapshots that were damaged at the opening and were passed over, by their commits' numbers. Nothing is lost.
    pub fn damaged_snapshots(&self) -> &[Number] {
        &self.damaged_snapshots
    }

    /// The records that are there, by number, and the bytes that they take. Where sources were is not kept of them.
    pub fn records(&self) -> &[Scanned] {
        &self.records
    }

    /// What a commit's record names, if it names any.
    pub fn outbox_of(&self, commit: Number) -> Option<&Outbox> {
        let at = self.records.binary_search_by_key(&commit, |record| record.number);
        at.ok().and_then(|at| outbox_of(&self.records[at]))
    }

    /// For asking, on any thread, how many bytes the checkpoint has.
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    fn check_order(&self, record: &Record, sections: &[Section]) -> Result<(), CheckpointError> {
        let wrong = match record {
            Record::Claim { .. } => Some("a claim is made by opening".to_owned()),
            Record::Delivered { .. } if !sections.is_empty() => Some("what is delivered has no sections".to_owned()),
            Record::Plan(plan) if plan.tables.is_empty() && !sections.is_empty() => {
                Some("a plan has sections of tables that it does not name".to_owned())
            }
            Record::Plan(plan) if Some(plan.batch) <= self.committed => {
                Some(format!("batch {} is planned and counts already", plan.batch))
            }
            Record::Plan(plan) if plan.delivered > self.committed => {
                Some(format!("the plan of batch {} has batches delivered that do not count", plan.batch))
            }
            Record::Commit(commit) if Some((commit.plan, commit.batch)) != self.planned => {
                Some(format!("batch {} is committed without its plan", commit.batch))
            }
            Record::Delivered { batch } if Some(*batch) > self.committed => {
                Some(format!("batch {batch} is delivered and does not count"))
            }
            _ => None,
        };
        wrong.map_or(Ok(()), |what| Err(CheckpointError::OutOfOrder { what }))
    }

    /// The number is taken: by this host, whose earlier try got there after all, or by the next one.
    fn settle_taken(&mut self, number: Number, content: &[u8]) -> Result<(), CheckpointError> {
        match self.storage.read(&record_name(number)) {
            Ok(found) if found == content => self.made_durable(number),
            Ok(_) => {
                self.fence.check()?;
                // Not a later claim: a record that this host tried before, or a damaged one.
                self.is_uncertain = true;
                Err(self.uncertain(number, None))
            }
            Err(error) => {
                self.is_uncertain = true;
                Err(self.uncertain(number, Some(error)))
            }
        }
    }

    /// It failed: before or after its effect?
    fn settle_failed(&mut self, number: Number, content: &[u8], error: StorageError) -> Result<(), CheckpointError> {
        match self.storage.read(&record_name(number)) {
            Ok(_) => self.settle_taken(number, content),
            Err(StorageError::NotFound { .. }) => Err(error.into()),
            Err(unreadable) => {
                self.is_uncertain = true;
                Err(self.uncertain(number, Some(unreadable)))
            }
        }
    }

    fn made_durable(&mut self, number: Number) -> Result<(), CheckpointError> {
        self.storage.sync("log").map_err(|error| {
            self.is_uncertain = true;
            self.uncertain(number, Some(error))
        })
    }

    fn uncertain(&self, number: Number, source: Option<StorageError>) -> CheckpointError {
        CheckpointError::Uncertain { name: record_name(number), place: self.storage.place(), source }
    }

    fn added(&mut self, header: RecordHeader, bytes: u64) {
        self.head = header.number;
        self.fence.next.store(header.number + 1, Ordering::Release);
        match &header.record {
            Record::Claim { .. } | Record::Delivered { .. } | Record::Start(_) => {}
            Record::Plan(plan) => self.planned = Some((header.number, plan.batch)),
            Record::Commit(commit) => {
                self.planned = None;
                self.committed = Some(commit.batch);
            }
        }
        let mut record = Scanned { number: header.number, bytes, found: Ok(header) };
        record.forget_pins();
        self.records.push(record);
        self.usage.log_grew(bytes);
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Log {{ {}, version {VERSION}, head {} }}", self.storage.place(), self.head)
    }
}
