//! Every byte of every file, damaged or missing.

use std::{io::Write, sync::Arc};

use tidemill_checkpoint::{CheckpointError, InputLog, InputPosition, Log, MemoryStorage, Storage};
use tidemill_model::time::Timestamp;

use crate::scene::{PIPELINE, World, end, outbox, outputs, read, state};

/// What an opening leads to: sum and count, the numbers in the input log from the last batch's on, and those that are to be
/// delivered.
type Outcome = ((i64, i64), Vec<i64>, Vec<i64>);

#[derive(Debug, Default)]
struct Counts {
    refused: usize,
    unharmed: usize,
    passed_over: usize,
    fell_back: usize,
    cut: usize,
}

fn open(storage: &MemoryStorage, counts: &mut Counts) -> Result<Outcome, CheckpointError> {
    let storage = Arc::new(storage.copy());
    let (log, recovered) = Log::open(storage.clone(), PIPELINE, "next", Timestamp(9))?;
    let state = state(log.archive(), &recovered)?;
    let undelivered = recovered.undelivered.iter().map(|undelivered| outputs(&log, undelivered.number));
    let undelivered = undelivered.collect::<Result<Vec<_>, _>>()?.concat();
    let plans = recovered.planned.iter().map(|planned| &planned.plan);
    let last = recovered.last.as_ref().map(|last| &last.plan);
    let needed = plans.chain(last).map(end).max();
    let (input, cut) = InputLog::open(storage, log.fence(), needed, 1 << 20)?;
    let first = last.map_or(InputPosition { segment: 1, frames: 0 }, |plan| plan.sources[0].logged.unwrap().first);
    let logged = read(&input, first, input.position())?;
    counts.fell_back += usize::from(recovered.fell_back.is_some());
    counts.passed_over += usize::from(!log.damaged_snapshots().is_empty());
    counts.cut += usize::from(cut.is_some());
    Ok((state, logged, undelivered))
}

/// Opens with `bytes` in a file's place: an error, or what was there before, or what the documentation says.
fn check(storage: &MemoryStorage, name: &str, bytes: Vec<u8>, whole: &[Outcome], counts: &mut Counts) {
    let damaged = storage.copy();
    damaged.overwrite(name, bytes);
    let before = counts.fell_back + counts.cut + counts.passed_over;
    match open(&damaged, counts) {
        Err(_) => counts.refused += 1,
        Ok(outcome) if outcome == whole[0] => {
            counts.unharmed += usize::from(before == counts.fell_back + counts.cut + counts.passed_over);
        }
        Ok(outcome) => {
            assert!(before < counts.fell_back + counts.cut, "{name}: nothing was said");
            assert!(whole[1..].contains(&outcome), "{name}: {outcome:?}");
        }
    }
}

fn damage_all(storage: &MemoryStorage, file: &str, whole: &[Outcome]) -> Counts {
    let mut counts = Counts::default();
    let (mut files, mut tries) = (0, 0);
    for (name, bytes) in storage.files().into_iter().filter(|(name, _)| name.contains(file)) {
        files += 1;
        for at in 0..bytes.len() {
            check(storage, &name, bytes[..at].to_vec(), whole, &mut counts);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            check(storage, &name, flipped, whole, &mut counts);
            tries += 2;
        }
        check(storage, &name, [bytes.as_slice(), &[0]].concat(), whole, &mut counts);
    }
    let _ = writeln!(std::io::stderr(), "{files} files, {tries} truncations and flips: {counts:?}, no wrong data");
    counts
}

#[test]
fn a_finished_run_is_read_right_or_not_at_all() {
    let mut world = World::default();
    world.run(4).unwrap();
    let whole = open(&world.storage, &mut Counts::default()).unwrap();
    assert_eq!(whole, ((10, 4), vec![3, 4], vec![]));
    let counts = damage_all(&world.storage, "", &[whole, ((10, 4), vec![3, 4], vec![3, 4])]);
    // The newest record is `delivered`: without it, everything else is as it was.
    assert!(counts.fell_back > 100 && counts.passed_over > 1000 && counts.refused > 4000, "{counts:?}");
}

#[test]
fn a_run_that_stopped_after_its_commit_falls_back_to_the_plan() {
    let mut world = World::default();
    world.run(8).unwrap();
    let newest = world.storage.files().into_keys().rfind(|name| name.starts_with("log/")).unwrap();
    let stopped = world.storage.copy();
    stopped.remove(&newest).unwrap();
    let whole = open(&stopped, &mut Counts::default()).unwrap();
    let commit = stopped.files().into_keys().rfind(|name| name.starts_with("log/")).unwrap();
    assert_eq!(whole, ((36, 8), vec![7, 8], vec![7, 8]));
    // Batch 4 is run again; the input log is read from batch 3's input on.
    let counts = damage_all(&stopped, &commit, &[whole, ((21, 6), vec![5, 6, 7, 8], vec![])]);
    assert!(counts.fell_back > 2000 && counts.refused < 100, "{counts:?}");
}

/// A commit is damaged with its rows, which lie beside the record: if they are not whole, if they are another batch's, and if they
/// are not there.
#[test]
fn a_commit_whose_rows_are_damaged_falls_back_to_the_plan() {
    let mut world = World::default();
    world.run(6).unwrap();
    let newest = world.storage.files().into_keys().rfind(|name| name.starts_with("log/")).unwrap();
    let stopped = world.storage.copy();
    stopped.remove(&newest).unwrap();
    let whole = open(&stopped, &mut Counts::default()).unwrap();
    assert_eq!(whole, ((21, 6), vec![5, 6], vec![5, 6]));
    // Batch 3 is run again.
    let again = ((10, 4), vec![3, 4, 5, 6], vec![]);
    let name = stopped.files().into_keys().rfind(|name| name.starts_with("outbox/")).unwrap();
    let counts = damage_all(&stopped, &name, &[whole.clone(), again.clone()]);
    assert!(counts.fell_back > 3000 && counts.refused + counts.unharmed < 100, "{counts:?}");
    let other = other_rows();
    let mut counts = Counts::default();
    check(&stopped, &name, other, &[whole, again.clone()], &mut counts);
    stopped.remove(&name).unwrap();
    assert_eq!(open(&stopped, &mut counts).unwrap(), again);
    assert_eq!(counts.fell_back, 2);
}

/// Who puts files back is told of all of them at once.
#[test]
fn a_refusal_names_the_snapshots_that_are_damaged_as_well() {
    let mut world = World::default();
    world.run(8).unwrap();
    let of = |folder: &str| -> Vec<String> {
        world.storage.files().into_keys().filter(|name| name.starts_with(folder)).collect()
    };
    let (snapshots, records) = (of("state/"), of("log/"));
    assert!(snapshots.len() > 1, "{snapshots:?}");
    let refusal = |damaged: &[String], missing: &[String]| {
        let storage = world.storage.copy();
        damaged.iter().for_each(|name| storage.overwrite(name, vec![0; 100]));
        missing.iter().for_each(|name| storage.remove(name).unwrap());
        open(&storage, &mut Counts::default()).unwrap_err().to_string()
    };
    // The newest one is tried first.
    for count in 1..=snapshots.len() {
        let damaged: Vec<String> = snapshots.iter().rev().take(count).cloned().collect();
        let others = &snapshots[..snapshots.len() - count];
        let said = refusal(&damaged, &[others, &records[..1]].concat());
        assert!(said.contains(&format!(" (damaged as well: {})", damaged.join(", "))), "{count}: {said}");
    }
    let said = refusal(&[], &[&snapshots[..], &records[..1]].concat());
    assert!(!said.contains("damaged as well"), "{said}");
}

/// The first outbox of another checkpoint of the pipeline, which has other rows.
fn other_rows() -> Vec<u8> {
    let storage = Arc::new(MemoryStorage::new());
    let (log, _) = Log::open(storage.clone(), PIPELINE, "other", Timestamp(0)).unwrap();
    let mut outboxes = log.outboxes();
    outbox(&mut outboxes, &[1, 2]).unwrap();
    let two = outbox(&mut outboxes, &[70, 80]).unwrap();
    storage.files().remove(&format!("outbox/{:020}", two.number)).unwrap()
}

#[test]
fn an_input_log_without_its_end_is_cut() {
    let storage = MemoryStorage::new();
    let shared = Arc::new(storage.clone());
    let (log, _) = Log::open(shared.clone(), PIPELINE, "first", Timestamp(0)).unwrap();
    let (mut input, _) = InputLog::open(shared, log.fence(), None, 1 << 20).unwrap();
    for number in 1..=4 {
        input.append("numbers", None, &crate::scene::rows(&[number])).unwrap();
    }
    let whole: Vec<Outcome> = (0..=4).rev().map(|last| ((0, 0), (1..=last).collect(), vec![])).collect();
    let mut counts = Counts::default();
    let name = "input/00000000000000000001";
    let bytes = storage.files().remove(name).unwrap();
    for at in 0..bytes.len() {
        let shorter = storage.copy();
        shorter.overwrite(name, bytes[..at].to_vec());
        // Without whole chunks from the end, it is as if they had not come yet.
        let outcome = open(&shorter, &mut counts);
        assert!(outcome.is_err() || whole.contains(&outcome.unwrap()), "{at}");
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        check(&storage, name, flipped, &whole, &mut counts);
    }
    let _ = writeln!(std::io::stderr(), "an unsynced input log of {} bytes: {counts:?}", bytes.len());
    assert!(counts.cut > 1000, "{counts:?}");
}
