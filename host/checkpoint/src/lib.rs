//! A pipeline's checkpoint: a numbered log of what a host settled and what came of it, snapshots of the state, and a log
//! of input that cannot be had twice. It survives a crash at any instant, and says what is wrong with what is damaged.
//!
//! It is not a database and knows no pipeline: it keeps sections of rows, and decides what a run goes on from. What rows
//! of state mean is the state's matter, and when a batch is delivered the engine's.
//!
//! Limits: a header of 16 MiB, a section of 4 GiB, one owner at a time (the latest claim). The local folder needs a file
//! system with hard links, an object store conditional writes. Nobody is kept from removing files by hand.
//!
//! ```
//! use std::sync::Arc;
//! use tidemill_checkpoint::{Commit, Log, MemoryStorage, BatchPlan, Record};
//! use tidemill_model::time::Timestamp;
//!
//! let storage = Arc::new(MemoryStorage::new());
//! let (mut log, recovered) = Log::open(storage.clone(), "orders", "a", Timestamp(0)).expect("a new checkpoint");
//! assert!(recovered.last.is_none());
//! let batch = Timestamp(5_000_000);
//! let plan = BatchPlan { batch, sources: Vec::new(), plugins: Vec::new(), delivered: None, tables: Vec::new(), away: Vec::new() };
//! let plan = log.append(Record::Plan(plan), &[]).expect("planned");
//! let commit = Commit { batch, plan, counters: vec![("rows".to_owned(), 3)], tables: Vec::new(), outbox: None };
//! log.append(Record::Commit(commit), &[]).expect("committed");
//!
//! let (_, recovered) = Log::open(storage, "orders", "b", Timestamp(1)).expect("the next host");
//! assert_eq!(recovered.last.expect("a batch").commit.batch, batch);
//! assert!(log.append(Record::Delivered { batch }, &[]).is_err(), "the first host is fenced off");
//! ```

#![forbid(unsafe_code)]

mod budget;
mod error;
mod format;
mod input;
mod log;
mod outbox;
mod record;
mod recover;
mod retain;
mod storage;
mod survey;

pub use budget::{Budget, Shortage};
pub use error::CheckpointError;
pub use format::{FormatError, HEADER_BYTES_MAX, SECTION_BYTES_MAX, Section, SectionKind, VERSION};
pub use input::{Cut, Frame, Frames, InputLog, InputSync, LooseEnd, SEGMENT_BYTES, SegmentFound};
pub use log::{Archive, Cleaned, Fence, Glance, Log, Removal, Removed, Sections, SnapshotsFound, Usage};
pub use outbox::{OutboxDraft, Outboxes};
pub use record::{
    BatchPlan, Commit, InputPosition, LoggedRange, Number, Outbox, OutboxParts, PluginDigest, Record, RecordHeader,
    SnapshotHeader, SourcePin, Start, TableSchema,
};
pub use recover::{Committed, FellBack, Planned, Recovery, Refusal, Scanned, Undelivered, recover};
pub use retain::{Keep, Removable, SnapshotFile, removable};
pub use storage::{
    Advice, Appender, Call, Draft, Entry, FOLDERS, Fault, LocalFolder, MemoryStorage, ObjectStorage, Operation,
    Readers, Storage, StorageError, SyncWork,
};
pub use survey::{
    BatchFound, Consequence, Contents, Damage, History, OutboxFound, Past, PastError, SnapshotFound, Survey,
};
