//! The input log.

use std::sync::Arc;

use tidemill_checkpoint::{
    CheckpointError, Fault, InputLog, InputPosition, Log, LoggedRange, MemoryStorage, Operation, Storage,
};
use tidemill_model::time::Timestamp;

use crate::scene::{PIPELINE, START, numbers, read, rows};

fn open(storage: &MemoryStorage, needed: Option<InputPosition>, bytes: u64) -> Result<InputLog, CheckpointError> {
    open_all(storage, needed, bytes).map(|(_, input)| input)
}

fn open_all(
    storage: &MemoryStorage,
    needed: Option<InputPosition>,
    bytes: u64,
) -> Result<(Log, InputLog), CheckpointError> {
    let shared = Arc::new(storage.clone());
    let (log, _) = Log::open(shared.clone(), PIPELINE, "host", Timestamp(0)).unwrap();
    let (input, _) = InputLog::open(shared, log.fence(), needed, bytes)?;
    Ok((log, input))
}

#[test]
fn every_range_gives_its_chunks_over_segments_and_openings() {
    let storage = MemoryStorage::new();
    let mut positions = vec![START];
    let mut last = 0;
    for opening in 0..3 {
        // Segments of one chunk, of a few, and of all.
        let mut input = open(&storage, positions.last().copied(), [1, 1000, 1 << 20][opening]).unwrap();
        for _ in 0..5 {
            last += 1;
            let position = input.append("numbers", u32::try_from(last).ok(), &rows(&[last])).unwrap();
            assert_eq!(position, input.sync().unwrap());
            positions.push(position);
        }
    }
    let input = open(&storage, positions.last().copied(), 1).unwrap();
    for (first_number, &first) in positions.iter().enumerate() {
        for (end_number, &end) in positions.iter().enumerate().skip(first_number) {
            let expect: Vec<i64> = (first_number as i64 + 1..=end_number as i64).collect();
            assert_eq!(read(&input, first, end).unwrap(), expect, "{first:?}..{end:?}");
        }
    }
    let all = LoggedRange { first: START, end: input.position() };
    for (number, frame) in (1..).zip(input.read(all)) {
        let frame = frame.unwrap();
        assert_eq!((frame.stream.as_str(), frame.partition), ("numbers", Some(number as u32)));
        assert_eq!(numbers(&frame.rows), [number]);
    }
}

#[test]
fn what_a_plan_needs_and_is_not_there_is_an_error() {
    let storage = MemoryStorage::new();
    let mut input = open(&storage, None, 1 << 20).unwrap();
    input.append("numbers", None, &rows(&[1])).unwrap();
    let one = input.sync().unwrap();
    let needed = input.append("numbers", None, &rows(&[2])).unwrap();
    storage.restart(|_, unsynced| unsynced / 2);
    for position in [needed, InputPosition { segment: 9, frames: 0 }] {
        assert!(matches!(open(&storage, Some(position), 1), Err(CheckpointError::InputLost { .. })));
    }
    let input = open(&storage, Some(one), 1).unwrap();
    assert_eq!(read(&input, START, input.position()).unwrap(), [1]);
    let beyond = LoggedRange { first: START, end: needed };
    assert!(matches!(input.read(beyond).last(), Some(Err(CheckpointError::InputLost { .. }))));
}

#[test]
fn damage_before_what_was_synced_is_no_torn_end() {
    let storage = MemoryStorage::new();
    let mut input = open(&storage, None, 1 << 20).unwrap();
    let header = storage.files()["input/00000000000000000001"].len();
    input.append("numbers", None, &rows(&[1])).unwrap();
    input.sync().unwrap();
    input.append("numbers", None, &rows(&[2])).unwrap();
    let mut bytes = storage.files()["input/00000000000000000001"].clone();
    bytes[header + 40] ^= 1;
    storage.overwrite("input/00000000000000000001", bytes);
    assert!(matches!(open(&storage, None, 1), Err(CheckpointError::InputLost { .. })));
}

#[test]
fn segments_go_when_nothing_needs_them() {
    let storage = MemoryStorage::new();
    let (log, mut input) = open_all(&storage, None, 1).unwrap();
    for number in 0..5 {
        input.append("numbers", None, &rows(&[number])).unwrap();
    }
    input.sync().unwrap();
    let kept = InputPosition { segment: 4, frames: 0 };
    assert_eq!(log.remove_input_before(kept).unwrap(), 3);
    assert_eq!(read(&input, kept, input.position()).unwrap(), [3, 4]);
    let gone = input.read(LoggedRange { first: START, end: kept }).next();
    assert!(matches!(gone, Some(Err(CheckpointError::InputLost { .. }))));
    assert_eq!(log.remove_input_before(InputPosition { segment: u64::MAX, frames: 0 }).unwrap(), 1);
    assert_eq!(open(&storage, None, 1).unwrap().position().segment, 6);
}

/// An empty one is left, so that its number and those before it never come again.
#[test]
fn all_of_it_goes_when_nobody_logs_any_more() {
    let storage = MemoryStorage::new();
    let (log, mut input) = open_all(&storage, None, 1).unwrap();
    for number in 0..3 {
        input.append("numbers", None, &rows(&[number])).unwrap();
    }
    let names = |storage: &MemoryStorage| -> Vec<String> {
        storage.list("input").unwrap().into_iter().map(|entry| entry.name).collect()
    };
    assert_eq!((log.remove_input().unwrap(), names(&storage)), (3, vec!["00000000000000000004".to_owned()]));
    assert_eq!(open(&storage, None, 1).unwrap().position().segment, 5);
    let storage = MemoryStorage::new();
    let (log, _) = Log::open(Arc::new(storage.clone()), "p", "host", Timestamp(0)).unwrap();
    assert_eq!((log.remove_input().unwrap(), names(&storage).len()), (0, 0));
}

#[test]
fn a_segment_ends_when_it_has_its_length() {
    let storage = MemoryStorage::new();
    let lengths = |storage: &MemoryStorage| -> Vec<u64> {
        storage.list("input").unwrap().into_iter().map(|entry| entry.bytes).collect()
    };
    let mut input = open(&storage, None, u64::MAX).unwrap();
    for number in 1..=3 {
        input.append("numbers", None, &rows(&[number])).unwrap();
    }
    let three = lengths(&storage)[0];
    for (bytes, expect) in [(three - 1, 3), (three, 3), (three + 1, 4)] {
        let storage = MemoryStorage::new();
        let mut input = open(&storage, None, bytes).unwrap();
        for number in 1..=8 {
            input.append("numbers", None, &rows(&[number])).unwrap();
        }
        let chunks = (1..=8).find(|frames| input.read(whole(1, *frames)).any(|frame| frame.is_err())).unwrap_or(9) - 1;
        assert_eq!(chunks, expect, "a segment of {bytes} bytes");
    }
    // However short: a segment has one chunk at least.
    let storage = MemoryStorage::new();
    let mut input = open(&storage, None, 0).unwrap();
    input.append("numbers", None, &rows(&[1])).unwrap();
    assert_eq!(input.position(), InputPosition { segment: 1, frames: 1 });
}

/// So many chunks of a segment.
fn whole(segment: u64, frames: u64) -> LoggedRange {
    LoggedRange { first: InputPosition { segment, frames: 0 }, end: InputPosition { segment, frames } }
}

#[test]
fn a_streams_name_has_its_limit() {
    let storage = MemoryStorage::new();
    let mut input = open(&storage, None, 1 << 20).unwrap();
    let longest = "n".repeat(tidemill_checkpoint::HEADER_BYTES_MAX / 2);
    let end = input.append(&longest, None, &rows(&[1])).unwrap();
    let error = input.append(&format!("{longest}n"), None, &rows(&[2])).unwrap_err();
    assert!(matches!(error, CheckpointError::OutOfOrder { .. }), "{error}");
    input.sync().unwrap();
    let frames: Vec<_> = input.read(LoggedRange { first: START, end }).map(|frame| frame.unwrap().stream).collect();
    assert!(frames == [longest]);
}

/// Other hosts that were fenced off begin segments all the time: so often another number is tried.
#[test]
fn a_segments_number_is_tried_so_often() {
    for (taken, is_begun) in [(0, true), (15, true), (16, false)] {
        let storage = MemoryStorage::new();
        let mut input = open(&storage, None, 1).unwrap();
        input.append("numbers", None, &rows(&[1])).unwrap();
        let beginning = storage.files()["input/00000000000000000001"].clone();
        // What it is does not matter here: the number is taken.
        (2..2 + taken).for_each(|segment| storage.overwrite(&format!("input/{segment:020}"), beginning.clone()));
        match input.append("numbers", None, &rows(&[2])) {
            Ok(position) => assert_eq!((position.segment, is_begun), (2 + taken, true)),
            Err(error) => assert!(matches!(error, CheckpointError::Contended { .. }) && !is_begun, "{taken}: {error}"),
        }
    }
}

/// A host that was fenced off may be removing still what no plan needs, while the next one looks where the log ends.
#[test]
fn segments_that_go_while_the_end_is_looked_for_are_not_missed() {
    for newest_gone in 1..=5u64 {
        let storage = MemoryStorage::new();
        let mut input = open(&storage, None, 1).unwrap();
        (1..=5).for_each(|number| _ = input.append("numbers", None, &rows(&[number])).unwrap());
        let needed = input.sync().unwrap();
        assert_eq!(needed.segment, 5);
        let earlier = storage.clone();
        let last = format!("input/{newest_gone:020}");
        storage.set_faults(move |call| {
            if call.name == last {
                (1..=newest_gone).for_each(|segment| earlier.remove(&format!("input/{segment:020}")).unwrap());
            }
            Fault::None
        });
        let opened = open(&storage, Some(needed), 1);
        storage.clear_faults();
        if newest_gone == 5 {
            assert!(matches!(opened, Err(CheckpointError::InputLost { .. })), "what is needed has gone");
        } else {
            let from = InputPosition { segment: 5, frames: 0 };
            assert_eq!(read(&opened.unwrap(), from, needed).unwrap(), [5], "{newest_gone}");
        }
    }
}

/// What is durable is not made durable again: that costs a call of the disk, and one of the log.
#[test]
fn a_sync_of_nothing_new_asks_for_nothing() {
    let storage = MemoryStorage::new();
    let mut input = open(&storage, None, 1 << 20).unwrap();
    for number in 0..3 {
        let before = storage.calls();
        let end = input.sync().unwrap();
        assert_eq!((storage.calls(), end), (before, input.position()), "{number}");
        input.append("numbers", None, &rows(&[number])).unwrap();
        input.sync().unwrap();
        assert!(storage.calls() > before + 1);
    }
}

/// The host before goes on adding to its segment while the next one looks for the end. Only what is durable may count: at every
/// call of that look another chunk comes, and in the end the power is cut.
#[test]
fn what_a_host_before_adds_meanwhile_does_not_count_unless_it_is_durable() {
    for only_at in [Operation::Appender, Operation::Sync, Operation::Read] {
        let storage = MemoryStorage::new();
        let mut first = open(&storage, None, 1 << 20).unwrap();
        let needed = first.append("numbers", None, &rows(&[0])).unwrap();
        first.sync().unwrap();
        let (mut next, mut added) = (1, 0);
        storage.set_faults(move |call| {
            // What this does itself is not seen here.
            if call.operation == only_at && call.name == "input/00000000000000000001" && added < 8 {
                first.append("numbers", None, &rows(&[next])).unwrap();
                (next, added) = (next + 1, added + 1);
            }
            Fault::None
        });
        let second = open(&storage, Some(needed), 1 << 20).unwrap();
        let end = second.position();
        storage.set_faults(|_| Fault::None);
        storage.restart(|_, _| 0);
        let third = open(&storage, Some(needed), 1 << 20).unwrap();
        let numbers = read(&third, START, end).unwrap();
        assert_eq!(numbers, (0..numbers.len() as i64).collect::<Vec<_>>(), "{only_at:?}");
    }
}

/// Chunks come on while those before are made durable. A crash leaves what was there when that was begun.
#[test]
fn a_sync_covers_what_was_there_when_it_was_begun() {
    let begun = || {
        let storage = MemoryStorage::new();
        let mut input = open(&storage, None, 1).unwrap();
        let first = input.append("numbers", None, &rows(&[1])).unwrap();
        let sync = input.begin_sync().unwrap().expect("something is to be made durable");
        // The segment is full: it goes on as long as it is not known how much of it is durable.
        let second = input.append("numbers", None, &rows(&[2])).unwrap();
        assert_eq!((first.segment, second.segment, second.frames), (1, 1, 2));
        sync.finish().unwrap();
        (storage, input, first, second)
    };
    let (crashed, _, first, second) = begun();
    crashed.restart(|_, _| 0);
    assert!(matches!(open(&crashed, Some(second), 1), Err(CheckpointError::InputLost { .. })));
    assert_eq!(read(&open(&crashed, Some(first), 1).unwrap(), START, first).unwrap(), [1]);
    let (storage, mut input, ..) = begun();
    let third = input.append("numbers", None, &rows(&[3])).unwrap();
    assert_eq!((third.segment, third.frames), (2, 1), "it has ended, with all that it has");
    assert_eq!(input.sync().unwrap(), third);
    assert!(input.begin_sync().unwrap().is_none(), "all is durable");
    storage.restart(|_, _| 0);
    assert_eq!(read(&open(&storage, Some(third), 1).unwrap(), START, third).unwrap(), [1, 2, 3]);
}

/// Whatever becomes of a sync that was handed on: nothing is added behind what may be missing.
#[test]
fn nothing_is_logged_behind_a_sync_that_failed() {
    for is_dropped in [false, true] {
        let storage = MemoryStorage::new();
        let mut input = open(&storage, None, 1 << 20).unwrap();
        input.append("numbers", None, &rows(&[1])).unwrap();
        let sync = input.begin_sync().unwrap().expect("something is to be made durable");
        storage.set_faults(|call| if call.operation == Operation::Sync { Fault::Before } else { Fault::None });
        match is_dropped {
            true => drop(sync),
            false => assert!(matches!(sync.finish(), Err(CheckpointError::Storage(_)))),
        }
        storage.set_faults(|_| Fault::None);
        assert!(matches!(input.append("numbers", None, &rows(&[2])), Err(CheckpointError::InputFailed { .. })));
        assert!(matches!(input.sync(), Err(CheckpointError::InputFailed { .. })));
    }
    // And of one that was done by a host which had been overtaken.
    let storage = MemoryStorage::new();
    let mut input = open(&storage, None, 1 << 20).unwrap();
    input.append("numbers", None, &rows(&[1])).unwrap();
    let sync = input.begin_sync().unwrap().expect("something is to be made durable");
    let _later = open(&storage, None, 1 << 20).unwrap();
    assert!(matches!(sync.finish(), Err(CheckpointError::Fenced { .. })));
    assert!(matches!(input.append("numbers", None, &rows(&[2])), Err(CheckpointError::InputFailed { .. })));
}
