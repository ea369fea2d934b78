//! Looking at a checkpoint without claiming it.

use std::{
    error::Error,
    io::Write,
    sync::{Arc, Mutex},
};

use tidemill_checkpoint::{
    BatchPlan, CheckpointError, Consequence, Fault, InputLog, Log, LoggedRange, MemoryStorage, Operation, PastError,
    Record, Recovery, SectionKind, Storage, StorageError, Survey,
};
use tidemill_model::time::Timestamp;

use crate::scene::{PIPELINE, START, World, commit, end, plan, rows, section_numbers, state};

fn survey(storage: &MemoryStorage) -> Result<Option<Survey>, CheckpointError> {
    let storage: Arc<dyn Storage> = Arc::new(storage.clone());
    Survey::of(&storage)
}

/// Whether a host can take the checkpoint over.
fn opens(storage: &MemoryStorage) -> bool {
    let storage = Arc::new(storage.copy());
    let Ok((log, recovered)) = Log::open(storage.clone(), PIPELINE, "next", Timestamp(9)) else { return false };
    let plans = recovered.planned.iter().map(|planned| &planned.plan);
    let needed = plans.chain(recovered.last.as_ref().map(|last| &last.plan)).map(end).max();
    InputLog::open(storage, log.fence(), needed, 1 << 20).is_ok()
}

fn world(last: i64) -> MemoryStorage {
    let mut world = World::default();
    world.run(last).unwrap();
    world.storage
}

#[test]
fn what_is_whole_is_shown_and_nothing_is_written() {
    let storage = world(8);
    let before = storage.files();
    let survey = survey(&storage).unwrap().unwrap();
    assert_eq!(storage.files(), before);
    assert_eq!((survey.history.pipeline.as_str(), &survey.damage[..]), (PIPELINE, &[][..]));
    let recovery = survey.recovery.as_ref().unwrap();
    let last = recovery.last.as_ref().unwrap();
    assert_eq!(recovery.delivered, Some(last.commit.batch));
    let batches = survey.history.batches();
    assert!(batches.iter().all(|batch| batch.commit.is_some()), "{batches:#?}");
    assert_eq!(batches.last().unwrap().time, last.commit.batch);
    let with_plan = batches.iter().filter_map(|batch| Some((batch.plan?.1, batch.commit?)));
    let (mut beside, mut all) = (0, 0);
    for (plan, (number, commit)) in with_plan {
        let rows = &survey.contents[&number].outputs["sums"];
        let plan: &BatchPlan = plan;
        assert_eq!(survey.history.input(plan.sources[0].logged.unwrap()).count() as u64, *rows);
        (beside, all) = (beside + usize::from(commit.outbox.is_some()), all + 1);
    }
    assert!((1..all).contains(&beside), "{beside} of {all} have their rows in a file of their own");
    assert!(survey.outboxes.iter().all(|outbox| outbox.commit.is_some() && outbox.bytes > 0), "{:?}", survey.outboxes);
}

#[test]
fn every_byte_that_is_damaged_is_said_and_so_is_what_a_run_makes_of_it() {
    let storage = world(4);
    let (mut said, mut refused) = (0, 0);
    let check = |damaged: &MemoryStorage, name: &str, what: &str| match survey(damaged) {
        Err(_) => {
            assert!(!opens(damaged), "{name}: {what}");
            (0, 1)
        }
        Ok(survey) => {
            let survey = survey.expect("files are left");
            let is_loose = survey.segments.iter().any(|segment| segment.loose.is_some());
            assert!(is_loose || survey.damage.iter().any(|damage| damage.name == name), "{name}: {what}");
            assert_eq!(survey.recovery.is_ok(), opens(damaged), "{name}: {what}: {:?}", survey.recovery);
            (1, 0)
        }
    };
    for (name, bytes) in storage.files() {
        for at in 0..bytes.len() {
            let mut content = bytes.clone();
            content[at] ^= 1 << (at % 8);
            // Cuts are fewer, to be done in time.
            let cut = (at % 8 == 0).then(|| bytes[..at].to_vec());
            for (content, what) in [Some(content), cut].into_iter().flatten().zip(["flipped", "cut"]) {
                let damaged = storage.copy();
                damaged.overwrite(&name, content);
                let (more, most) = check(&damaged, &name, &format!("{what} at {at}"));
                said += more;
                refused += most;
            }
        }
    }
    let _ = writeln!(std::io::stderr(), "{said} damages were said, {refused} made it no checkpoint of this version");
    assert!(said > 5_000 && refused < said / 10);
}

#[test]
fn files_that_are_missing_are_said() {
    let storage = world(8);
    let whole = survey(&storage).unwrap().unwrap();
    let middle = &whole.history.records[whole.history.records.len() / 2..whole.history.records.len() - 1];
    for record in middle {
        let name = format!("log/{:020}", record.number);
        let without = storage.copy();
        without.remove(&name).unwrap();
        let survey = survey(&without).unwrap().unwrap();
        let found: Vec<_> = survey.damage.iter().map(|damage| (damage.name.as_str(), damage.what.as_str())).collect();
        assert_eq!(found, [(name.as_str(), "it is missing")]);
        let is_refused = survey.damage[0].consequence == Consequence::Refused;
        assert_eq!((is_refused, survey.recovery.is_err()), (!opens(&without), is_refused), "{name}");
    }
    for outbox in &whole.outboxes {
        let name = format!("outbox/{:020}", outbox.number);
        let without = storage.copy();
        without.remove(&name).unwrap();
        let survey = survey(&without).unwrap().unwrap();
        let found = survey.damage.iter().map(|damage| (damage.name.as_str(), damage.what.as_str(), damage.consequence));
        // All sinks have these batches.
        assert_eq!(found.collect::<Vec<_>>(), [(name.as_str(), "it is missing", Consequence::NotNeeded)]);
        assert!(opens(&without));
    }
    for segment in &whole.segments {
        let name = format!("input/{:020}", segment.segment);
        let without = storage.copy();
        without.remove(&name).unwrap();
        let survey = survey(&without).unwrap().unwrap();
        assert_eq!(survey.recovery.is_ok(), opens(&without), "{name}: {:?}", survey.recovery);
        let is_said = survey.damage.iter().any(|damage| damage.name == name);
        assert!(is_said || opens(&without), "{name}: {:?}", survey.damage);
    }
}

#[test]
fn what_earlier_sources_have_left_in_the_input_log_is_not_needed() {
    let storage = world(24);
    let shared: Arc<dyn Storage> = Arc::new(storage.clone());
    let (mut log, recovered) = Log::open(shared, PIPELINE, "next", Timestamp(9)).unwrap();
    let last = recovered.last.unwrap().commit.batch;
    let next = Timestamp(last.0 + 1);
    let number = log.append(Record::Plan(plan(next, None, Some(last))), &[]).unwrap();
    log.append(Record::Commit(commit(next, number, 24)), &[]).unwrap();
    let segments: Vec<String> = storage.files().into_keys().filter(|name| name.starts_with("input/")).collect();
    assert!(segments.len() > 1, "{segments:?}");
    storage.remove(&segments[0]).unwrap();
    let survey = survey(&storage).unwrap().unwrap();
    assert_eq!(survey.recovery.unwrap().last.unwrap().commit.batch, next);
}

#[test]
fn a_past_batch_has_the_state_that_it_began_with() {
    // Snapshots stand after even batches, and what no recovery needs is gone.
    let storage = world(24);
    let survey = survey(&storage).unwrap().unwrap();
    let batches = survey.history.batches();
    let (mut with_past, mut cleaned) = (Vec::new(), 0);
    for found in &batches {
        match survey.history.past(found.time) {
            Ok(past) => {
                let recovered = Recovery { snapshot: past.snapshot, deltas: past.deltas, ..Recovery::default() };
                let (sum, count) = state(survey.history.archive(), &recovered).unwrap();
                let (number, commit) = past.commit.unwrap();
                let of_batch = survey.history.archive().read_outputs(number, commit.outbox.as_ref()).unwrap();
                let numbers = section_numbers(&of_batch, SectionKind::Output);
                assert_eq!((sum, count), ((numbers[0] - 1) * numbers[0] / 2, numbers[0] - 1), "{}", found.time);
                with_past.push(found.time);
            }
            Err(error) => {
                assert!(matches!(error, PastError::Cleaned { .. }), "{error}");
                cleaned += 1;
            }
        }
        assert_eq!(survey.history.has_past(found), survey.history.past(found.time).is_ok());
    }
    assert!(with_past.len() >= 2 && cleaned == 1, "{with_past:?}");
    let error = survey.history.past(Timestamp(1)).unwrap_err();
    assert_eq!(error, PastError::Unknown { batch: Timestamp(1), nearest: with_past.clone() });
    let text = error.to_string();
    assert!(text.contains(&format!("the nearest that can be run again: {}", with_past[0])), "{text}");
    let commit = batches.last().unwrap().commit.unwrap().0;
    let without = storage.copy();
    let name = format!("log/{commit:020}");
    let mut content = without.read(&name).unwrap();
    *content.last_mut().unwrap() ^= 1;
    without.overwrite(&name, content);
    // What it led to is lost; what it was made of is not.
    let past = self::survey(&without).unwrap().unwrap().history.past(*with_past.last().unwrap()).unwrap();
    assert!(past.commit.is_none() && past.before.is_some(), "{past:?}");
}

/// A batch without a snapshot behind it stands upon all records down to the first claim.
#[test]
fn a_past_batch_says_which_record_it_cannot_do_without() {
    let storage = world(2);
    let whole = survey(&storage).unwrap().unwrap().history;
    let last = whole.batches().last().unwrap().time;
    let commit = whole.batches().last().unwrap().commit.unwrap().0;
    assert_eq!(whole.past(last).unwrap().plan.batch, last);
    for number in 1..commit {
        let name = format!("log/{number:020}");
        let damaged = storage.copy();
        let mut content = damaged.read(&name).unwrap();
        content[40] ^= 1;
        damaged.overwrite(&name, content);
        let error = survey(&damaged).unwrap().unwrap().history.past(last).unwrap_err();
        assert!(matches!(&error, PastError::Damaged { number: found, .. } if *found == number), "{number}: {error}");
    }
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    assert!(survey(&MemoryStorage::new()).unwrap().is_none());
    let strange = world(2);
    strange.overwrite("log/notes", vec![1]);
    assert!(matches!(survey(&strange), Err(CheckpointError::Foreign { .. })));
    let without_log = world(4);
    for name in without_log.files().into_keys().filter(|name| name.starts_with("log/")) {
        without_log.remove(&name).unwrap();
    }
    assert!(matches!(survey(&without_log), Err(CheckpointError::WithoutLog { .. })));
    let folder = tempfile::tempdir().unwrap();
    let existing = tidemill_checkpoint::LocalFolder::existing(folder.path());
    assert!(matches!(existing, Err(StorageError::NoCheckpoint { .. })));
}

/// Who looks at a checkpoint that a host writes to looks again where something seems to be damaged, because it may have been
/// removed meanwhile. It ends although the host does not.
#[test]
fn a_checkpoint_that_never_stands_still_is_looked_at_eight_times() {
    // How often the checkpoint is written to while it is looked at, and how many looks that makes.
    for (moves_max, expect) in [(0, 1), (1, 2), (6, 7), (7, 8), (1_000, 8)] {
        let storage = world(8);
        let damaged = storage.files().into_keys().filter(|name| name.starts_with("log/")).nth(3).unwrap();
        let whole = storage.files()[&damaged].clone();
        let cut = whole[..whole.len() / 2].to_vec();
        storage.overwrite(&damaged, cut.clone());
        let (others, moves, looks) = (storage.clone(), Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
        let seen = looks.clone();
        storage.set_faults(move |call| {
            // Whatever a look reads: it reads this one once.
            if call.operation == Operation::Read && call.name == damaged {
                *seen.lock().unwrap() += 1;
                let mut moves = moves.lock().unwrap();
                if *moves < moves_max {
                    *moves += 1;
                    others.overwrite(&format!("log/{:020}", 1_000 + *moves), cut.clone());
                }
            }
            Fault::None
        });
        let survey = survey(&storage).unwrap().unwrap();
        assert!(!survey.damage.is_empty());
        assert_eq!(*looks.lock().unwrap(), expect, "{moves_max} moves");
    }
}

/// A file under the name of another one of its kind, as a copy by hand may leave it, is not taken for that one.
#[test]
fn a_record_and_a_snapshot_are_what_their_names_say() {
    let storage = world(8);
    let survey = survey(&storage).unwrap().unwrap();
    let archive = survey.history.archive();
    let commits: Vec<u64> = survey.history.batches().iter().filter_map(|batch| Some(batch.commit?.0)).collect();
    let (one, other) = (commits[commits.len() - 2], commits[commits.len() - 1]);
    archive.read_sections(one).unwrap();
    let name_of = |number: u64| -> String {
        let is_it = |name: &String| name.starts_with("log/") && name.trim_start_matches("log/").parse() == Ok(number);
        storage.files().into_keys().find(is_it).unwrap()
    };
    storage.overwrite(&name_of(one), storage.files()[&name_of(other)].clone());
    let error = archive.read_sections(one).map(drop).unwrap_err();
    let said = |number: u64| format!("it is damaged: it is number {number} at byte 0");
    assert_eq!(error.source().unwrap().to_string(), said(other));
    let found = self::survey(&storage).unwrap().unwrap().history;
    let record = found.records.iter().find(|record| record.number == one).unwrap();
    assert_eq!(record.found.as_ref().unwrap_err(), &format!("it is damaged: it is record {other} at byte 0"));
    let snapshots: Vec<String> = storage.files().into_keys().filter(|name| name.starts_with("state/")).collect();
    let (old, new) = (&snapshots[snapshots.len() - 2], &snapshots[snapshots.len() - 1]);
    let number: u64 = old.trim_start_matches("state/").parse().unwrap();
    archive.read_snapshot(number).map(drop).unwrap();
    storage.overwrite(old, storage.files()[new].clone());
    let error = archive.read_snapshot(number).map(drop).unwrap_err();
    let of_new: u64 = new.trim_start_matches("state/").parse().unwrap();
    assert_eq!(error.source().unwrap().to_string(), said(of_new));
    let found = self::survey(&storage).unwrap().unwrap().history;
    let snapshot = found.snapshots.iter().find(|snapshot| snapshot.commit == number).unwrap();
    assert_eq!(snapshot.damaged.as_deref(), Some("it is damaged: it is another commit's at byte 0"));
}

/// What is wrong with a segment is said as it was found: where its input is needed as damage, else as a loose end.
#[test]
fn how_a_segment_is_damaged_is_said() {
    let storage = MemoryStorage::new();
    let shared: Arc<dyn Storage> = Arc::new(storage.clone());
    let (mut log, _) = Log::open(shared.clone(), PIPELINE, "first", Timestamp(0)).unwrap();
    let (mut input, _) = InputLog::open(shared, log.fence(), None, 1 << 20).unwrap();
    let name = "input/00000000000000000001";
    let mut ends = vec![storage.files()[name].len()];
    for number in 1..=3 {
        input.append("numbers", None, &rows(&[number])).unwrap();
        ends.push(storage.files()[name].len());
        if number == 2 {
            let range = LoggedRange { first: START, end: input.sync().unwrap() };
            log.append(Record::Plan(plan(Timestamp(1_000_000), Some(range), None)), &[]).unwrap();
        }
    }
    let whole = storage.files()[name].clone();
    let look = |content: Vec<u8>| {
        let damaged = storage.copy();
        damaged.overwrite(name, content);
        let mut survey = survey(&damaged).unwrap().unwrap();
        assert_eq!(survey.recovery.is_ok(), survey.damage.is_empty());
        let found = survey.segments.remove(0);
        (found.chunks, found.damaged, found.loose.map(|loose| (loose.bytes, loose.what)))
    };
    assert_eq!(look(whole.clone()), (3, None, None));
    let flipped = |at: usize| {
        let mut content = whole.clone();
        content[at] ^= 1;
        content
    };
    let rows_of = |chunk: usize| ends[chunk] - 5;
    let said = |chunk: usize| format!("it is damaged: the checksum of a chunk at byte {}", ends[chunk - 1]);
    assert_eq!(look(flipped(rows_of(1))), (0, Some(format!("0 of 2 chunks are whole; {}", said(1))), None));
    assert_eq!(look(flipped(rows_of(2))), (1, Some(format!("1 of 2 chunks are whole; {}", said(2))), None));
    assert_eq!(look(flipped(rows_of(3))), (2, None, Some(((ends[3] - ends[2]) as u64, said(3)))));
    let cut = |length: usize| whole[..length].to_vec();
    let early = "1 of 2 chunks are whole; it ends too early".to_owned();
    assert_eq!(look(cut(ends[1])), (1, Some(early), None));
    assert_eq!(look(cut(ends[2])), (2, None, None));
    let torn = format!("it is damaged: it ends at byte {}, within a chunk", ends[2] + 7);
    assert_eq!(look(cut(ends[2] + 7)), (2, None, Some((7, torn))));
}

/// Every record that is missing between two that are there is said, from the first on that is no claim.
#[test]
fn a_record_that_is_missing_is_said_wherever_it_stood() {
    let storage = MemoryStorage::new();
    let (mut log, _) = Log::open(Arc::new(storage.clone()), PIPELINE, "first", Timestamp(0)).unwrap();
    for batch in 1..=4 {
        let batch = Timestamp(batch * 1_000_000);
        let number = log.append(Record::Plan(plan(batch, None, None)), &[]).unwrap();
        log.append(Record::Commit(commit(batch, number, 1)), &[]).unwrap();
    }
    let newest = log.records().last().unwrap().number;
    for number in 3..newest {
        let name = format!("log/{number:020}");
        let without = storage.copy();
        without.remove(&name).unwrap();
        let survey = survey(&without).unwrap().unwrap();
        let found: Vec<_> = survey.damage.iter().map(|damage| (damage.name.as_str(), damage.what.as_str())).collect();
        assert_eq!(found, [(name.as_str(), "it is missing")]);
    }
}

/// What is looked at says where it is, and shows no rows.
#[test]
fn what_is_found_can_be_named() {
    let storage = world(4);
    let survey = survey(&storage).unwrap().unwrap();
    let place = storage.place();
    assert!(!place.is_empty());
    let records = survey.history.records.len();
    let of_history = format!("History {{ Archive {{ {place} }}, {records} records }}");
    assert_eq!(format!("{survey:?}"), format!("Survey {{ {of_history} }}"));
    let (log, _) = Log::open(Arc::new(storage.clone()), PIPELINE, "next", Timestamp(9)).unwrap();
    let head = log.records().last().unwrap().number;
    let version = tidemill_checkpoint::VERSION;
    assert_eq!(format!("{log:?}"), format!("Log {{ {place}, version {version}, head {head} }}"));
    let fence = format!("Fence {{ generation {}, next {} }}", log.fence().generation(), head + 1);
    assert_eq!(format!("{:?}", log.fence()), fence);
    let commit = survey.history.batches()[0].commit.unwrap().0;
    let sections = log.archive().sections(commit).unwrap();
    assert_eq!(format!("{sections:?}"), format!("Sections {{ log/{commit:020} }}"));
}
