//! Decisions, told in a line each.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use super::*;
use crate::retain::tests::{records, source};

/// A log in letters, as [`records`] has it, and what is decided: the record that counts, the next generation at least,
/// the snapshot, the changes behind it, the last batch's commit, what may not be delivered, and the plan that is run again.
#[track_caller]
fn check(word: &str, snapshots: &[Number], expect: &str) {
    let told = match recover(&records(word), snapshots) {
        Err(refusal) => refusal.to_string(),
        Ok(found) => {
            let numbers = |numbers: Vec<Number>| numbers.iter().map(|n| format!(" {n}")).collect::<String>();
            let undelivered = found.undelivered.iter().map(|undelivered| undelivered.number).collect();
            format!(
                "head {} generation {} from{}, deltas{}, last{}, undelivered{}, again{}, oldest {}",
                found.head,
                found.generation_min,
                numbers(found.snapshot.into_iter().collect()),
                numbers(found.deltas.clone()),
                numbers(found.last.iter().map(|last| last.number).collect()),
                numbers(undelivered),
                numbers(found.planned.iter().map(|planned| planned.number).collect()),
                found.oldest,
            )
        }
    };
    assert_eq!(told, expect, "{word}");
}

#[test]
fn a_run_goes_on_from_the_newest_records_that_tell_enough() {
    check("", &[], "head 0 generation 1 from, deltas, last, undelivered, again, oldest 0");
    check("h", &[], "head 1 generation 2 from, deltas, last, undelivered, again, oldest 1");
    check("hp", &[], "head 2 generation 2 from, deltas, last, undelivered, again 2, oldest 1");
    check("hpc", &[], "head 3 generation 2 from, deltas 3, last 3, undelivered 3, again, oldest 1");
    check("hpcd", &[], "head 4 generation 2 from, deltas 3, last 3, undelivered, again, oldest 1");
    check("hpcpp", &[], "head 5 generation 2 from, deltas 3, last 3, undelivered, again 5, oldest 1");
    check("hpcpc", &[], "head 5 generation 2 from, deltas 3 5, last 5, undelivered 5, again, oldest 1");
    check("hpcpc", &[3], "head 5 generation 2 from 3, deltas 5, last 5, undelivered 5, again, oldest 3");
    check("hpcpcd", &[5], "head 6 generation 2 from 5, deltas, last 5, undelivered, again, oldest 4");
    check("hpcpcpcd", &[3, 5], "head 8 generation 2 from 5, deltas 7, last 7, undelivered, again, oldest 5");
}

#[test]
fn a_damaged_newest_record_alone_is_passed_over() {
    // It may have been a claim, whose generation was one more.
    check("hx", &[], "head 1 generation 3 from, deltas, last, undelivered, again, oldest 1");
    check("hpx", &[], "head 2 generation 3 from, deltas, last, undelivered, again 2, oldest 1");
    check("hpcx", &[], "head 3 generation 3 from, deltas 3, last 3, undelivered 3, again, oldest 1");
    let damaged = |number: Number| {
        let name = record_name(number);
        format!("{name} is needed and cannot be used (cut short); bring it back from a copy of the checkpoint")
    };
    check("hpxx", &[], &damaged(3));
    check("hxcpc", &[], &damaged(2));
    check("hxcpcd", &[5], "head 6 generation 2 from 5, deltas, last 5, undelivered, again, oldest 4");
}

#[test]
fn records_that_cannot_be_are_refused() {
    let changed = |word: &str, change: &dyn Fn(&mut Vec<Scanned>)| {
        let mut records = records(word);
        change(&mut records);
        recover(&records, &[]).unwrap_err()
    };
    let previous = |records: &mut Vec<Scanned>, number: usize, previous| {
        records[number - 1].found.as_mut().unwrap().previous = previous;
    };
    for (word, later) in [("hpc", 3), ("hpc", 4), ("hpc", Number::MAX), ("hpp", 3), ("hpp", 4), ("hpcd", 4), ("hph", 3)]
    {
        let number = word.len();
        let refusal = changed(word, &|records| previous(records, number, later));
        let (number, what) = (number as Number, "stands upon itself or a later record");
        assert_eq!(refusal, Refusal::Contradiction { number, what }, "{word}");
    }
    let missing = changed("hpc", &|records| _ = records.remove(1));
    assert_eq!(missing, Refusal::Missing { number: 2 });
    // A commit whose plan is passed over, or is another batch's.
    let refusal = changed("hpc", &|records| previous(records, 3, 1));
    assert_eq!(refusal, Refusal::Contradiction { number: 3, what: "names a plan that is none" });
    let refusal = changed("hpcc", &|_| {});
    assert_eq!(refusal, Refusal::Contradiction { number: 3, what: "stands between another commit and its plan" });
}

/// Where sources begin is state like that of commits, and counts until a plan says how far they have come.
#[test]
fn a_source_begins_where_the_newest_start_says_until_it_is_planned() {
    let check = |word: &str, snapshots: &[Number], planned: &[&str], deltas: &[Number], starts: &[&str]| {
        let mut records = records(word);
        for record in &mut records {
            if let Ok(Record::Plan(plan)) = record.found.as_mut().map(|header| &mut header.record) {
                plan.sources.extend(planned.iter().map(|stream| source(stream, 1)));
            }
        }
        let found = recover(&records, snapshots).unwrap();
        let begun: Vec<String> = found.starts.iter().map(|start| format!("{} {}", start.stream, start.pin)).collect();
        assert_eq!(
            (&found.deltas[..], &begun[..]),
            (deltas, &starts.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..]),
            "{word}"
        );
    };
    check("h", &[], &[], &[], &[]);
    check("hs", &[], &[], &[2], &["s 2"]);
    check("hss", &[], &[], &[2, 3], &["s 3"]);
    check("hsp", &[], &[], &[2], &["s 2"]);
    check("hsp", &[], &["other"], &[2], &["s 2"]);
    check("hsp", &[], &["other", "s"], &[2], &[]);
    check("hspc", &[], &["s"], &[2, 4], &[]);
    // It stands before a batch that counts: that one says all.
    check("hspc", &[], &[], &[2, 4], &[]);
    check("hspc", &[4], &[], &[], &[]);
    check("hpcs", &[], &[], &[3, 4], &["s 4"]);
    check("hpcs", &[3], &["s"], &[4], &["s 4"]);
    check("hpcsp", &[3], &["s"], &[4], &[]);
    check("hpcsp", &[3], &[], &[4], &["s 4"]);
    check("hpcspc", &[3], &[], &[4, 6], &[]);
    // One that came to the pipeline while a batch was run again.
    check("hps", &[], &[], &[3], &["s 3"]);
    check("hpsc", &[], &[], &[3, 4], &["s 3"]);
    check("hspsc", &[], &[], &[2, 4, 5], &["s 4"]);
    check("hpscpc", &[], &["s"], &[3, 4, 6], &[]);
    check("hpcssx", &[3], &[], &[4, 5], &["s 5"]);
}
