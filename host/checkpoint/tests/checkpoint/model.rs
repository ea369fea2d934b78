//! Recovery and retention against a model: whatever was written, snapshotted, cleaned or damaged, the next host goes on
//! from what the model says.

use std::sync::Arc;

use proptest::prelude::*;
use tidemill_checkpoint::{Keep, Log, MemoryStorage, Record, Recovery, SectionKind};
use tidemill_model::{testing::cases, time::Timestamp};

use crate::scene::{PIPELINE, commit, plan, section, state};

/// One of the things that happen to a checkpoint.
#[derive(Clone, Debug)]
enum Step {
    /// `delivered` rides on it.
    Plan {
        delivered: bool,
    },
    Commit,
    Delivered,
    Snapshot,
    Clean {
        batches: usize,
        bytes: u64,
    },
    /// Nothing is kept besides the newest snapshot.
    Rely,
    Reopen,
    DamageRecord,
    DamageSnapshot,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    sums: Vec<i64>,
    planned: Option<i64>,
    delivered: usize,
}

struct Both {
    storage: MemoryStorage,
    log: Log,
    model: Model,
    /// The model before the newest record; none if that is a claim.
    before: Option<Model>,
    /// Snapshots of commits that count, ascending.
    snapshots: Vec<u64>,
    /// This snapshot had no spare one when it was the newest.
    alone: Option<u64>,
    commit: Option<u64>,
    planned: Option<u64>,
    /// A snapshot was lost: what was kept to spare may be needed now.
    has_lost: bool,
}

impl Both {
    fn new() -> Both {
        let storage = MemoryStorage::new();
        let (log, _) = Log::open(Arc::new(storage.clone()), PIPELINE, "host", Timestamp(0)).unwrap();
        let (model, snapshots) = (Model::default(), Vec::new());
        Both { storage, log, model, before: None, snapshots, alone: None, commit: None, planned: None, has_lost: false }
    }

    fn step(&mut self, step: &Step) {
        let batches = self.model.sums.len();
        let before = self.model.clone();
        let watermark = || (batches > 0).then(|| time(batches));
        match step {
            Step::Plan { delivered } => {
                let delivered = if *delivered { watermark() } else { None };
                let plan = plan(time(batches + 1), None, delivered);
                self.planned = Some(self.log.append(Record::Plan(plan), &[]).unwrap());
                self.model.planned = Some(batches as i64 + 1);
                self.model.delivered = delivered.map_or(self.model.delivered, |_| batches);
                self.before = Some(before);
            }
            Step::Commit => {
                let Some(number) = self.planned.take() else { return };
                let sum = self.model.sums.last().unwrap_or(&0) + batches as i64 + 1;
                let state = [section(SectionKind::State, &[sum, batches as i64 + 1])];
                let commit = commit(time(batches + 1), number, 0);
                self.commit = Some(self.log.append(Record::Commit(commit), &state).unwrap());
                self.model.sums.push(sum);
                self.model.planned = None;
                self.before = Some(before);
            }
            Step::Delivered => {
                let Some(batch) = watermark() else { return };
                self.log.append(Record::Delivered { batch }, &[]).unwrap();
                self.model.delivered = batches;
                self.before = Some(before);
            }
            Step::Snapshot => {
                let (Some(number), Some(&sum)) = (self.commit, self.model.sums.last()) else { return };
                let state = section(SectionKind::State, &[sum, batches as i64]);
                self.log.archive().write_snapshot(number, [Ok(state)]).unwrap();
                if self.snapshots.last() != Some(&number) {
                    self.snapshots.push(number);
                }
            }
            Step::Clean { batches, bytes } => {
                self.log.clean(Keep { batches: *batches, bytes: *bytes }).unwrap();
            }
            Step::Rely => {
                let Some(&newest) = self.snapshots.last() else { return };
                // One that is damaged, or was not needed any more, cannot be read.
                if self.log.rely_on(newest).is_ok() {
                    self.alone = Some(newest);
                }
            }
            Step::Reopen => self.reopen(false),
            Step::DamageRecord => {
                let Some(before) = self.before.take() else { return };
                let newest = self.log.records().last().unwrap().number;
                self.damage(&format!("log/{newest:020}"));
                self.model = before;
                // A commit takes its snapshot with it: that stands for a batch that has not happened.
                self.has_lost |= self.snapshots.pop_if(|snapshot| *snapshot == newest).is_some();
                self.reopen(true);
            }
            Step::DamageSnapshot => {
                // One at a time: two are kept so that one can be lost, but for the one that was relied upon.
                if self.has_lost || self.snapshots.last().copied() == self.alone {
                    return;
                }
                let Some(number) = self.snapshots.pop() else { return };
                self.has_lost = true;
                self.damage(&format!("state/{number:020}"));
                self.reopen(false);
            }
        }
    }

    fn damage(&self, name: &str) {
        let Some(mut bytes) = self.storage.files().remove(name) else { return };
        let middle = bytes.len() / 2;
        bytes[middle] ^= 8;
        self.storage.overwrite(name, bytes);
    }

    fn reopen(&mut self, falls_back: bool) {
        let opened = Log::open(Arc::new(self.storage.clone()), PIPELINE, "host", Timestamp(0));
        let (log, recovered) = opened.unwrap();
        assert_eq!(recovered.fell_back.is_some(), falls_back);
        self.compare(&log, &recovered);
        self.commit = recovered.last.as_ref().map(|last| last.number);
        self.planned = recovered.planned.map(|planned| planned.number);
        self.log = log;
        self.before = None;
    }

    fn compare(&self, log: &Log, recovered: &Recovery) {
        let batches = self.model.sums.len();
        let sum = self.model.sums.last().copied().unwrap_or(0);
        assert_eq!(state(log.archive(), recovered).unwrap(), (sum, batches as i64));
        assert_eq!(recovered.last.as_ref().map(|last| last.commit.batch), (batches > 0).then(|| time(batches)));
        assert_eq!(recovered.last.as_ref().map(|last| last.plan.batch), (batches > 0).then(|| time(batches)));
        let planned = recovered.planned.as_ref().map(|planned| planned.plan.batch);
        assert_eq!(planned, self.model.planned.map(|batch| time(batch as usize)));
        let undelivered: Vec<Timestamp> = recovered.undelivered.iter().map(|batch| batch.batch).collect();
        assert_eq!(undelivered, (self.model.delivered + 1..=batches).map(time).collect::<Vec<_>>());
    }
}

fn time(batch: usize) -> Timestamp {
    Timestamp(batch as i64 * 1_000_000)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<bool>().prop_map(|delivered| Step::Plan { delivered }),
        6 => Just(Step::Commit),
        2 => Just(Step::Delivered),
        3 => Just(Step::Snapshot),
        3 => (0..4_usize, 0..9_u64).prop_map(|(batches, kilo)| Step::Clean { batches, bytes: kilo << 10 }),
        1 => Just(Step::Rely),
        2 => Just(Step::Reopen),
        1 => Just(Step::DamageRecord),
        1 => Just(Step::DamageSnapshot),
    ]
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn the_next_host_goes_on_from_what_was(steps in prop::collection::vec(step(), 1..60)) {
        check(&steps);
    }
}

fn check(steps: &[Step]) {
    let mut both = Both::new();
    for step in steps {
        both.step(step);
    }
    both.reopen(false);
}

/// Two losses: the newest commit, whose snapshot counts for nothing then, and the one before. Only one of them may be
/// damaged, and whoever damages both must not expect that it goes on.
#[test]
fn a_commit_that_is_lost_takes_its_snapshot_with_it() {
    use Step::{Clean, Commit, DamageRecord, DamageSnapshot, Plan, Snapshot};
    let (planned, delivered) = (Plan { delivered: false }, Plan { delivered: true });
    let first = [planned.clone(), planned.clone(), Commit, Snapshot, delivered, Commit, Snapshot];
    let clean = Clean { batches: 0, bytes: 0 };
    check(&[&first[..], &[clean.clone(), DamageRecord, Snapshot, DamageSnapshot]].concat());
    // Each alone is survived.
    check(&[&first[..], &[clean.clone(), DamageRecord, Snapshot, clean.clone(), planned, Commit]].concat());
    check(&[&first[..], &[clean, DamageSnapshot, Snapshot]].concat());
}
