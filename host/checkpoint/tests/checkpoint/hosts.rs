//! Two hosts on one checkpoint, and checkpoints that are none of ours.

use std::{
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
};

use tidemill_checkpoint::{
    CheckpointError, Fault, InputLog, Keep, Log, MemoryStorage, Operation, Record, SectionKind, Start, Storage,
    StorageError, VERSION,
};
use tidemill_model::time::Timestamp;

use crate::{
    counted::Counted,
    scene::{PIPELINE, START, World, commit, plan, read, rows, section},
};

fn open(storage: &MemoryStorage, host: &str) -> Log {
    Log::open(Arc::new(storage.clone()), PIPELINE, host, Timestamp(0)).unwrap().0
}

#[track_caller]
fn fenced<T: std::fmt::Debug>(result: Result<T, CheckpointError>) {
    match result {
        Err(CheckpointError::Fenced { generation: 2, host }) => assert_eq!(host, "second"),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn the_later_claim_wins_and_the_earlier_host_can_write_nothing() {
    let storage = MemoryStorage::new();
    let mut first = open(&storage, "first");
    assert_eq!(first.fence().generation(), 1);
    let (mut input, _) = InputLog::open(Arc::new(storage.clone()), first.fence(), None, 1 << 20).unwrap();
    input.append("numbers", None, &rows(&[1])).unwrap();
    input.sync().unwrap();
    let batch = Timestamp(1_000_000);
    let number = first.append(Record::Plan(plan(batch, None, None)), &[]).unwrap();
    first.fence().check().unwrap();
    let mut second = open(&storage, "second");
    let files = storage.files();
    for _ in 0..2 {
        fenced(first.append(Record::Commit(commit(batch, number, 1)), &[section(SectionKind::State, &[1, 1])]));
        fenced(first.clean(Keep { batches: 0, bytes: 0 }));
        fenced(first.fence().check());
    }
    fenced(first.remove_input_before(input.position()));
    fenced(first.remove_input());
    assert_eq!(storage.files(), files);
    input.append("numbers", None, &rows(&[2])).unwrap();
    fenced(input.sync());
    assert!(matches!(input.sync(), Err(CheckpointError::InputFailed { .. })));
    second.append(Record::Commit(commit(batch, number, 1)), &[]).unwrap();
}

/// A host at work adds a record whenever another one is about to claim: each new look is for that record, not for the whole log.
#[test]
fn a_host_that_keeps_losing_its_claim_reads_what_is_old_no_more_often() {
    const RECORDS: i64 = 60;
    const LOST: i64 = 12;
    let storage = MemoryStorage::new();
    let mut first = open(&storage, "first");
    let mut add = move |batch: i64| {
        let before = (batch > 1).then_some(Timestamp((batch - 1) * 1_000_000));
        let batch = Timestamp(batch * 1_000_000);
        let number = first.append(Record::Plan(plan(batch, None, before)), &[]).unwrap();
        first.append(Record::Commit(commit(batch, number, 1)), &[section(SectionKind::State, &[1, 1])]).unwrap();
    };
    (1..=RECORDS).for_each(&mut add);
    let old = storage.files();
    let added = AtomicI64::new(0);
    let add = Mutex::new(move || {
        let lost = added.fetch_add(1, Ordering::Relaxed);
        if lost < LOST {
            add(RECORDS + 1 + lost);
        }
    });
    let is_adding = AtomicBool::new(false);
    storage.set_faults(move |call| {
        if call.operation == Operation::Create && !is_adding.swap(true, Ordering::Relaxed) {
            add.lock().unwrap()();
            is_adding.store(false, Ordering::Relaxed);
        }
        Fault::None
    });
    let counted = Arc::new(Counted::new(Arc::new(storage.clone())));
    let (log, recovery) = Log::open(counted.clone(), PIPELINE, "second", Timestamp(0)).unwrap();
    assert_eq!(recovery.last.unwrap().commit.batch, Timestamp((RECORDS + LOST) * 1_000_000));
    assert!(log.records().len() as i64 > 2 * (RECORDS + LOST));
    // Its beginning and, if a run would go on from it, all of it, before the claims and behind the one that was made.
    for (name, bytes) in counted.take_read().into_iter().filter(|(name, _)| old.contains_key(name)) {
        let most = 8 * old[&name].len() as u64;
        assert!(bytes <= most, "{name}: {bytes} bytes, at most {most}");
    }
}

/// The calls that a second host makes to take over a log of so many records, while the first one adds a record whenever the second
/// one is about to claim, so many times.
fn calls_to_take_over(records: i64, lost: i64) -> usize {
    let storage = MemoryStorage::new();
    let mut first = open(&storage, "first");
    let archive = first.archive().clone();
    let mut add = move |batch: i64| {
        let before = (batch > 1).then_some(Timestamp((batch - 1) * 1_000_000));
        let batch = Timestamp(batch * 1_000_000);
        let number = first.append(Record::Plan(plan(batch, None, before)), &[]).unwrap();
        first.append(Record::Commit(commit(batch, number, 1)), &[section(SectionKind::State, &[1, 1])]).unwrap()
    };
    let batches = records / 2;
    let newest = (1..=batches).map(&mut add).last().unwrap();
    archive.write_snapshot(newest, [Ok(section(SectionKind::State, &[1, 1]))]).unwrap();
    let (added, calls) = (AtomicI64::new(0), Arc::new(AtomicUsize::new(0)));
    let add = Mutex::new(add);
    let (is_adding, counted) = (AtomicBool::new(false), calls.clone());
    storage.set_faults(move |call| {
        if is_adding.load(Ordering::Relaxed) {
            return Fault::None;
        }
        counted.fetch_add(1, Ordering::Relaxed);
        if call.operation == Operation::Create && added.load(Ordering::Relaxed) < lost {
            is_adding.store(true, Ordering::Relaxed);
            add.lock().unwrap()(batches + 1 + added.fetch_add(1, Ordering::Relaxed));
            is_adding.store(false, Ordering::Relaxed);
        }
        Fault::None
    });
    let (_, recovery) = Log::open(Arc::new(storage), PIPELINE, "second", Timestamp(0)).unwrap();
    assert_eq!(recovery.last.unwrap().commit.batch, Timestamp((batches + lost) * 1_000_000));
    calls.load(Ordering::Relaxed)
}

/// What it takes to be faster than a host at work does not depend on how long the log is; and what is there is read once.
#[test]
fn a_log_of_any_length_is_taken_from_a_host_at_work_with_few_calls() {
    for records in [10, 1_000, 4_000] {
        let from_nobody = calls_to_take_over(records, 0);
        assert!(from_nobody <= records as usize + 60, "{records} records: {from_nobody} calls");
        for lost in [1, 12, 60] {
            let more = calls_to_take_over(records, lost) - from_nobody;
            // Each time a claim that fails, and a look at the two records that were faster; and these, once it is claimed.
            assert!(more as i64 <= 10 * lost + 20, "{records} records, {lost} times: {more} calls more");
        }
    }
}

#[test]
fn of_two_claims_at_once_one_is_made_anew_above_the_other() {
    let racing = |mut others: usize| {
        let storage = MemoryStorage::new();
        let other = storage.clone();
        storage.set_faults(move |call| {
            if call.operation == Operation::Create && others > 0 {
                others -= 1;
                open(&other, "faster");
            }
            Fault::None
        });
        Log::open(Arc::new(storage), PIPELINE, "slower", Timestamp(0))
    };
    let (log, _) = racing(3).unwrap();
    assert_eq!(log.fence().generation(), 4);
    assert_eq!(racing(15).unwrap().0.fence().generation(), 16, "it is tried 16 times");
    assert!(matches!(racing(16), Err(CheckpointError::Contended { .. })));
}

/// While the first host is at a call, a second one takes over and does `second_last` numbers; then the first one goes on.
fn take_over_at(call: u64, second_last: i64) -> (bool, u64) {
    const LAST: i64 = 14;
    let mut first = World::default();
    let second = Arc::new(Mutex::new(World { storage: first.storage.clone(), openings: 100, ..World::default() }));
    let taking = second.clone();
    first.storage.set_faults(move |now| {
        if now.number == call {
            taking.lock().unwrap().run(second_last).unwrap();
        }
        Fault::None
    });
    let result = first.run(LAST);
    let calls = first.storage.calls();
    first.storage.clear_faults();
    let second = second.lock().unwrap();
    // It may also miss what the second host has cleaned away.
    let is_missing = matches!(&result, Err(CheckpointError::Storage(StorageError::NotFound { .. })))
        || matches!(&result, Err(CheckpointError::InputLost { .. }));
    let is_fenced = is_missing || matches!(result, Err(CheckpointError::Fenced { .. }));
    assert!(is_fenced || result.is_ok(), "call {call}: {result:?}");
    assert!(!is_fenced || first.acknowledged <= second.found, "call {call}: lost what was acknowledged");
    for (batch, numbers) in &second.sink {
        assert_eq!(first.sink.entry(*batch).or_insert_with(|| numbers.clone()), numbers, "call {call}");
    }
    first.run(LAST).unwrap();
    first.check(LAST);
    (is_fenced, calls)
}

#[test]
fn a_host_that_wakes_up_after_a_take_over_harms_nothing() {
    let (_, calls) = take_over_at(u64::MAX, 0);
    let mut fenced = 0;
    for call in 0..calls {
        for second_last in [1, 14] {
            fenced += usize::from(take_over_at(call, second_last).0);
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "{calls} calls, {} take-overs, {fenced} hosts fenced off, nothing lost, nothing twice",
        calls * 2
    );
    assert!(fenced > 100);
}

/// A host's next batches, with a snapshot after each; nothing more is kept than what is needed.
fn work(log: &mut Log, batches: std::ops::Range<i64>) -> Result<(), CheckpointError> {
    for batch in batches.map(|batch| Timestamp(batch * 1_000_000)) {
        let plan = log.append(Record::Plan(plan(batch, None, None)), &[])?;
        let state = section(SectionKind::State, &[1, 1]);
        let number = log.append(Record::Commit(commit(batch, plan, 1)), std::slice::from_ref(&state))?;
        log.append(Record::Delivered { batch }, &[])?;
        log.archive().write_snapshot(number, [Ok(state)])?;
        log.clean(Keep { batches: 0, bytes: 0 })?;
    }
    Ok(())
}

#[test]
fn a_host_that_sleeps_while_it_opens_takes_no_number_that_was_cleaned_away() {
    let mut holes = 0;
    for sleeps_at in 0.. {
        let storage = MemoryStorage::new();
        let mut first = open(&storage, "first");
        work(&mut first, 1..4).unwrap();
        let (first, begin) = (Arc::new(Mutex::new(first)), storage.calls());
        let running = first.clone();
        storage.set_faults(move |call| {
            if call.number == begin + sleeps_at {
                // After the claim it is fenced off.
                let _ = work(&mut running.lock().unwrap(), 4..9);
            }
            Fault::None
        });
        let (mut second, _) =
            Log::open(Arc::new(storage.clone()), PIPELINE, "second", Timestamp(0)).unwrap_or_else(|error| {
                unreachable!("asleep at call {sleeps_at}: {error}");
            });
        let is_over = storage.calls() <= begin + sleeps_at;
        storage.clear_faults();
        holes += usize::from(second.fence().generation() > 2);
        let batch = Timestamp(9_000_000);
        let late = first.lock().unwrap().append(Record::Plan(plan(batch, None, None)), &[]);
        assert!(matches!(late, Err(CheckpointError::Fenced { .. })), "asleep at call {sleeps_at}: {late:?}");
        second.append(Record::Plan(plan(batch, None, None)), &[]).unwrap();
        if is_over {
            break;
        }
    }
    assert!(holes > 0, "no number was free because it was cleaned away");
}

#[test]
fn a_segment_that_a_fenced_off_host_begins_late_counts_for_nobody() {
    let storage = MemoryStorage::new();
    let shared: Arc<dyn Storage> = Arc::new(storage.clone());
    open(&storage, "first");
    let second = open(&storage, "second");
    let (mut input, _) = InputLog::open(shared.clone(), second.fence(), None, 1).unwrap();
    input.append("numbers", None, &rows(&[1])).unwrap();
    input.sync().unwrap();
    // What the first host makes if it slept right before.
    let elsewhere = MemoryStorage::new();
    let first = open(&elsewhere, "first");
    let (mut late, _) = InputLog::open(Arc::new(elsewhere.clone()), first.fence(), None, 1).unwrap();
    late.append("numbers", None, &rows(&[77])).unwrap();
    late.append("numbers", None, &rows(&[78])).unwrap();
    let name = "input/00000000000000000002";
    storage.overwrite(name, elsewhere.files().remove(name).unwrap());
    input.append("numbers", None, &rows(&[2])).unwrap();
    input.append("numbers", None, &rows(&[3])).unwrap();
    let end = input.sync().unwrap();
    assert_eq!(end.segment, 4);
    assert_eq!(read(&input, START, end).unwrap(), [1, 2, 3]);
    let third = open(&storage, "third");
    let (input, _) = InputLog::open(shared, third.fence(), Some(end), 1).unwrap();
    assert_eq!(read(&input, START, input.position()).unwrap(), [1, 2, 3]);
}

#[test]
fn what_is_not_this_pipelines_checkpoint_is_refused_and_left() {
    let mut world = World::default();
    world.run(4).unwrap();
    let check = |change: &dyn Fn(&MemoryStorage), pipeline: &str, expect: &str| {
        let storage = world.storage.copy();
        change(&storage);
        let files = storage.files();
        let error = Log::open(Arc::new(storage.clone()), pipeline, "next", Timestamp(0)).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        let message = format!("{error}: {source}");
        assert!(message.contains(expect), "{message}");
        assert_eq!(storage.files(), files);
    };
    let remove = |storage: &MemoryStorage, folder: &str| {
        let names = storage.files().into_keys().filter(|name| name.starts_with(folder));
        names.for_each(|name| storage.remove(&name).unwrap());
    };
    check(&|_| {}, "other", "is the checkpoint of the pipeline `sums`, not of `other`");
    check(&|storage| storage.overwrite("log/notes.txt", vec![1]), PIPELINE, "log/notes.txt");
    check(&|storage| storage.overwrite("log/00000000000000000099", vec![1; 99]), PIPELINE, "not a file of a Tidemill");
    check(&|storage| remove(storage, "log/"), PIPELINE, "its log is gone");
    let input_alone = |storage: &MemoryStorage| {
        remove(storage, "log/");
        remove(storage, "state/");
    };
    check(&input_alone, PIPELINE, "its log is gone");
    let newer = |storage: &MemoryStorage| {
        let (name, mut bytes) = storage.files().into_iter().rfind(|(name, _)| name.starts_with("log/")).unwrap();
        bytes[8] = VERSION as u8 + 1;
        let checksum = crc32c::crc32c(&bytes[..28]);
        bytes[28..32].copy_from_slice(&checksum.to_le_bytes());
        storage.overwrite(&name, bytes);
    };
    check(&newer, PIPELINE, &format!("format version {}", VERSION + 1));
}

#[test]
fn records_come_in_order() {
    let storage = MemoryStorage::new();
    let mut log = open(&storage, "first");
    let batch = Timestamp(1_000_000);
    let refused = |log: &mut Log, record: Record| {
        assert!(matches!(log.append(record, &[]), Err(CheckpointError::OutOfOrder { .. })));
    };
    refused(&mut log, Record::Claim { host: "x".to_owned(), at: batch });
    refused(&mut log, Record::Delivered { batch });
    refused(&mut log, Record::Commit(commit(batch, 1, 0)));
    refused(&mut log, Record::Plan(plan(batch, None, Some(batch))));
    let start = || Record::Start(Start { sources: Vec::new(), tables: Vec::new() });
    log.append(start(), &[section(SectionKind::State, &[1])]).unwrap();
    let number = log.append(Record::Plan(plan(batch, None, None)), &[]).unwrap();
    // Of a source that is new while a batch is run again.
    log.append(start(), &[]).unwrap();
    refused(&mut log, Record::Commit(commit(Timestamp(2), number, 0)));
    log.append(Record::Commit(commit(batch, number, 0)), &[]).unwrap();
    refused(&mut log, Record::Commit(commit(batch, number, 0)));
    refused(&mut log, Record::Plan(plan(batch, None, None)));
    log.append(Record::Delivered { batch }, &[]).unwrap();
    assert_eq!(log.records().len(), 6);
}

/// After a record of which it is not known whether it is there, nothing more is written: it could stand upon it, or not.
#[test]
fn nothing_follows_a_record_that_is_uncertain() {
    let batch = Timestamp(1_000_000);
    let record = || Record::Plan(plan(batch, None, None));
    // The number is taken by what is neither this record nor a later claim, cannot be read, or cannot be made durable.
    let other = MemoryStorage::new();
    open(&other, "first").append(Record::Plan(plan(Timestamp(2_000_000), None, None)), &[]).unwrap();
    let name = format!("log/{:020}", 2);
    for case in 0..5 {
        let storage = MemoryStorage::new();
        let mut log = open(&storage, "first");
        if case == 0 || case == 4 {
            storage.overwrite(&name, other.files()[&name].clone());
        }
        let of_next = name.clone();
        storage.set_faults(move |call| match (call.operation, case) {
            (Operation::Create, 1) if call.name == of_next => Fault::Before,
            (Operation::Create, 2 | 3) if call.name == of_next => Fault::After,
            (Operation::Read, 1 | 2 | 4) if call.name == of_next => Fault::Before,
            (Operation::Settle, 3) => Fault::Before,
            _ => Fault::None,
        });
        let first = log.append(record(), &[]);
        storage.clear_faults();
        assert!(matches!(first, Err(CheckpointError::Uncertain { .. })), "{case}: {first:?}");
        let files = storage.files();
        for _ in 0..2 {
            let again = log.append(record(), &[]);
            assert!(matches!(again, Err(CheckpointError::Uncertain { .. })), "{case}: {again:?}");
        }
        assert_eq!(storage.files(), files, "{case}");
    }
}

/// What a budget is compared with are the files that there are, also when some have been cleaned away.
#[test]
fn the_bytes_in_use_are_those_of_the_files() {
    let mut world = World::default();
    world.run(8).unwrap();
    let mut log = open(&world.storage, "next");
    let bytes = |storage: &MemoryStorage| storage.files().values().map(|content| content.len() as u64).sum::<u64>();
    assert_eq!(log.usage().bytes().unwrap(), bytes(&world.storage));
    let before = log.records().len();
    let batch = Timestamp(100_000_000);
    let number = log.append(Record::Plan(plan(batch, None, None)), &[]).unwrap();
    let number =
        log.append(Record::Commit(commit(batch, number, 8)), &[section(SectionKind::State, &[36, 8])]).unwrap();
    log.append(Record::Delivered { batch }, &[]).unwrap();
    for _ in 0..2 {
        let state = [Ok(section(SectionKind::State, &[36, 8]))];
        log.archive().write_snapshot(number, state).unwrap();
        log.rely_on(number).unwrap();
        assert_eq!(log.usage().bytes().unwrap(), bytes(&world.storage));
    }
    assert!(log.records().len() < before, "{} records", log.records().len());
    let there = world.storage.files().into_keys().filter(|name| name.starts_with("log/")).count();
    assert_eq!(log.records().len(), there);
}

/// A snapshot that was found damaged is removed when it is cleaned, and never relied upon.
#[test]
fn a_damaged_snapshot_is_cleaned_away_and_spares_what_is_needed_without_it() {
    let mut world = World::default();
    world.run(8).unwrap();
    let whole = || {
        let (log, recovered) = Log::open(Arc::new(world.storage.copy()), PIPELINE, "x", Timestamp(9)).unwrap();
        (crate::scene::state(log.archive(), &recovered).unwrap(), recovered.snapshot)
    };
    let (state, newest) = whole();
    let name = format!("state/{:020}", newest.unwrap());
    let mut content = world.storage.files()[&name].clone();
    *content.last_mut().unwrap() ^= 1;
    world.storage.overwrite(&name, content);
    let mut log = open(&world.storage, "next");
    assert_eq!(log.damaged_snapshots(), [newest.unwrap()]);
    log.clean(Keep { batches: 0, bytes: 0 }).unwrap();
    assert!(!world.storage.files().contains_key(&name), "{:?}", world.storage.files().keys());
    assert!(log.damaged_snapshots().is_empty());
    assert_eq!(whole().0, state);
}
