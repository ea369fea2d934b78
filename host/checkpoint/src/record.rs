//! The records of the log.

mod version1;

use serde::{Deserialize, Serialize};
use tidemill_model::{table::TableKind, time::Timestamp};

use crate::format::{FormatError, Header, decode};

/// A record's place in the log; the first is 1.
pub type Number = u64;

/// What a host did. The order within a batch is plan, commit, delivered; the starts of sources come before their first plan, and may
/// stand between another batch's plan and its commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A host took the checkpoint over. [`Log::open`](crate::Log::open) writes it.
    Claim {
        /// Who. No two openings have the same: say, machine, process and time of its start.
        host: String,
        /// When, by its clock.
        #[serde(with = "micros")]
        at: Timestamp,
    },
    /// A batch's input is settled. Its sections are what changed in the tables of sources.
    Plan(BatchPlan),
    /// A batch has run, and counts. Its sections are the changed state, and the rows for sinks.
    Commit(Commit),
    /// All sinks have this batch and those before it.
    Delivered {
        /// The batch.
        #[serde(with = "micros")]
        batch: Timestamp,
    },
    /// Sources that the log did not know have begun. Its sections are the tables that they begin with.
    Start(Start),
}

/// Where sources begin, of whose batches none is planned yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The sources.
    pub sources: Vec<SourcePin>,
    /// Their tables.
    pub tables: Vec<TableSchema>,
}

/// What a batch is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPlan {
    /// The batch.
    #[serde(with = "micros")]
    pub batch: Timestamp,
    /// Every source of the pipeline, those without input too.
    pub sources: Vec<SourcePin>,
    /// The plugins that run it.
    pub plugins: Vec<PluginDigest>,
    /// All sinks have this batch and those before it: what a record of its own would say.
    #[serde(with = "optional_micros")]
    pub delivered: Option<Timestamp>,
    /// The tables of sources that changed with the batch; its sections say how.
    pub tables: Vec<TableSchema>,
    /// Sources that the pipeline has no more, and whose peers were told what is durable: if one comes back, it goes on behind that.
    /// Nothing of the input log is theirs.
    pub away: Vec<SourcePin>,
}

/// A source's share of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePin {
    /// The source.
    pub stream: String,
    /// What it needs to give this batch again and to go on behind it, in its own words.
    pub pin: String,
    /// Where the input log has its rows, for a source that cannot give them again. From the first one to the last one all
    /// frames of the stream in between belong to the batch.
    pub logged: Option<LoggedRange>,
}

/// A part of the input log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedRange {
    /// Where it begins.
    pub first: InputPosition,
    /// Behind its last frame.
    pub end: InputPosition,
}

/// A place between two frames of the input log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InputPosition {
    /// The segment.
    pub segment: u64,
    /// How many of its frames come before.
    pub frames: u64,
}

impl InputPosition {
    /// Before everything.
    pub const START: InputPosition = InputPosition { segment: 1, frames: 0 };
}

/// A plugin as it was when the batch ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginDigest {
    /// Its name in the pipeline.
    pub name: String,
    /// Of the component's bytes.
    pub sha256: [u8; 32],
}

/// What a batch led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The batch.
    #[serde(with = "micros")]
    pub batch: Timestamp,
    /// The number of its plan.
    pub plan: Number,
    /// Counters after it, by name.
    pub counters: Vec<(String, u64)>,
    /// The tables that the streams keep, as they are after it.
    pub tables: Vec<TableSchema>,
    /// Where the rows of outputs are that are too many for the record.
    pub outbox: Option<Outbox>,
}

/// A file with rows of a batch for sinks, which belongs to its commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    /// Its number, which no other one has.
    pub number: Number,
    /// Its length.
    pub bytes: u64,
    /// Of all its bytes.
    pub checksum: u32,
    /// The outputs whose rows are there.
    pub outputs: Vec<OutboxParts>,
}

/// Which parts of an outbox make an output's batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxParts {
    /// The output.
    pub output: String,
    /// The parts in order. One without sections has no rows; what is not named here does not count.
    pub parts: Vec<u32>,
}

/// A table that a stream keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// The stream.
    pub stream: String,
    /// Which of its tables; empty where it has one.
    pub table: String,
    /// How it is kept.
    #[serde(with = "kind")]
    pub kind: TableKind,
    /// The function that changes it, say `orders/running-total`; empty: the host does.
    pub function: String,
    /// The schema of its keys, as text.
    pub keys: String,
    /// The schema of its rows, as text.
    pub rows: String,
    /// The version of their meaning.
    pub version: u32,
    /// What its rows depend on besides, in the words of who keeps it.
    pub settings: String,
    /// It is a source's, and is of no use without that source.
    pub is_of_source: bool,
    /// The record holds all of it: what was kept under its name before does not count.
    pub is_whole: bool,
    /// What the stream was called before, if it had another name: older sections may have that one.
    pub previously: Option<String>,
}

/// A record as it stands in the log, its sections aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordHeader {
    /// The pipeline that the checkpoint belongs to.
    pub pipeline: String,
    /// Its place, which its file's name says too.
    pub number: Number,
    /// The record that it stands upon; 0: none. Those between the two were damaged when it was written, and do not count.
    pub previous: Number,
    /// Of the host that wrote it: higher with every claim.
    pub generation: u64,
    /// What it says.
    pub record: Record,
}

/// What a snapshot's file says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHeader {
    /// The pipeline.
    pub pipeline: String,
    /// The commit record after which the state was this.
    pub commit: Number,
    /// Of the host that wrote it.
    pub generation: u64,
}

/// Where a record lies.
pub(crate) fn record_name(number: Number) -> String {
    format!("log/{number:020}")
}

/// Where a snapshot lies.
pub(crate) fn snapshot_name(commit: Number) -> String {
    format!("state/{commit:020}")
}

/// Where an outbox lies.
pub(crate) fn outbox_name(number: Number) -> String {
    format!("outbox/{number:020}")
}

/// Where a segment of the input log lies.
pub(crate) fn segment_name(segment: u64) -> String {
    format!("input/{segment:020}")
}

/// The number that a file is named after.
pub(crate) fn number_of(file: &str) -> Option<u64> {
    let is_number = file.len() == 20 && file.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { file.parse().ok().filter(|&number| number > 0) } else { None }
}

impl Header for RecordHeader {
    fn read(bytes: &[u8], at: u64, version: u16) -> Result<RecordHeader, FormatError> {
        if version < 2 { version1::read(bytes, at) } else { decode(bytes, at) }
    }
}

impl Header for SnapshotHeader {}

mod micros {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        time.0.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp)
    }
}

mod kind {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::TableKind;

    pub fn serialize<S: Serializer>(kind: &TableKind, serializer: S) -> Result<S::Ok, S::Error> {
        match kind {
            TableKind::Keyed => 1_u8,
            TableKind::Blocks => 2,
        }
        .serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TableKind, D::Error> {
        match u8::deserialize(deserializer)? {
            1 => Ok(TableKind::Keyed),
            2 => Ok(TableKind::Blocks),
            other => Err(D::Error::custom(format!("a table of the unknown kind {other}"))),
        }
    }
}

mod optional_micros {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.0).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp))
    }
}
