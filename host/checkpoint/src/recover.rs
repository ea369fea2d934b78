//! What a run goes on from, decided from what the log holds. Pure: records in, decision out.

use tidemill_model::time::Timestamp;

use crate::record::{BatchPlan, Commit, Number, Record, RecordHeader, SourcePin, Start, record_name};

/// A file of the log as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Scanned {
    /// By its name.
    pub number: Number,
    /// The file's length.
    pub bytes: u64,
    /// What it says, or how it is damaged.
    pub found: Result<RecordHeader, String>,
}

/// What to go on from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovery {
    /// The highest number there is; 0: the log is empty.
    pub newest: Number,
    /// The newest record that counts: what the next one stands upon.
    pub head: Number,
    /// What the next claim's generation must be at least.
    pub generation_min: u64,
    /// The snapshot to begin with, by its commit's number.
    pub snapshot: Option<Number>,
    /// The records whose state sections are to be applied to it (or to nothing), in this order.
    pub deltas: Vec<Number>,
    /// Where sources have begun of whose batches none is in the last one that counts, nor in the planned one.
    pub starts: Vec<SourcePin>,
    /// The last batch that counts.
    pub last: Option<Committed>,
    /// Batches that count and that some sink may not have, the oldest first.
    pub undelivered: Vec<Undelivered>,
    /// All sinks have this batch and those before it.
    pub delivered: Option<Timestamp>,
    /// A batch whose input was settled and that did not come to count: it is run again, with this input.
    pub planned: Option<Planned>,
    /// The newest record is damaged and is passed over.
    pub fell_back: Option<FellBack>,
    /// The oldest record that was looked at: none before it is needed.
    pub oldest: Number,
}

/// A batch that counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Committed {
    /// Its commit record's number.
    pub number: Number,
    /// What it led to.
    pub commit: Commit,
    /// What it was made of.
    pub plan: BatchPlan,
}

/// A batch to deliver (again), from its commit's output sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Its commit record's number.
    pub number: Number,
    /// The batch.
    pub batch: Timestamp,
}

/// A batch to run again.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Its plan record's number, which its commit must name.
    pub number: Number,
    /// What it is made of.
    pub plan: BatchPlan,
}

/// A damaged record that is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FellBack {
    /// Its number.
    pub number: Number,
    /// How it is damaged.
    pub what: String,
}

/// Why a log is not enough to go on from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A record that is needed is damaged, and it is not the newest.
    #[error("{} is needed and cannot be used ({what}); bring it back from a copy of the checkpoint", record_name(*number))]
    Damaged {
        /// Its number.
        number: Number,
        /// How.
        what: String,
    },
    /// A record that is needed is not there.
    #[error("{} is missing and is needed; bring it back from a copy of the checkpoint", record_name(*number))]
    Missing {
        /// Its number.
        number: Number,
    },
    /// The newest record is damaged, and the one before it is not there.
    #[error(
        "{} cannot be used ({what}), and {} before it is missing; bring them back from a copy of the checkpoint",
        record_name(*number), record_name(number - 1)
    )]
    Alone {
        /// The damaged one's number.
        number: Number,
        /// How it is damaged.
        what: String,
    },
    /// Records contradict each other.
    #[error("{} {what}; the log was changed by something else, bring it back from a copy", record_name(*number))]
    Contradiction {
        /// The record's number.
        number: Number,
        /// What it says.
        what: &'static str,
    },
}

/// Decides what to go on from. `records` are all files of the log, by ascending number; `snapshots` the commits that have a
/// whole snapshot, in any order.
///
/// It walks from the newest record back along `previous` until nothing more is needed. A damaged newest record is passed
/// over, once; any other that is needed is a refusal.
pub fn recover(records: &[Scanned], snapshots: &[Number]) -> Result<Recovery, Refusal> {
    let Some(newest) = records.last() else { return Ok(Recovery { generation_min: 1, ..Recovery::default() }) };
    let generations = records.iter().filter_map(|record| record.found.as_ref().ok()).map(|header| header.generation);
    let mut recovery = Recovery { newest: newest.number, head: newest.number, ..Recovery::default() };
    recovery.generation_min = generations.max().unwrap_or(0).saturating_add(1);
    if let Err(what) = &newest.found {
        recovery.fell_back = Some(FellBack { number: newest.number, what: what.clone() });
        recovery.head = newest.number - 1;
        // The damaged one may have been a claim.
        recovery.generation_min = recovery.generation_min.saturating_add(1);
    }
    if let Some(FellBack { number, what }) = &recovery.fell_back {
        let is_there = |number: Number| records.iter().any(|record| record.number == number);
        if *number > 1 && !is_there(number - 1) {
            return Err(Refusal::Alone { number: *number, what: what.clone() });
        }
    }
    let mut walk = Walk { records, snapshots, recovery, wanted_plan: None, is_based: false, is_delivered: false };
    walk.run()?;
    let mut recovery = walk.recovery;
    recovery.deltas.reverse();
    recovery.undelivered.reverse();
    Ok(recovery)
}

struct Walk<'a> {
    records: &'a [Scanned],
    snapshots: &'a [Number],
    recovery: Recovery,
    /// The last batch, until its plan is found.
    wanted_plan: Option<(Number, Commit)>,
    /// The state is complete.
    is_based: bool,
    /// All batches before are delivered.
    is_delivered: bool,
}

impl<'a> Walk<'a> {
    fn run(&mut self) -> Result<(), Refusal> {
        let mut number = self.recovery.head;
        while number > 0 && !self.is_complete() {
            let header = self.get(number)?;
            let previous = header.previous;
            if previous >= number || header.number != number {
                return Err(Refusal::Contradiction { number, what: "stands upon itself or a later record" });
            }
            self.recovery.oldest = number;
            self.visit(number, &header.record)?;
            number = previous;
        }
        match &self.wanted_plan {
            Some((number, _)) => Err(Refusal::Contradiction { number: *number, what: "names a plan that is none" }),
            None => Ok(()),
        }
    }

    fn is_complete(&self) -> bool {
        self.recovery.last.is_some() && self.is_based && self.is_delivered
    }

    fn get(&self, number: Number) -> Result<&'a RecordHeader, Refusal> {
        let at = self.records.binary_search_by_key(&number, |record| record.number);
        let record = at.map(|at| &self.records[at]).map_err(|_| Refusal::Missing { number })?;
        record.found.as_ref().map_err(|what| Refusal::Damaged { number, what: what.clone() })
    }

    fn visit(&mut self, number: Number, record: &Record) -> Result<(), Refusal> {
        match record {
            Record::Claim { .. } => {}
            Record::Delivered { batch } => self.delivered(*batch),
            Record::Plan(plan) => {
                plan.delivered.into_iter().for_each(|batch| self.delivered(batch));
                self.plan(number, plan)?;
                if !self.is_based && !plan.tables.is_empty() {
                    self.recovery.deltas.push(number);
                }
            }
            Record::Commit(commit) => self.commit(number, commit)?,
            Record::Start(start) => self.start(number, start),
        }
        Ok(())
    }

    /// Of the starts of a source the newest counts, and none that a batch which counts was planned behind. One that came while a batch
    /// was run again has begun behind that batch's plan.
    fn start(&mut self, number: Number, start: &Start) {
        if !self.is_based {
            self.recovery.deltas.push(number);
        }
        let Recovery { starts, planned, last, .. } = &mut self.recovery;
        if last.is_some() {
            return;
        }
        let is_planned = |stream: &str| {
            planned.as_ref().is_some_and(|planned| planned.plan.sources.iter().any(|source| source.stream == stream))
        };
        for source in &start.sources {
            if !is_planned(&source.stream) && !starts.iter().any(|known| known.stream == source.stream) {
                starts.push(source.clone());
            }
        }
    }

    /// Marks found later in the walk are older.
    fn delivered(&mut self, batch: Timestamp) {
        self.recovery.delivered = self.recovery.delivered.max(Some(batch));
    }

    fn plan(&mut self, number: Number, plan: &BatchPlan) -> Result<(), Refusal> {
        let has_commit = self.recovery.last.is_some() || self.wanted_plan.is_some();
        if let Some((commit_number, commit)) = self.wanted_plan.take_if(|(_, commit)| commit.plan == number) {
            if commit.batch != plan.batch {
                return Err(Refusal::Contradiction { number: commit_number, what: "names another batch's plan" });
            }
            self.recovery.last = Some(Committed { number: commit_number, commit, plan: plan.clone() });
        } else if !has_commit && self.recovery.planned.is_none() {
            self.recovery.planned = Some(Planned { number, plan: plan.clone() });
        }
        Ok(())
    }

    fn commit(&mut self, number: Number, commit: &Commit) -> Result<(), Refusal> {
        if self.wanted_plan.is_some() {
            return Err(Refusal::Contradiction { number, what: "stands between another commit and its plan" });
        }
        if !self.is_based {
            self.is_based = self.snapshots.contains(&number);
            if self.is_based {
                self.recovery.snapshot = Some(number);
            } else {
                self.recovery.deltas.push(number);
            }
        }
        if self.recovery.delivered >= Some(commit.batch) {
            self.is_delivered = true;
        } else {
            self.recovery.undelivered.push(Undelivered { number, batch: commit.batch });
        }
        if self.recovery.last.is_none() {
            self.wanted_plan = Some((number, commit.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
