//! Which files a checkpoint can do without. Pure.

use crate::{
    outbox::outbox_of,
    record::{InputPosition, Number, Record, outbox_name, record_name, snapshot_name},
    recover::{Scanned, recover},
};

/// How many of the claims that no recovery needs stay all the same. The number that a fenced-off host would write next is
/// that of the claim after it: were it free, that host would wake up after any time and go on as if it were alone.
const CLAIMS_KEPT: usize = 1024;

/// What is kept beyond what a recovery needs, so that past batches can be run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many of the last batches, and the snapshot and changes that their state is made of.
    pub batches: usize,
    /// In files of at most so many bytes.
    pub bytes: u64,
}

/// A snapshot's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// The number of its commit.
    pub commit: Number,
    /// Its length.
    pub bytes: u64,
}

/// What can go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removable {
    /// The snapshots of these commits.
    pub snapshots: Vec<Number>,
    /// These records, ascending.
    pub records: Vec<Number>,
    /// The outboxes of those, with these numbers.
    pub outboxes: Vec<Number>,
    /// The input log's segments before this place, if any plan that stays says where its input is.
    pub input_before: Option<InputPosition>,
    /// Plans stay, and none of them has its input in the log.
    pub needs_no_input: bool,
}

impl Removable {
    /// The files, in the order in which they go.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        let snapshots = self.snapshots.iter().map(|&commit| snapshot_name(commit));
        // A record that names an outbox which is not there looks damaged; one that nothing names is swept by the next host.
        let records = self.records.iter().map(|&number| record_name(number));
        snapshots.chain(records).chain(self.outboxes.iter().map(|&number| outbox_name(number)))
    }
}

/// What can go so that a recovery is as it was, even if the newest snapshot, or the newest record, turns out damaged: two
/// snapshots stay, and all records from the older one on. Nothing, where the log cannot be recovered as it is.
///
/// `verified` is the commit of a snapshot that was read whole. If it is the newest one it stays alone, and all records
/// from its batch on; the newest record may still turn out damaged.
pub fn removable(records: &[Scanned], snapshots: &[SnapshotFile], keep: Keep, verified: Option<Number>) -> Removable {
    let Some(needed) = oldest_needed(records, snapshots, verified) else { return Removable::default() };
    let floor = needed.record.min(oldest_wanted(records, snapshots, keep));
    let snapshot_floor = if verified.is_some() { floor.max(needed.snapshot) } else { floor };
    let old = records.iter().filter(|record| record.number < floor);
    let claims: Vec<Number> = old.clone().filter(|record| may_be_claim(record)).map(|record| record.number).collect();
    let kept = &claims[claims.len().saturating_sub(CLAIMS_KEPT)..];
    let old_snapshots = snapshots.iter().map(|snapshot| snapshot.commit).filter(|&commit| commit < snapshot_floor);
    let outboxes = old.clone().filter_map(outbox_of).map(|outbox| outbox.number).collect();
    let stays = || records.iter().filter(|record| record.number >= floor);
    let input_before = first_input(stays());
    Removable {
        snapshots: old_snapshots.collect(),
        records: old.map(|record| record.number).filter(|number| kept.binary_search(number).is_err()).collect(),
        outboxes,
        input_before,
        needs_no_input: input_before.is_none() && stays().any(is_plan),
    }
}

fn is_plan(record: &Scanned) -> bool {
    record.found.as_ref().is_ok_and(|header| matches!(header.record, Record::Plan(_)))
}

fn may_be_claim(record: &Scanned) -> bool {
    record.found.as_ref().map_or(true, |header| matches!(header.record, Record::Claim { .. }))
}

/// What a recovery looks at, in the worst of the cases that it must survive.
struct Needed {
    /// The oldest record.
    record: Number,
    /// The commit of the oldest snapshot; 0: there may be none.
    snapshot: Number,
}

fn oldest_needed(records: &[Scanned], snapshots: &[SnapshotFile], verified: Option<Number>) -> Option<Needed> {
    let commits: Vec<Number> = snapshots.iter().map(|snapshot| snapshot.commit).collect();
    let now = recover(records, &commits).ok()?;
    let is_sure = |commit: Number| Some(commit) != now.snapshot || Some(commit) == verified;
    let sure: Vec<Number> = commits.iter().copied().filter(|&commit| is_sure(commit)).collect();
    let (_, earlier) = records.split_last()?;
    let without_snapshot = recover(records, &sure).ok()?;
    // After a fall-back the record before the newest is what everything stands upon, and a host will have claimed it.
    let without_record = if now.fell_back.is_some() { None } else { recover(earlier, &sure).ok() };
    let cases = [Some(without_snapshot), without_record];
    let needed = cases.into_iter().flatten().map(|case| (case.oldest, case.snapshot.unwrap_or(0)));
    let (record, snapshot) = needed.reduce(|one, other| (one.0.min(other.0), one.1.min(other.1)))?;
    Some(Needed { record, snapshot })
}

/// The oldest record that is kept for running past batches again.
fn oldest_wanted(records: &[Scanned], snapshots: &[SnapshotFile], keep: Keep) -> Number {
    let mut batches = 0;
    let mut bytes = 0;
    let mut by_batches = None;
    let mut by_bytes = None;
    for record in records.iter().rev() {
        let with_snapshot = snapshots.iter().find(|snapshot| snapshot.commit == record.number);
        let with_outbox = outbox_of(record).map_or(0, |outbox| outbox.bytes);
        bytes += record.bytes + with_outbox + with_snapshot.map_or(0, |snapshot| snapshot.bytes);
        if bytes > keep.bytes {
            by_bytes = Some(record.number + 1);
            break;
        }
        if let Ok(Record::Commit(commit)) = record.found.as_ref().map(|header| &header.record) {
            batches += 1;
            if batches == keep.batches {
                by_batches = Some(commit.plan);
            }
        }
    }
    let newest = records.last().map_or(0, |record| record.number);
    // The state before the oldest of the batches is made of the snapshot before it.
    let state = |plan: Number| snapshots.iter().map(|snapshot| snapshot.commit).filter(|&commit| commit < plan).max();
    let by_batches = match (keep.batches, by_batches) {
        (0, _) => newest,
        (_, plan) => plan.and_then(state).unwrap_or(1),
    };
    by_batches.max(by_bytes.unwrap_or(1))
}

fn first_input<'a>(records: impl Iterator<Item = &'a Scanned>) -> Option<InputPosition> {
    let sources = records.filter_map(|record| match record.found.as_ref().map(|header| &header.record) {
        Ok(Record::Plan(plan)) => Some(&plan.sources),
        Ok(Record::Start(start)) => Some(&start.sources),
        _ => None,
    });
    sources.flatten().filter_map(|source| source.logged).map(|range| range.first).min()
}

#[cfg(test)]
pub(crate) mod tests;
