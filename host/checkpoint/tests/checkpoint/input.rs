//! The input log.

use std::sync::Arc;

use tidemill_checkpoint::{CheckpointError, InputLog, InputPosition, Log, LoggedRange, MemoryStorage};
use tidemill_model::time::Timestamp;

use crate::scene::{PIPELINE, START, numbers, read, rows};

fn open(storage: &MemoryStorage, needed: Option<InputPosition>, bytes: u64) -> Result<InputLog, CheckpointError> {
    let shared = Arc::new(storage.clone());
    let (log, _) = Log::open(shared.clone(), PIPELINE, "host", Timestamp(0)).unwrap();
    InputLog::open(shared, log.fence(), needed, bytes).map(|(input, _)| input)
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
    let mut input = open(&storage, None, 1).unwrap();
    for number in 0..5 {
        input.append("numbers", None, &rows(&[number])).unwrap();
    }
    input.sync().unwrap();
    let kept = InputPosition { segment: 4, frames: 0 };
    assert_eq!(input.remove_before(kept).unwrap(), 3);
    assert_eq!(read(&input, kept, input.position()).unwrap(), [3, 4]);
    let gone = input.read(LoggedRange { first: START, end: kept }).next();
    assert!(matches!(gone, Some(Err(CheckpointError::InputLost { .. }))));
    assert_eq!(input.remove_before(InputPosition { segment: u64::MAX, frames: 0 }).unwrap(), 1);
    assert_eq!(open(&storage, None, 1).unwrap().position().segment, 6);
}
