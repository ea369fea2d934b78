//! Two hosts on one checkpoint, and checkpoints that are none of ours.

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tidemill_checkpoint::{
    Appender, CheckpointError, Draft, Entry, InputLog, Keep, Log, MemoryStorage, Record, SectionKind, Storage,
    StorageError,
};
use tidemill_model::time::Timestamp;

use crate::scene::{PIPELINE, World, commit, plan, rows, section};

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
    fenced(input.remove_before(input.position()));
    assert_eq!(storage.files(), files);
    input.append("numbers", None, &rows(&[2])).unwrap();
    fenced(input.sync());
    assert!(matches!(input.sync(), Err(CheckpointError::InputFailed { .. })));
    second.append(Record::Commit(commit(batch, number, 1)), &[]).unwrap();
}

/// Lets another host claim right before the first claim that comes through here.
struct Racing {
    storage: MemoryStorage,
    others: AtomicUsize,
}

impl Storage for Racing {
    fn create(&self, name: &str, content: &[u8]) -> Result<(), StorageError> {
        let left = self.others.load(Ordering::Relaxed);
        if left > 0 {
            self.others.store(left - 1, Ordering::Relaxed);
            open(&self.storage, "faster");
        }
        self.storage.create(name, content)
    }
    fn draft(&self, name: &str) -> Result<Box<dyn Draft>, StorageError> {
        self.storage.draft(name)
    }
    fn read(&self, name: &str) -> Result<Vec<u8>, StorageError> {
        self.storage.read(name)
    }
    fn read_prefix(&self, name: &str, bytes: usize) -> Result<Vec<u8>, StorageError> {
        self.storage.read_prefix(name, bytes)
    }
    fn reader(&self, name: &str) -> Result<Box<dyn Read + Send>, StorageError> {
        self.storage.reader(name)
    }
    fn list(&self, folder: &str) -> Result<Vec<Entry>, StorageError> {
        self.storage.list(folder)
    }
    fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.storage.remove(name)
    }
    fn appender(&self, name: &str) -> Result<Box<dyn Appender>, StorageError> {
        self.storage.appender(name)
    }
    fn sync(&self, folder: &str) -> Result<(), StorageError> {
        self.storage.sync(folder)
    }
    fn remove_leftovers(&self) -> Result<(), StorageError> {
        self.storage.remove_leftovers()
    }
    fn place(&self) -> String {
        self.storage.place()
    }
}

#[test]
fn of_two_claims_at_once_one_is_made_anew_above_the_other() {
    let racing = |others| Racing { storage: MemoryStorage::new(), others: AtomicUsize::new(others) };
    let storage = Arc::new(racing(3));
    let (log, recovered) = Log::open(storage, PIPELINE, "slower", Timestamp(0)).unwrap();
    assert_eq!((log.fence().generation(), recovered.generation), (4, 4));
    let contended = Log::open(Arc::new(racing(100)), PIPELINE, "slower", Timestamp(0));
    assert!(matches!(contended, Err(CheckpointError::Contended { .. })));
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
        bytes[8] = 2;
        let checksum = crc32c::crc32c(&bytes[..28]);
        bytes[28..32].copy_from_slice(&checksum.to_le_bytes());
        storage.overwrite(&name, bytes);
    };
    check(&newer, PIPELINE, "format version 2");
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
    let number = log.append(Record::Plan(plan(batch, None, None)), &[]).unwrap();
    refused(&mut log, Record::Commit(commit(Timestamp(2), number, 0)));
    log.append(Record::Commit(commit(batch, number, 0)), &[]).unwrap();
    refused(&mut log, Record::Commit(commit(batch, number, 0)));
    refused(&mut log, Record::Plan(plan(batch, None, None)));
    log.append(Record::Delivered { batch }, &[]).unwrap();
    assert_eq!(log.records().len(), 4);
}
