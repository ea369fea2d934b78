//! Records as version 1 of the format wrote them: commits knew one state for a stream, and no sources that have begun.

use serde::Deserialize;
use tidemill_model::{table::TableKind, time::Timestamp};

use super::{
    BatchPlan, Commit, Number, PluginDigest, Record, RecordHeader, SourcePin, TableSchema, micros, optional_micros,
};
use crate::format::{FormatError, decode};

#[derive(Deserialize)]
struct Header1 {
    pipeline: String,
    number: Number,
    previous: Number,
    generation: u64,
    record: Record1,
}

#[derive(Deserialize)]
enum Record1 {
    Claim {
        host: String,
        #[serde(with = "micros")]
        at: Timestamp,
    },
    Plan(Plan1),
    Commit(Commit1),
    Delivered {
        #[serde(with = "micros")]
        batch: Timestamp,
    },
}

#[derive(Deserialize)]
struct Plan1 {
    #[serde(with = "micros")]
    batch: Timestamp,
    sources: Vec<SourcePin>,
    plugins: Vec<PluginDigest>,
    #[serde(with = "optional_micros")]
    delivered: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Commit1 {
    #[serde(with = "micros")]
    batch: Timestamp,
    plan: Number,
    counters: Vec<(String, u64)>,
    states: Vec<State1>,
}

#[derive(Deserialize)]
struct State1 {
    stream: String,
    function: String,
    keys: String,
    state: String,
    version: u32,
    previously: Option<String>,
}

/// The header of these bytes, as it is said now; `at` is where they stand.
pub(super) fn read(bytes: &[u8], at: u64) -> Result<RecordHeader, FormatError> {
    let Header1 { pipeline, number, previous, generation, record } = decode(bytes, at)?;
    let record = match record {
        Record1::Claim { host, at } => Record::Claim { host, at },
        Record1::Plan(plan) => Record::Plan(plan.into()),
        Record1::Commit(commit) => Record::Commit(commit.into()),
        Record1::Delivered { batch } => Record::Delivered { batch },
    };
    Ok(RecordHeader { pipeline, number, previous, generation, record })
}

impl From<Plan1> for BatchPlan {
    fn from(plan: Plan1) -> BatchPlan {
        let Plan1 { batch, sources, plugins, delivered } = plan;
        BatchPlan { batch, sources, plugins, delivered, tables: Vec::new(), away: Vec::new() }
    }
}

impl From<Commit1> for Commit {
    fn from(commit: Commit1) -> Commit {
        let Commit1 { batch, plan, counters, states } = commit;
        let tables = states.into_iter().map(TableSchema::from).collect();
        Commit { batch, plan, counters, tables, outbox: None }
    }
}

impl From<State1> for TableSchema {
    fn from(state: State1) -> TableSchema {
        let State1 { stream, function, keys, state: rows, version, previously } = state;
        let (table, settings) = (String::new(), String::new());
        let kind = TableKind::Keyed;
        let (is_of_source, is_whole) = (false, false);
        TableSchema { stream, table, kind, function, keys, rows, version, settings, is_of_source, is_whole, previously }
    }
}
