//! Checkpoints in a store of another maker: what every storage does, hosts that stop and go on, and hosts that take over.

use std::{
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
};

use tidemill_checkpoint::{CheckpointError, InputLog, Log, ObjectStorage, Record, SectionKind, Storage, StorageError};
use tidemill_model::{object_url::ObjectUrl, time::Timestamp};

use crate::{
    contract,
    object_store::Threads,
    real::RealStore,
    scene::{PIPELINE, START, World, commit, new_writer, plan, read, rows, section},
};

/// A place in the store that nothing lies in yet.
fn new_place() -> ObjectUrl {
    static PLACES: AtomicU64 = AtomicU64::new(0);
    let place = PLACES.fetch_add(1, Ordering::Relaxed);
    ObjectUrl::parse(&format!("s3://tides/a place/{place}")).unwrap()
}

fn open(store: &RealStore, url: &ObjectUrl, part_bytes: usize) -> Result<ObjectStorage, StorageError> {
    let storage = ObjectStorage::open_s3(url, &store.settings(), new_writer(), &Threads)?;
    Ok(storage.with_part_bytes(part_bytes))
}

#[test]
fn it_does_what_every_storage_does() {
    let store = RealStore::start();
    for case in contract::CASES {
        for part_bytes in [7, 8 << 20] {
            case(&open(&store, &new_place(), part_bytes).unwrap());
        }
    }
}

#[test]
fn hosts_that_stop_and_go_on_lose_nothing() {
    let (store, url) = (RealStore::start(), new_place());
    let opened = move || Ok(Arc::new(open(&store, &url, 100)?) as Arc<dyn Storage>);
    let mut world = World { opened: Some(Box::new(opened)), ..World::default() };
    for last in [3, 8, 12] {
        world.run(last).unwrap();
        world.check(last);
    }
}

#[test]
fn the_later_host_has_it_and_the_earlier_one_can_add_nothing() {
    let (store, url) = (RealStore::start(), new_place());
    let first = Arc::new(open(&store, &url, 100).unwrap());
    let (mut log, _) = Log::open(first.clone(), PIPELINE, "first", Timestamp(0)).unwrap();
    let (mut input, _) = InputLog::open(first, log.fence(), None, 1 << 20).unwrap();
    input.append("numbers", None, &rows(&[1])).unwrap();
    input.sync().unwrap();
    let batch = Timestamp(1_000_000);
    let number = log.append(Record::Plan(plan(batch, None, None)), &[]).unwrap();
    let second = Arc::new(open(&store, &url, 100).unwrap());
    let (mut later, recovered) = Log::open(second.clone(), PIPELINE, "second", Timestamp(0)).unwrap();
    assert_eq!(recovered.planned.unwrap().number, number);
    let sections = [section(SectionKind::State, &[1, 1])];
    let refused = log.append(Record::Commit(commit(batch, number, 1)), &sections);
    assert!(matches!(refused, Err(CheckpointError::Fenced { .. })), "{refused:?}");
    let (mut own, _) = InputLog::open(second, later.fence(), None, 1 << 20).unwrap();
    input.append("numbers", None, &rows(&[2])).unwrap();
    assert!(matches!(input.sync(), Err(CheckpointError::Fenced { .. })));
    later.append(Record::Commit(commit(batch, number, 1)), &sections).unwrap();
    own.append("numbers", None, &rows(&[3])).unwrap();
    let end = own.sync().unwrap();
    assert_eq!(read(&own, START, end).unwrap(), [1, 3]);
}
