//! What stays, told in letters.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use tidemill_model::time::Timestamp;

use super::*;
use crate::record::{BatchPlan, Commit, LoggedRange, RecordHeader, SourcePin, Start};

const NOTHING_KEPT: Keep = Keep { batches: 0, bytes: 0 };

/// A log in one word, a letter a record: a claim (`h`), the plan (`p`) and the commit (`c`) of a batch, one that it is
/// delivered (`d`), one that the source `s` begins, with the record's number as its pin (`s`), a damaged one (`x`). A plan says that the batch before is delivered.
pub(crate) fn records(word: &str) -> Vec<Scanned> {
    let (mut batch, mut plan) = (0, 0);
    let scanned = (1..).zip(word.chars()).map(|(number, letter)| {
        let record = match letter {
            'h' => Ok(Record::Claim { host: "host".to_owned(), at: Timestamp(0) }),
            'p' => {
                let delivered = (batch > 0).then_some(Timestamp(batch));
                (batch, plan) = (batch + 1, number);
                Ok(Record::Plan(BatchPlan {
                    batch: Timestamp(batch),
                    sources: vec![],
                    plugins: vec![],
                    delivered,
                    tables: vec![],
                    away: vec![],
                }))
            }
            'c' => Ok(Record::Commit(Commit {
                batch: Timestamp(batch),
                plan,
                counters: vec![],
                tables: vec![],
                outbox: None,
            })),
            'd' => Ok(Record::Delivered { batch: Timestamp(batch) }),
            's' => Ok(Record::Start(Start { sources: vec![source("s", number)], tables: vec![] })),
            _ => Err("cut short".to_owned()),
        };
        let header =
            |record| RecordHeader { pipeline: "p".to_owned(), number, previous: number - 1, generation: 1, record };
        Scanned { number, bytes: 100, found: record.map(header) }
    });
    scanned.collect()
}

/// A source whose pin is a number.
pub(crate) fn source(stream: &str, pin: Number) -> SourcePin {
    SourcePin { stream: stream.to_owned(), pin: pin.to_string(), logged: None }
}

/// What is left of a log, a dot for each record that goes, and of its snapshots.
#[track_caller]
fn check(word: &str, snapshots: &[Number], verified: Option<Number>, expect: &str, expect_snapshots: &[Number]) {
    check_kept(word, snapshots, verified, NOTHING_KEPT, expect, expect_snapshots);
}

#[track_caller]
fn check_kept(
    word: &str,
    snapshots: &[Number],
    verified: Option<Number>,
    keep: Keep,
    expect: &str,
    expect_snapshots: &[Number],
) {
    let files: Vec<_> = snapshots.iter().map(|&commit| SnapshotFile { commit, bytes: 100 }).collect();
    let gone: Vec<String> = removable(&records(word), &files, keep, verified).names().collect();
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

/// Five batches with a snapshot after each of the first four; the newest claim is the first record.
fn check_history(batches: usize, bytes: u64, expect: &str, expect_snapshots: &[Number]) {
    check_kept("hpcpcpcpcpc", &[3, 5, 7, 9], None, Keep { batches, bytes }, expect, expect_snapshots);
}

#[test]
fn so_many_batches_stay_with_the_snapshot_before_them() {
    check_history(0, u64::MAX, "h.....cpcpc", &[7, 9]);
    check_history(1, u64::MAX, "h.....cpcpc", &[7, 9]);
    check_history(2, u64::MAX, "h.....cpcpc", &[7, 9]);
    check_history(3, u64::MAX, "h...cpcpcpc", &[5, 7, 9]);
    check_history(4, u64::MAX, "h.cpcpcpcpc", &[3, 5, 7, 9]);
    // There is no snapshot before the second batch, and none is needed.
    check_history(5, u64::MAX, "hpcpcpcpcpc", &[3, 5, 7, 9]);
    check_history(6, u64::MAX, "hpcpcpcpcpc", &[3, 5, 7, 9]);
    check_history(usize::MAX, u64::MAX, "hpcpcpcpcpc", &[3, 5, 7, 9]);
}

#[test]
fn history_has_so_many_bytes_of_records_and_snapshots() {
    // Each file has a hundred: from the record 5 on there are seven records and three snapshots.
    check_history(9, 1_000, "h...cpcpcpc", &[5, 7, 9]);
    check_history(9, 999, "h....pcpcpc", &[7, 9]);
    check_history(9, 1_099, "h...cpcpcpc", &[5, 7, 9]);
    check_history(9, 1_100, "h..pcpcpcpc", &[5, 7, 9]);
    check_history(9, 1_500, "hpcpcpcpcpc", &[3, 5, 7, 9]);
    check_history(9, 0, "h.....cpcpc", &[7, 9]);
    // Whichever bound is the nearer one.
    check_history(4, 1_000, "h...cpcpcpc", &[5, 7, 9]);
    check_history(3, 1_500, "h...cpcpcpc", &[5, 7, 9]);
}

#[test]
fn of_old_claims_the_newest_stay() {
    let check = |claims: usize, expect: &[String]| {
        let word = format!("{}pcpcpcpcpc", "h".repeat(claims));
        let commits = [7, 9].map(|commit| SnapshotFile { commit: claims as u64 - 1 + commit, bytes: 100 });
        let gone = removable(&records(&word), &commits, NOTHING_KEPT, None);
        let is_claim = |name: &String| (1..=claims as u64).any(|number| *name == record_name(number));
        assert_eq!(gone.names().filter(is_claim).collect::<Vec<_>>(), expect);
    };
    check(1, &[]);
    check(1_024, &[]);
    check(1_025, &[record_name(1)]);
    check(1_027, &[record_name(1), record_name(2), record_name(3)]);
}

/// Plans of batches by their sources, each with the segment where its input begins, if it is logged.
#[track_caller]
fn check_input(plans: &[&[Option<u64>]], keep: Keep, expect: Option<u64>) {
    let mut log = records("hpcpcpcpcpc");
    let is_plan = |record: &&mut Scanned| matches!(record.found.as_ref().unwrap().record, Record::Plan(_));
    for (record, segments) in log.iter_mut().filter(is_plan).zip(plans) {
        let Ok(RecordHeader { record: Record::Plan(plan), .. }) = &mut record.found else { continue };
        let source = |segment: &Option<u64>| SourcePin {
            stream: "s".to_owned(),
            pin: "{}".to_owned(),
            logged: segment.map(|segment| {
                let at = |frames| InputPosition { segment, frames };
                LoggedRange { first: at(3), end: at(4) }
            }),
        };
        plan.sources = segments.iter().map(source).collect();
    }
    let snapshots = [3, 5, 7, 9].map(|commit| SnapshotFile { commit, bytes: 100 });
    let Removable { input_before: before, needs_no_input, .. } = removable(&log, &snapshots, keep, None);
    assert_eq!(needs_no_input, expect.is_none(), "plans stay");
    assert_eq!(before.map(|position| (position.segment, position.frames)), expect.map(|segment| (segment, 3)));
}

#[test]
fn input_stays_that_any_source_of_a_plan_that_stays_needs() {
    let keep = Keep { batches: 3, bytes: u64::MAX };
    let logged: &[&[Option<u64>]] = &[&[Some(1)], &[Some(2)], &[Some(3)], &[Some(4)], &[Some(5)]];
    check_input(logged, NOTHING_KEPT, Some(4));
    check_input(logged, keep, Some(3));
    check_input(logged, Keep { batches: 9, bytes: 999 }, Some(3));
    check_input(&[&[], &[], &[Some(9), Some(7), None], &[Some(8)], &[None, Some(9)]], keep, Some(7));
    check_input(&[&[], &[], &[None, Some(9)], &[Some(8), Some(9)], &[Some(9)]], keep, Some(8));
    check_input(&[&[Some(1)], &[Some(2)], &[None], &[None], &[]], keep, None);
}

#[test]
fn without_a_plan_nothing_is_known_of_the_input() {
    for word in ["h", "hh", "hs", "x"] {
        let removable = removable(&records(word), &[], NOTHING_KEPT, None);
        assert!(!removable.needs_no_input && removable.input_before.is_none(), "{word}");
    }
}
