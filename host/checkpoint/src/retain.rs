//! Which files a checkpoint can do without. Pure.

use crate::{
    record::{InputPosition, Number, Record, record_name, snapshot_name},
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
    /// These files, in this order.
    pub names: Vec<String>,
    /// The input log's segments before this place, if any plan that stays says where its input is.
    pub input_before: Option<InputPosition>,
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
    let old_records = old.map(|record| record.number).filter(|number| !kept.contains(number));
    let old_snapshots = snapshots.iter().map(|snapshot| snapshot.commit).filter(|&commit| commit < snapshot_floor);
    Removable {
        names: old_snapshots.map(snapshot_name).chain(old_records.map(record_name)).collect(),
        input_before: first_input(records.iter().filter(|record| record.number >= floor)),
    }
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
        bytes += record.bytes + with_snapshot.map_or(0, |snapshot| snapshot.bytes);
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
    let plans = records.filter_map(|record| match record.found.as_ref().map(|header| &header.record) {
        Ok(Record::Plan(plan)) => Some(plan),
        _ => None,
    });
    plans.flat_map(|plan| &plan.sources).filter_map(|source| source.logged).map(|range| range.first).min()
}

#[cfg(test)]
mod tests {
    use tidemill_model::time::Timestamp;

    use super::*;
    use crate::record::{Commit, Plan, RecordHeader};

    const NOTHING_KEPT: Keep = Keep { batches: 0, bytes: 0 };

    /// A log in one word, a letter a record: a claim (`h`), the plan (`p`) and the commit (`c`) of a batch, one that it is
    /// delivered (`d`), a damaged one (`x`). A plan says that the batch before is delivered.
    fn records(word: &str) -> Vec<Scanned> {
        let (mut batch, mut plan) = (0, 0);
        let scanned = (1..).zip(word.chars()).map(|(number, letter)| {
            let record = match letter {
                'h' => Ok(Record::Claim { host: "host".to_owned(), at: Timestamp(0) }),
                'p' => {
                    let delivered = (batch > 0).then_some(Timestamp(batch));
                    (batch, plan) = (batch + 1, number);
                    Ok(Record::Plan(Plan { batch: Timestamp(batch), sources: vec![], plugins: vec![], delivered }))
                }
                'c' => Ok(Record::Commit(Commit { batch: Timestamp(batch), plan, counters: vec![], states: vec![] })),
                'd' => Ok(Record::Delivered { batch: Timestamp(batch) }),
                _ => Err("cut short".to_owned()),
            };
            let header =
                |record| RecordHeader { pipeline: "p".to_owned(), number, previous: number - 1, generation: 1, record };
            Scanned { number, bytes: 100, found: record.map(header) }
        });
        scanned.collect()
    }

    /// What is left of a log, a dot for each record that goes, and of its snapshots.
    #[track_caller]
    fn check(word: &str, snapshots: &[Number], verified: Option<Number>, expect: &str, expect_snapshots: &[Number]) {
        let files: Vec<_> = snapshots.iter().map(|&commit| SnapshotFile { commit, bytes: 100 }).collect();
        let gone = removable(&records(word), &files, NOTHING_KEPT, verified).names;
        let of = |(number, letter)| if gone.contains(&record_name(number)) { '.' } else { letter };
        assert_eq!((1..).zip(word.chars()).map(of).collect::<String>(), expect, "{gone:?}");
        let left = snapshots.iter().copied().filter(|&commit| !gone.contains(&snapshot_name(commit)));
        assert_eq!(left.collect::<Vec<_>>(), expect_snapshots);
    }

    #[test]
    fn two_snapshots_stay_and_what_happened_since_the_older_one() {
        check("hpcpcpc", &[], None, "hpcpcpc", &[]);
        check("hpcpcpc", &[5], None, "hpcpcpc", &[5]);
        check("hpcpcpc", &[3, 5], None, "h.cpcpc", &[3, 5]);
        check("hpcpcpcpc", &[5, 7], None, "h...cpcpc", &[5, 7]);
        check("hpcpcpcpcpc", &[3, 7, 9], None, "h.....cpcpc", &[7, 9]);
        check("hpcpcpcpcx", &[5, 7], None, "h...cpcpcx", &[5, 7]);
        // All stands upon a snapshot whose spare one is gone.
        check("xpcpcpc", &[5], None, "xpcpcpc", &[5]);
    }

    #[test]
    fn one_snapshot_stays_alone_that_was_read_whole() {
        // The commit before says, without the newest record, that all before it is delivered.
        check("hpcpcpcd", &[7], Some(7), "h...cpcd", &[7]);
        check("hpcpcpcd", &[5, 7], Some(7), "h...cpcd", &[7]);
        check("hpcpcpch", &[7], Some(7), "h...cpch", &[7]);
        check("xpcpcpcd", &[7], Some(7), "x...cpcd", &[7]);
        // The batches since.
        check("hpcpcpcpcpc", &[7], Some(7), "h.....cpcpc", &[7]);
        // Its commit is the newest record: were that damaged, the snapshot would stand for nothing.
        check("hpcpcpc", &[7], Some(7), "hpcpcpc", &[7]);
        check("hpcpcpc", &[5, 7], Some(7), "h..pcpc", &[5, 7]);
        // What was read is not what everything stands upon.
        check("hpcpcpcd", &[5, 7], Some(5), "h...cpcd", &[5, 7]);
        check("hpcpcpcd", &[5], Some(7), "hpcpcpcd", &[5]);
    }
}
