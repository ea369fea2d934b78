//! What every storage does, over each of them.

use std::io::Read;

use tidemill_checkpoint::{Entry, LocalFolder, MemoryStorage, Storage, StorageError};

use crate::object_store::Store;

/// Runs over every storage there is; files of the object store lie in parts of different lengths.
fn each(case: impl Fn(&dyn Storage)) {
    let folder = tempfile::tempdir().unwrap();
    case(&MemoryStorage::new());
    case(&LocalFolder::open(folder.path(), 1).unwrap());
    for part_bytes in [1, 7, 64, 8 << 20] {
        case(&Store::default().open(1, part_bytes).unwrap());
    }
}

/// What is held to be so of every storage, each over a new one.
pub const CASES: [fn(&dyn Storage); 4] = [
    files_are_made_once_and_read_again,
    drafts_appear_when_they_are_published,
    files_grow_with_what_is_synced,
    what_is_not_there_is_missing,
];

#[test]
fn every_storage_does_what_storages_do() {
    CASES.iter().for_each(|case| each(case));
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 31 % 251) as u8).collect()
}

fn listed(storage: &dyn Storage, folder: &str) -> Vec<(String, u64)> {
    storage.list(folder).unwrap().into_iter().map(|Entry { name, bytes }| (name, bytes)).collect()
}

#[track_caller]
fn has(storage: &dyn Storage, name: &str, content: &[u8]) {
    assert_eq!(storage.read(name).unwrap(), content);
    for count in [0, 1, 6, 7, 8, 9, content.len(), content.len() + 10] {
        assert_eq!(storage.read_prefix(name, count).unwrap(), content[..count.min(content.len())], "{count}");
    }
    let mut read = Vec::new();
    storage.reader(name).unwrap().take(content.len() as u64 + 5).read_to_end(&mut read).unwrap();
    assert_eq!(read, content);
    assert!(storage.is_whole(name).unwrap());
}

fn exists(result: Result<(), StorageError>) -> bool {
    matches!(result, Err(StorageError::Exists { .. }))
}

fn is_missing<T>(result: Result<T, StorageError>) -> bool {
    matches!(result, Err(StorageError::NotFound { .. }))
}

fn files_are_made_once_and_read_again(storage: &dyn Storage) {
    for (name, count) in [("log/1", 0), ("log/2", 1), ("log/3", 40), ("state/1", 100)] {
        storage.create(name, &bytes(count)).unwrap();
        has(storage, name, &bytes(count));
        assert!(exists(storage.create(name, b"another")));
        has(storage, name, &bytes(count));
    }
    let expect = [("1".to_owned(), 0), ("2".to_owned(), 1), ("3".to_owned(), 40)];
    assert_eq!(listed(storage, "log"), expect);
    assert_eq!(listed(storage, "input"), []);
    let names: Vec<String> = (1..50).map(|number| format!("log/{number}")).collect();
    for (number, reader) in (1..).zip(storage.readers(names.clone())) {
        match [0, 1, 40].get(number - 1) {
            Some(&count) => {
                let mut read = Vec::new();
                reader.unwrap().read_to_end(&mut read).unwrap();
                assert_eq!(read, bytes(count));
            }
            None => assert!(is_missing(reader)),
        }
    }
    for lengths in [[20, 20, 20], [0, 9, 39], [8, 1, 99]] {
        let wanted: Vec<_> = names.iter().cloned().zip(lengths.into_iter().chain(std::iter::repeat(7))).collect();
        let begun = storage.read_prefixes(&wanted);
        assert_eq!(begun.len(), names.len());
        for (number, begun) in (0..).zip(begun) {
            match [0, 1, 40].get(number) {
                Some(&count) => assert_eq!(begun.unwrap(), bytes(count.min(lengths[number]))),
                None => assert!(is_missing(begun)),
            }
        }
    }
}

fn drafts_appear_when_they_are_published(storage: &dyn Storage) {
    for (name, writes, count) in [("state/1", 0, 0), ("state/2", 1, 5), ("state/3", 9, 30)] {
        let mut draft = storage.draft(name).unwrap();
        (0..writes).for_each(|_| draft.write(&bytes(count)).unwrap());
        assert!(is_missing(storage.read(name)));
        draft.publish().unwrap();
        has(storage, name, &bytes(count).repeat(writes));
    }
    let mut late = storage.draft("state/3").unwrap();
    late.write(&bytes(99)).unwrap();
    assert!(exists(late.publish()));
    has(storage, "state/3", &bytes(30).repeat(9));
    let mut dropped = storage.draft("state/4").unwrap();
    dropped.write(&bytes(99)).unwrap();
    drop(dropped);
    let lengths: Vec<u64> = listed(storage, "state").into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(lengths, [0, 5, 270]);
    storage.remove_leftovers(&storage.leftovers().unwrap()).unwrap();
    has(storage, "state/3", &bytes(30).repeat(9));
    storage.remove_all(&["state/3".to_owned(), "state/2".to_owned(), "state/9".to_owned()]).unwrap();
    assert!(is_missing(storage.reader("state/3")));
    assert_eq!(listed(storage, "state"), [("1".to_owned(), 0)]);
    storage.create("state/3", b"again").unwrap();
    has(storage, "state/3", b"again");
}

fn files_grow_with_what_is_synced(storage: &dyn Storage) {
    storage.create("input/1", b"begin").unwrap();
    let mut expect = b"begin".to_vec();
    for _ in 0..3 {
        let mut appender = storage.appender("input/1").unwrap();
        appender.sync().unwrap();
        for count in [1, 3, 30, 0, 70] {
            appender.append(&bytes(count)).unwrap();
            expect.extend(bytes(count));
        }
        appender.sync().unwrap();
        appender.sync().unwrap();
        has(storage, "input/1", &expect);
    }
    storage.create("input/2", b"").unwrap();
    assert_eq!(listed(storage, "input"), [("1".to_owned(), expect.len() as u64), ("2".to_owned(), 0)]);
    has(storage, "input/2", b"");
    storage.remove_leftovers(&storage.leftovers().unwrap()).unwrap();
    storage.sync("input").unwrap();
    has(storage, "input/1", &expect);
    storage.remove("input/1").unwrap();
    assert_eq!(listed(storage, "input"), [("2".to_owned(), 0)]);
    // One that has nothing in its beginning grows, too.
    let mut appender = storage.appender("input/2").unwrap();
    for count in [0, 9, 30] {
        appender.append(&bytes(count)).unwrap();
    }
    appender.sync().unwrap();
    has(storage, "input/2", &[bytes(9), bytes(30)].concat());
    assert_eq!(listed(storage, "input"), [("2".to_owned(), 39)]);
}

fn what_is_not_there_is_missing(storage: &dyn Storage) {
    assert!(is_missing(storage.read("log/1")));
    assert!(is_missing(storage.read_prefix("log/1", 10)));
    assert!(is_missing(storage.reader("input/1")));
    assert!(is_missing(storage.appender("input/1")));
    storage.remove("log/1").unwrap();
    storage.remove("input/1").unwrap();
    assert_eq!(storage.list("state").unwrap(), []);
}

/// A file that looks like the index of another one.
#[test]
fn content_is_never_taken_for_something_else() {
    let store = Store::default();
    let storage = store.open(1, 10).unwrap();
    storage.create("log/1", &bytes(25)).unwrap();
    let index = store.get("log/1");
    each(|storage| {
        storage.create("log/2", &index).unwrap();
        has(storage, "log/2", &index);
        storage.create("log/3", &index[..9]).unwrap();
        has(storage, "log/3", &index[..9]);
    });
}
