//! Whether a past batch can be run again, and from what. Pure: records in, decision out.

use tidemill_model::time::Timestamp;

use crate::{
    record::{BatchPlan, Commit, Number, Record, RecordHeader, record_name},
    recover::Scanned,
    survey::{BatchFound, History},
};

/// Batches that are named where one is asked for that is not there.
const NEAREST_MAX: usize = 5;

/// A batch, and the state that it began with.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// What it is made of.
    pub plan: BatchPlan,
    /// What it led to, with the record's number; `None`: the run stopped before it did, or the record is damaged.
    pub commit: Option<(Number, Commit)>,
    /// The commit before it, if there is one.
    pub before: Option<Number>,
    /// The snapshot that its state begins with, by its commit's number.
    pub snapshot: Option<Number>,
    /// The commits whose state sections follow, in this order.
    pub deltas: Vec<Number>,
}

/// Why a batch cannot be run again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PastError {
    /// The log does not tell of it.
    #[error("the checkpoint has no batch {batch}{}", nearest_text(.nearest))]
    Unknown {
        /// The batch.
        batch: Timestamp,
        /// Batches that can be run again, the nearest ones, by time.
        nearest: Vec<Timestamp>,
    },
    /// Its plan, or what its state was made of, has been cleaned away.
    #[error("{} was cleaned away, which the batch {batch} needs{}", record_name(*number), nearest_text(.nearest))]
    Cleaned {
        /// The batch.
        batch: Timestamp,
        /// The record.
        number: Number,
        /// Batches that can be run again, the nearest ones, by time.
        nearest: Vec<Timestamp>,
    },
    /// A record that it needs is damaged.
    #[error("the batch {batch} needs {}, which cannot be used ({what}); bring it back from a copy", record_name(*number))]
    Damaged {
        /// The batch.
        batch: Timestamp,
        /// The record.
        number: Number,
        /// How.
        what: String,
    },
}

impl History {
    /// Whether a batch can be run again, as far as the log can tell.
    pub fn has_past(&self, found: &BatchFound<'_>) -> bool {
        self.walk(found).is_ok()
    }

    /// What a past batch is run again from.
    pub fn past(&self, batch: Timestamp) -> Result<Past, PastError> {
        let batches = self.batches();
        let nearest = || nearest(batch, batches.iter().filter(|found| self.has_past(found)).map(|found| found.time));
        let found = batches.iter().find(|found| found.time == batch);
        let found = found.ok_or_else(|| PastError::Unknown { batch, nearest: nearest() })?;
        self.walk(found).map_err(|error| match error {
            PastError::Cleaned { batch, number, .. } => PastError::Cleaned { batch, number, nearest: nearest() },
            error => error,
        })
    }

    fn walk(&self, found: &BatchFound<'_>) -> Result<Past, PastError> {
        let whole = self.snapshots.iter().filter(|snapshot| snapshot.damaged.is_none());
        let snapshots: Vec<Number> = whole.map(|snapshot| snapshot.commit).collect();
        walk(&self.records, &snapshots, found)
    }
}

/// From the batch's plan back along `previous`, to a snapshot or the beginning. Without state there is none to be had.
fn walk(records: &[Scanned], snapshots: &[Number], found: &BatchFound<'_>) -> Result<Past, PastError> {
    let batch = found.time;
    let planned = found.commit.map(|(_, commit)| commit.plan).or(found.plan.map(|(number, _)| number));
    let header = get(records, planned.unwrap_or(0), batch)?;
    let Record::Plan(plan) = &header.record else { return Err(not_there(records, header.number, batch)) };
    let commit = found.commit.map(|(number, commit)| (number, commit.clone()));
    let is_stateless = commit.as_ref().is_some_and(|(_, commit)| commit.tables.is_empty());
    let mut past = Past { plan: plan.clone(), commit, before: None, snapshot: None, deltas: Vec::new() };
    let mut previous = header.previous;
    while previous > 0 && past.snapshot.is_none() && !(is_stateless && past.before.is_some()) {
        let header = match get(records, previous, batch) {
            Err(_) if is_stateless => break,
            header => header?,
        };
        if matches!(header.record, Record::Commit(_)) {
            past.before = past.before.or(Some(previous));
            match snapshots.contains(&previous) {
                true => past.snapshot = Some(previous),
                false => past.deltas.push(previous),
            }
        }
        // A record that stands upon itself or a later one would lead in a circle.
        previous = header.previous.min(previous - 1);
    }
    past.deltas.reverse();
    Ok(past)
}

fn get(records: &[Scanned], number: Number, batch: Timestamp) -> Result<&RecordHeader, PastError> {
    let at = records.binary_search_by_key(&number, |record| record.number);
    let found = at.ok().and_then(|at| records[at].found.as_ref().ok());
    found.ok_or_else(|| not_there(records, number, batch))
}

/// Why a record cannot be had.
fn not_there(records: &[Scanned], number: Number, batch: Timestamp) -> PastError {
    let at = records.binary_search_by_key(&number, |record| record.number);
    match at.map(|at| &records[at].found) {
        Ok(Err(what)) => PastError::Damaged { batch, number, what: what.clone() },
        _ => PastError::Cleaned { batch, number, nearest: Vec::new() },
    }
}

/// The nearest of these times, ascending.
fn nearest(to: Timestamp, times: impl Iterator<Item = Timestamp>) -> Vec<Timestamp> {
    let mut times: Vec<Timestamp> = times.collect();
    times.sort_unstable_by_key(|time| (time.0.abs_diff(to.0), *time));
    times.truncate(NEAREST_MAX);
    times.sort_unstable();
    times
}

fn nearest_text(nearest: &[Timestamp]) -> String {
    let times: Vec<String> = nearest.iter().map(Timestamp::to_string).collect();
    match times.len() {
        0 => "; no batch can be run again".to_owned(),
        1 => format!("; this one can be run again: {}", times[0]),
        _ => format!("; the nearest that can be run again: {}", times.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_are_named_by_time() {
        let check = |to: i64, expect: &[i64]| {
            let times = [0, 10, 20, 30, 40, 50, 60, 70].map(Timestamp);
            assert_eq!(
                nearest(Timestamp(to), times.into_iter()),
                expect.iter().copied().map(Timestamp).collect::<Vec<_>>()
            );
        };
        check(-100, &[0, 10, 20, 30, 40]);
        check(34, &[10, 20, 30, 40, 50]);
        check(i64::MAX, &[30, 40, 50, 60, 70]);
    }
}
