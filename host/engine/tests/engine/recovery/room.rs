//! Checkpoints with too little room: a budget, a disk that is nearly full, a disk that is full.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Arc, Mutex},
};

use tidemill_checkpoint::{Budget, Fault, Keep, Operation, Storage};
use tidemill_engine::{
    RunError,
    checkpoint::{Point, SnapshotAfter},
};
use tidemill_model::time::Timestamp;

use super::{
    BATCHES, at, check_like,
    world::{AtOnce, Ended, OnPoint, Stop, World},
};

/// Batches of the pipeline below, each with a row of its own and one of a key that all have.
const MANY: i64 = 60;

/// Words that come in a second of the stream that cannot be read again.
const LIVE: [(i64, &[&str]); 3] = [(1, &["live-1", "all"]), (20, &["live-2"]), (45, &["live-3", "all"])];

pub fn many() -> World {
    let batches: Vec<String> =
        (0..MANY).map(|n| format!("[{{ word = \"w{n}\", count = {n} }}, {{ word = \"all\", count = 1 }}]")).collect();
    let text = format!(
        "[streams.in]\nqueue = {{ schema = \"word: text, count: integer\", batches = [{}] }}\n\
         [streams.live]\nqueue = {{ schema = \"word: text, count: integer\", batches = [] }}\n\
         [streams.both]\nfrom = [\"in\", \"live\"]\nunion = true\n\
         [streams.totals]\nfrom = \"both\"\nby = \"word\"\nupdate-state = \"wordcount/running-total\"\n\
         [outputs.rows]\nfrom = \"both\"\nprint = true\n[outputs.totals]\nfrom = \"totals\"\nprint = true\n",
        batches.join(", ")
    );
    World::new(&text, "live", &LIVE)
}

/// All rows of the output `rows`, and each word's last total, whatever the batches' times are.
pub fn result(world: &World) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut rows, mut totals) = (Vec::new(), BTreeMap::new());
    for ((output, _), of_batch) in world.rows_until(Timestamp(i64::MAX)) {
        if output == "rows" {
            rows.extend(of_batch);
        } else {
            totals.extend(of_batch.iter().map(|row| row.split_once(' ').unwrap()).map(|(w, n)| (w.into(), n.into())));
        }
    }
    rows.sort();
    (rows, totals)
}

/// How room was looked for.
#[derive(Default)]
struct Looks {
    /// At the last look there was too little.
    short: bool,
    /// Since the last batch.
    in_a_row: u64,
    most: u64,
    batches: u64,
}

fn used(world: &World) -> u64 {
    world.storage.files().values().map(|bytes| bytes.len() as u64).sum()
}

#[test]
fn a_disk_that_is_nearly_full_gets_no_input_until_there_is_room() {
    let expect = many();
    assert_eq!(expect.run(None), Ended::Done);
    let full = used(&expect);
    for share in [0, 1, 4, 7] {
        let reserve = 20_000;
        let budget = Budget { bytes_max: None, free_bytes_min: reserve };
        // Nobody takes or makes room between a look of the run and what this test sees of it.
        let world = World { budget, workers: 1, spawn: Arc::new(AtOnce), ..many() };
        world.storage.set_capacity(Some(reserve + full * share / 8));
        let (storage, looks) = (world.storage.clone(), Arc::new(Mutex::new(Looks::default())));
        let seen = looks.clone();
        world.storage.set_faults(move |call| {
            if call.operation == Operation::Free {
                let mut seen = seen.lock().unwrap();
                seen.in_a_row += 1;
                seen.most = seen.most.max(seen.in_a_row);
                // If cleaning does not help, room comes back only after it was looked for often.
                if seen.in_a_row == 50 {
                    storage.set_capacity(None);
                }
                seen.short = storage.free_bytes().unwrap().is_some_and(|free| free < reserve);
            }
            Fault::None
        });
        let seen = looks.clone();
        // Other records than a batch's may be made while there is no room: that the last one is delivered, say.
        let on_point: OnPoint = Arc::new(move |point, after, _| {
            if (point, after) == (Point::Plan, false) {
                let mut seen = seen.lock().unwrap();
                assert!(!seen.short, "a batch was begun without room");
                (seen.in_a_row, seen.batches) = (0, seen.batches + 1);
            }
        });
        let world = World { on_point: Some(on_point), ..world };
        assert_eq!(world.run(None), Ended::Done);
        let seen = looks.lock().unwrap();
        assert!(share > 0 || seen.most >= 50, "it never waited");
        assert!(seen.batches > 0);
        assert_eq!(result(&world), result(&expect), "{share}");
    }
}

#[test]
fn a_run_lives_within_its_budget() {
    let keep = Keep { batches: 1_000, bytes: 1 << 30 };
    let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max: 1_000 };
    let free = World { keep, snapshot_after, ..many() };
    assert_eq!(free.run(None), Ended::Done);
    let budget = used(&free) / 3;
    let world = World { budget: Budget { bytes_max: Some(budget), free_bytes_min: 0 }, keep, snapshot_after, ..many() };
    let (storage, largest) = (world.storage.clone(), Arc::new(Mutex::new(0)));
    let seen = largest.clone();
    world.storage.set_faults(move |_| {
        let used: u64 = storage.files().values().map(|bytes| bytes.len() as u64).sum();
        let mut largest = seen.lock().unwrap();
        *largest = used.max(*largest);
        Fault::None
    });
    assert_eq!(world.run(None), Ended::Done);
    let largest = *largest.lock().unwrap();
    assert_eq!(result(&world), result(&free));
    // Beyond the budget go the batch that was begun, and the snapshot that makes room.
    assert!(largest < budget * 3 / 2, "{largest} of {budget}");
}

#[test]
fn a_snapshot_that_fails_while_room_is_waited_for_is_made_later() {
    let keep = Keep { batches: 1_000, bytes: 1 << 30 };
    let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max: 1_000 };
    let free = World { keep, snapshot_after, ..many() };
    assert_eq!(free.run(None), Ended::Done);
    let budget = used(&free) / 3;
    let world = World { budget: Budget { bytes_max: Some(budget), free_bytes_min: 0 }, keep, snapshot_after, ..many() };
    let storage = world.storage.clone();
    let (mut made, mut fails_when_short) = (0, 3);
    world.storage.set_faults(move |call| {
        if call.operation != Operation::Draft {
            return Fault::None;
        }
        let used: u64 = storage.files().values().map(|bytes| bytes.len() as u64).sum();
        // One early, one late, and the one that makes room not at once.
        let is_made = match made {
            0 => true,
            1 => used > budget / 10 * 8,
            _ => fails_when_short == 0,
        };
        made += i32::from(is_made);
        fails_when_short -= i32::from(!is_made && made == 2 && used > budget);
        if is_made { Fault::None } else { Fault::Before }
    });
    assert_eq!(world.run(None), Ended::Done);
    assert_eq!(result(&world), result(&free));
}

#[test]
fn one_snapshot_alone_makes_room_where_there_can_be_no_other() {
    let keep = Keep { batches: 1_000, bytes: 1 << 30 };
    let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max: 1_000 };
    let expect = many();
    assert_eq!(expect.run(None), Ended::Done);
    // Without a snapshot yet; the next run has a budget, and makes its first one when it has no room already.
    let before = World { keep, snapshot_after, ..many() };
    let stop = Stop { point: Point::Deliver, after: true, batch: at(40) };
    assert_eq!(before.run(Some(stop)), Ended::Stopped);
    for part in [2, 4] {
        let budget = Budget { bytes_max: Some(used(&before) / part), free_bytes_min: 0 };
        // The snapshot is made at once: on a thread it would take real time, while the clock takes none.
        let world = World { budget, workers: 1, spawn: Arc::new(AtOnce), ..before.copy() };
        let looks = Mutex::new(0);
        world.storage.set_faults(move |call| {
            let mut looks = looks.lock().unwrap();
            *looks = if call.operation == Operation::Free { *looks + 1 } else { *looks };
            if call.name.starts_with("log/") && call.operation == Operation::Create {
                *looks = 0;
            }
            assert!(*looks < 1_000, "it waits for ever");
            Fault::None
        });
        assert_eq!(world.run(None), Ended::Done, "a {part}th");
        assert_eq!(result(&world), result(&expect));
    }
}

#[test]
fn a_full_disk_stops_the_run_and_nothing_is_lost() {
    // Without words of a peer that cannot know which of them were logged: what it sent last is lost with the process.
    let world = || World::new(super::PIPELINE, "live", &[]);
    let expect = world();
    assert_eq!(expect.run(None), Ended::Done);
    let (full, mut stops, mut tries) = (used(&expect), 0, 0);
    for capacity in (0..full + 1_000).step_by(1_009) {
        let world = world();
        world.storage.set_capacity(Some(capacity));
        let error = world.open().and_then(|mut run| run.run()).err();
        tries += 1;
        stops += usize::from(error.is_some());
        if let Some(error) = error {
            let said = error.to_string();
            assert!(said.contains("the disk is full; make room and run again"), "{capacity}: {said}");
            assert!(matches!(error, RunError::Checkpoint(_)), "{capacity}: {error:?}");
        }
        world.storage.set_capacity(None);
        assert_eq!(world.run(None), Ended::Done);
        check_like(&world, &expect, &format!("a disk of {capacity} bytes"));
        assert!(world.delivered_until(at(BATCHES)).len() > 10);
    }
    let _ = writeln!(std::io::stderr(), "{tries} sizes of disk, {stops} runs stopped by it, lost 0, duplicated 0");
    assert!(stops * 2 > tries, "{stops} of {tries}");
}

/// A world whose disk has too little room behind its batch 3, until it was looked so often; what is made of snapshots is
/// counted, and fails.
fn short_behind_3(looks_max: u64) -> (World, Arc<Mutex<Looks>>, Arc<Mutex<u64>>) {
    let snapshot_after = SnapshotAfter { bytes_min: u64::MAX, commits_max: usize::MAX };
    let world = World {
        budget: Budget { bytes_max: None, free_bytes_min: 1 },
        snapshot_after,
        workers: 1,
        spawn: Arc::new(AtOnce),
        ..many()
    };
    let (looks, begun) = (Arc::new(Mutex::new(Looks::default())), Arc::new(Mutex::new(0)));
    let (seen, drafts, storage) = (looks.clone(), begun.clone(), world.storage.clone());
    world.storage.set_faults(move |call| {
        let mut seen = seen.lock().unwrap();
        if call.operation == Operation::Free && seen.short {
            seen.in_a_row += 1;
            if seen.in_a_row > looks_max {
                seen.short = false;
                storage.set_capacity(None);
            }
        }
        if call.operation == Operation::Draft {
            *drafts.lock().unwrap() += 1;
            return Fault::Before;
        }
        Fault::None
    });
    let (seen, storage) = (looks.clone(), world.storage.clone());
    let on_point: OnPoint = Arc::new(move |point, after, batch| {
        if (point, after, batch) == (Point::Deliver, true, at(3)) {
            seen.lock().unwrap().short = true;
            storage.set_capacity(Some(0));
        }
    });
    (World { on_point: Some(on_point), ..world }, looks, begun)
}

#[test]
fn room_is_looked_for_once_a_second_and_the_next_batch_has_the_next_tick() {
    for looks in [1, 2, 10] {
        let (world, _, _) = short_behind_3(looks);
        assert_eq!(world.run(None), Ended::Done);
        let times = world.batches_of("rows");
        // The batch 3 ended at 3 s.
        assert_eq!(times[..4], [at(1), at(2), at(3), at(3 + looks as i64 + 1)], "{looks} looks");
    }
}

#[test]
fn a_snapshot_that_fails_is_tried_less_and_less_often() {
    // At the first look, and behind 1, 2, 4, 8, 16 and 32 of them.
    for (looks, tries) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (32, 6), (33, 7), (64, 7)] {
        let (world, seen, begun) = short_behind_3(looks);
        assert_eq!(world.run(None), Ended::Done);
        assert_eq!((*begun.lock().unwrap(), seen.lock().unwrap().in_a_row), (tries, looks + 1), "{looks}");
    }
}
