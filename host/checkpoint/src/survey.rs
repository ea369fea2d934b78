//! A checkpoint as it lies there, looked at without claiming or changing anything.

mod batches;
mod contents;
mod damage;
mod history;
mod outboxes;
mod past;

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{
    error::CheckpointError,
    input::{self, SegmentFound},
    log::{Scan, numbered, verify_record},
    record::{BatchPlan, InputPosition, Number, Record},
    recover::{Recovery, Scanned},
    storage::{Storage, StorageError},
};

pub use batches::BatchFound;
pub use contents::Contents;
pub use damage::{Consequence, Damage};
pub use history::{History, SnapshotFound};
pub use outboxes::OutboxFound;
pub use past::{Past, PastError};

/// How often it is looked again at a checkpoint that a host writes to meanwhile.
const LOOKS_MAX: usize = 8;

/// What there is, every byte checked, and what a run would make of it.
pub struct Survey {
    /// The records and snapshots. Each record is whole, or has what is damaged anywhere in its file.
    pub history: History,
    /// What the whole commits hold, by number.
    pub contents: BTreeMap<Number, Contents>,
    /// The segments of the input log by number.
    pub segments: Vec<SegmentFound>,
    /// The outboxes by number.
    pub outboxes: Vec<OutboxFound>,
    /// Files that are damaged or missing.
    pub damage: Vec<Damage>,
    /// What a run would go on from, or why it would refuse.
    pub recovery: Result<Recovery, CheckpointError>,
}

impl Survey {
    /// Reads everything; `None` if there are no files. Nothing is written, and a host that runs is not disturbed: what
    /// it removes meanwhile is not in the survey, or is looked for again.
    ///
    /// # Errors
    /// The storage failed, or it holds what no checkpoint of this version holds.
    pub fn of(storage: &Arc<dyn Storage>) -> Result<Option<Survey>, CheckpointError> {
        let mut looks = 1;
        loop {
            let before = numbered(&**storage, "log")?;
            let looked = look(storage);
            let may_have_moved = match &looked {
                Ok(None) => false,
                Ok(Some(survey)) => survey.recovery.is_err() || !survey.damage.is_empty(),
                Err(_) => true,
            };
            if !may_have_moved || looks == LOOKS_MAX || numbered(&**storage, "log")? == before {
                return looked;
            }
            looks += 1;
        }
    }

    /// What a run would go on from by now, and the records by which that is decided: a host at work may have removed what
    /// the survey's recovery rests upon.
    pub fn decide_again(&self) -> Result<(Vec<Scanned>, Recovery), CheckpointError> {
        let History { storage, pipeline, .. } = &self.history;
        decide(&**storage, pipeline)
    }
}

impl fmt::Debug for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Survey {{ {:?} }}", self.history)
    }
}

fn look(storage: &Arc<dyn Storage>) -> Result<Option<Survey>, CheckpointError> {
    let Some((mut history, mut scan)) = History::begin(storage)? else { return Ok(None) };
    let pipeline = history.pipeline.clone();
    verify_records(&**storage, &mut history.records)?;
    let contents = contents::of_commits(&history)?;
    let mut outboxes = outboxes::of(&history)?;
    let segments = input::segments(&**storage, &pipeline, &input_ends(&history.records))?;
    // As it is decided for a run, which reads less.
    let decided = match scan.decide(&**storage, &pipeline) {
        Err(CheckpointError::Storage(StorageError::NotFound { .. })) => {
            decide(&**storage, &pipeline).map(|(_, recovery)| recovery)
        }
        decided => decided,
    };
    let recovery = decided.and_then(|recovery| {
        let plans = [recovery.last.as_ref().map(|last| &last.plan), recovery.planned.as_ref().map(|next| &next.plan)];
        let [committed, planned] = plans.map(|plan| plan.and_then(input_end));
        if recovery.last.is_some() && committed.is_none() && planned.is_none() {
            // All sources can be read again, and what is left in the log of others that there were is needed by nobody, as
            // long as none of those comes back.
            return Ok(recovery);
        }
        input::check(storage, &pipeline, &segments, committed, planned).map(|()| recovery)
    });
    history.drop_cleaned()?;
    let is_there = |commit: Number| history.records.iter().any(|record| record.number == commit);
    outboxes.retain(|outbox| outbox.commit.is_none_or(is_there));
    let damage = damage::of(&history, &segments, &outboxes, recovery.as_ref().ok());
    Ok(Some(Survey { history, contents, segments, outboxes, damage, recovery }))
}

/// What a run would go on from by now, and the records by which that is decided.
fn decide(storage: &dyn Storage, pipeline: &str) -> Result<(Vec<Scanned>, Recovery), CheckpointError> {
    let mut scan = Scan::of(storage, pipeline)?;
    let recovery = scan.decide(storage, pipeline)?;
    Ok((scan.records, recovery))
}

/// Finds those that are damaged behind their headers too.
fn verify_records(storage: &dyn Storage, records: &mut [Scanned]) -> Result<(), CheckpointError> {
    for record in records.iter_mut().filter(|record| record.found.is_ok()) {
        if let Some(what) = unless_gone(verify_record(storage, record.number))?.flatten() {
            record.found = Err(what);
        }
    }
    Ok(())
}

/// Nothing of a file that has been removed since it was listed.
fn unless_gone<T>(read: Result<T, CheckpointError>) -> Result<Option<T>, CheckpointError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(CheckpointError::Storage(StorageError::NotFound { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Behind the input of every plan.
fn input_ends(records: &[Scanned]) -> Vec<InputPosition> {
    plans(records).filter_map(input_end).collect()
}

fn plans(records: &[Scanned]) -> impl Iterator<Item = &BatchPlan> {
    records.iter().filter_map(|record| match record.found.as_ref().map(|header| &header.record) {
        Ok(Record::Plan(plan)) => Some(plan),
        _ => None,
    })
}

/// Behind the input of a plan, if any of it is in the input log.
fn input_end(plan: &BatchPlan) -> Option<InputPosition> {
    plan.sources.iter().filter_map(|source| source.logged).map(|range| range.end).max()
}
