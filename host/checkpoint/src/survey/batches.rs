//! The batches that the log still tells of.

use std::collections::BTreeMap;

use tidemill_model::time::Timestamp;

use crate::{
    outbox::outbox_of,
    record::{BatchPlan, Commit, Number, Record},
    recover::Scanned,
    survey::History,
};

/// A batch whose plan, or commit, is there and whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchFound<'a> {
    /// The batch.
    pub time: Timestamp,
    /// What it is made of, with the record's number.
    pub plan: Option<(Number, &'a BatchPlan)>,
    /// What it led to, with the record's number.
    pub commit: Option<(Number, &'a Commit)>,
    /// Bytes of both files, and of the rows beside them.
    pub bytes: u64,
}

impl History {
    /// The batches, by time.
    pub fn batches(&self) -> Vec<BatchFound<'_>> {
        of_records(&self.records)
    }
}

fn of_records(records: &[Scanned]) -> Vec<BatchFound<'_>> {
    let mut batches = BTreeMap::new();
    for record in records {
        let (time, plan, commit) = match record.found.as_ref().map(|header| &header.record) {
            Ok(Record::Plan(plan)) => (plan.batch, Some((record.number, plan)), None),
            Ok(Record::Commit(commit)) => (commit.batch, None, Some((record.number, commit))),
            _ => continue,
        };
        let batch = batches.entry(time).or_insert(BatchFound { time, plan: None, commit: None, bytes: 0 });
        batch.plan = plan.or(batch.plan);
        batch.commit = commit.or(batch.commit);
        batch.bytes += record.bytes + outbox_of(record).map_or(0, |outbox| outbox.bytes);
    }
    batches.into_values().collect()
}
