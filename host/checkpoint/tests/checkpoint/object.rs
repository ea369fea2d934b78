//! What is particular to a checkpoint in an object store.

use std::sync::Arc;

use tidemill_checkpoint::{
    Advice, CheckpointError, InputLog, Keep, Log, ObjectStorage, Record, SectionKind, Storage, StorageError,
};
use tidemill_model::time::Timestamp;

use crate::{
    object_store::{Store, Threads, Trouble},
    scene::{PIPELINE, START, commit, plan, read, rows, section},
};

fn refused(result: Result<ObjectStorage, StorageError>, expect: Advice) {
    match result {
        Err(StorageError::System { advice, .. }) => assert_eq!(advice, expect),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_lost_answer_is_found_out() {
    let store = Store::default();
    let storage = store.open(1, 10).unwrap();
    store.set_trouble(0..1, Trouble::After);
    storage.create("log/1", b"one").unwrap();
    store.set_trouble(0..1, Trouble::Before);
    storage.create("log/2", b"two").unwrap();
    store.set_trouble(0..3, Trouble::Before);
    assert!(matches!(storage.create("log/3", b"3"), Err(StorageError::System { advice: Advice::StoreFailed, .. })));
    assert_eq!(storage.list("log").unwrap().len(), 2);
    // A call is made three times and no more.
    for (troubled, is_made) in [(2, true), (3, false)] {
        store.set_trouble(0..troubled, Trouble::Before);
        assert_eq!(storage.create("log/4", b"4").is_ok(), is_made, "{troubled}");
        assert_eq!(store.calls(), 3);
        store.set_trouble(0..troubled, Trouble::Before);
        assert_eq!(storage.read("log/1").is_ok(), is_made, "{troubled}");
        store.set_trouble(0..0, Trouble::Before);
        storage.remove("log/4").unwrap();
    }
    store.set_trouble(0..9, Trouble::After);
    assert!(storage.list("log").is_err(), "half a list is none");
}

/// Every call is made again as GETs and PUTs are: a list, of each page, a look at the top, a length, a removal.
#[test]
fn every_call_is_tried_again_and_a_list_goes_on_where_it_broke_off() {
    let store = Store::default();
    let storage = store.open(1, 10).unwrap();
    let names: Vec<String> = (1..=9).map(|number| format!("log/{number}")).collect();
    names.iter().for_each(|name| storage.create(name, name.as_bytes()).unwrap());
    let listed = |storage: &dyn Storage| storage.list("log").map(|entries| entries.len()).ok();
    // Of each page two tries fail, and one brings it: more in all than a call is made.
    for (troubled, trouble, expect) in
        [(2, Trouble::Before, Some(9)), (3, Trouble::Before, None), (6, Trouble::After, Some(9))]
    {
        store.set_trouble(0..troubled, trouble);
        assert_eq!(listed(&storage), expect, "{troubled} {trouble:?}");
    }
    for (troubled, expect) in [(0, Some(9)), (2, Some(9)), (3, None)] {
        store.list_backwards(0..troubled, Trouble::After);
        assert_eq!(listed(&storage), expect, "backwards, {troubled}");
    }
    for trouble in [Trouble::Before, Trouble::After] {
        for (troubled, is_made) in [(2, true), (3, false)] {
            store.set_trouble(0..troubled, trouble);
            assert_eq!(store.look().is_ok(), is_made, "a look at the top, {troubled} {trouble:?}");
            store.set_trouble(0..troubled, trouble);
            assert_eq!(storage.remove("log/1").is_ok(), is_made, "a removal, {troubled} {trouble:?}");
            store.set_trouble(0..troubled, trouble);
            assert_eq!(storage.is_whole("log/2").is_ok(), is_made, "a beginning, {troubled} {trouble:?}");
        }
    }
    // Of many that are removed those are tried again that are left.
    for troubled in [1, 5, 7] {
        store.set_trouble(0..troubled, Trouble::Before);
        storage.remove_all(&names).unwrap();
        assert_eq!(listed(&storage), Some(0));
        names.iter().for_each(|name| storage.create(name, name.as_bytes()).unwrap());
    }
}

#[test]
fn other_things_and_unfit_stores_are_refused_and_left_as_they_are() {
    let store = Store::default();
    assert!(matches!(store.look(), Err(StorageError::NoCheckpoint { .. })));
    store.put("letter.txt", b"dear");
    assert!(matches!(store.open(1, 10), Err(StorageError::Foreign { entry, .. }) if entry == "letter.txt"));
    assert_eq!(store.names(), ["letter.txt"]);
    let store = Store::default();
    store.put("letters/1", b"dear");
    assert!(matches!(store.open(1, 10), Err(StorageError::Foreign { entry, .. }) if entry == "letters/"));
    let store = Store::default();
    store.put("checkpoint", b"mine");
    assert!(matches!(store.open(1, 10), Err(StorageError::Foreign { entry, .. }) if entry == "checkpoint"));
    // In a checkpoint it is the mark that was damaged: with what is told, nothing is lost.
    for damaged in [&[0; 35][..], b"", b"mine", b"\0\0\0\0"] {
        let store = Store::default();
        store.open(1, 10).unwrap().create("log/1", b"one").unwrap();
        store.delete("checkpoint");
        store.put("checkpoint", damaged);
        let names = store.names();
        refused(store.open(2, 10), Advice::DamagedMark);
        assert_eq!((store.names(), store.look().unwrap().read("log/1").unwrap()), (names, b"one".to_vec()));
        store.delete("checkpoint");
        assert_eq!(store.open(3, 10).unwrap().read("log/1").unwrap(), b"one");
    }
    let store = Store::default();
    store.put("checkpoint", b"a checkpoint of Tidemill, layout 2\n");
    refused(store.open(1, 10), Advice::Newer);
    refused(Store::default().overwriting().open(1, 10), Advice::NoConditionalWrites);
}

#[test]
fn to_look_writes_nothing() {
    let store = Store::default();
    store.open(1, 10).unwrap().create("log/1", &[7; 35]).unwrap();
    let names = store.names();
    let storage = store.look().unwrap();
    assert_eq!(storage.read("log/1").unwrap(), [7; 35]);
    assert_eq!(storage.place(), "mem://a/b");
    assert_eq!(store.names(), names);
    // Another checkpoint beside it, in the whole bucket, is none of it.
    let whole = ObjectStorage::open(Arc::new(store.clone()), "", "mem://", 2, &Threads);
    assert!(matches!(whole, Err(StorageError::Foreign { entry, .. }) if entry == "a/"));
}

#[test]
fn parts_that_nobody_names_are_swept() {
    let store = Store::default();
    let storage = store.open(1, 10).unwrap();
    storage.create("state/1", &[1; 35]).unwrap();
    storage.create("input/1", &[2; 5]).unwrap();
    let whole = store.names();
    let mut draft = storage.draft("state/2").unwrap();
    draft.write(&[3; 35]).unwrap();
    let mut again = storage.draft("state/1").unwrap();
    again.write(&[3; 35]).unwrap();
    // Parts are written behind one's back: three full ones of each draft are to come.
    store.wait_for(whole.len() + 6);
    // The host ends here: nothing of it is dropped.
    std::mem::forget((draft, again));
    store.put("state/3/0000000000000001-9/00000000", b"of another host");
    store.put("input/9/00000000000000000005", b"whose beginning was removed");
    let sweep = |storage: &dyn Storage| storage.remove_leftovers(&storage.leftovers().unwrap()).unwrap();
    sweep(&store.open(2, 10).unwrap());
    // What was on its way when it was swept may come later.
    sweep(&store.open(3, 10).unwrap());
    assert_eq!(store.names(), whole);
    storage.remove("state/1").unwrap();
    storage.remove("input/1").unwrap();
    assert_eq!(store.names(), ["checkpoint"]);
}

#[test]
fn a_file_ends_where_a_part_is_missing() {
    let store = Store::default();
    let storage = store.open(1, 10).unwrap();
    let content: Vec<u8> = (0..35).collect();
    storage.create("state/1", &content).unwrap();
    assert!(storage.is_whole("state/1").unwrap());
    store.delete("state/1/0000000000000001-0/00000002");
    assert!(!storage.is_whole("state/1").unwrap());
    assert_eq!(storage.read("state/1").unwrap(), content[..20]);
    assert_eq!(storage.list("state").unwrap()[0].bytes, 35);
    storage.create("input/1", b"begin").unwrap();
    let mut appender = storage.appender("input/1").unwrap();
    for _ in 0..3 {
        appender.append(&content[..10]).unwrap();
    }
    appender.sync().unwrap();
    store.delete("input/1/00000000000000000015");
    assert_eq!(storage.read("input/1").unwrap(), [b"begin", &content[..10]].concat());
    assert_eq!(storage.list("input").unwrap()[0].bytes, 15);
}

/// A snapshot of a host that slept: the later one has swept its parts away before its index appears.
#[test]
fn nothing_is_removed_because_of_a_snapshot_that_is_not_whole() {
    let store = Store::default();
    let first = Arc::new(store.open(1, 10).unwrap());
    let (mut log, _) = Log::open(first.clone(), PIPELINE, "first", Timestamp(0)).unwrap();
    let mut commits = Vec::new();
    for batch in [1, 2, 3, 4].map(|batch| Timestamp(batch * 1_000_000)) {
        let number = log.append(Record::Plan(plan(batch, None, None)), &[]).unwrap();
        let sections = [section(SectionKind::State, &[batch.0, 1])];
        commits.push(log.append(Record::Commit(commit(batch, number, 1)), &sections).unwrap());
    }
    let objects = store.names().len();
    let names: Vec<String> = commits.iter().map(|commit| format!("state/{commit:020}")).collect();
    let mut drafts = Vec::new();
    for name in &names[1..] {
        let mut draft = first.draft(name).unwrap();
        draft.write(&[9; 95]).unwrap();
        drafts.push(draft);
    }
    // Parts are written behind one's back: nine full ones of each draft. One that comes when all were swept would stay.
    store.wait_for(objects + 9 * drafts.len());
    let second = Arc::new(store.open(2, 10).unwrap());
    let (mut log, recovered) = Log::open(second.clone(), PIPELINE, "second", Timestamp(0)).unwrap();
    assert_eq!(recovered.deltas.len(), 4);
    drafts.into_iter().for_each(|draft| draft.publish().unwrap());
    assert_eq!(second.list("state").unwrap().len(), 3);
    let cleaned = log.clean(Keep { batches: 0, bytes: 0 }).unwrap();
    assert_eq!((cleaned.removed.len(), second.list("state").unwrap().len()), (0, 0));
    let third = Arc::new(store.open(3, 10).unwrap());
    let (_, recovered) = Log::open(third, PIPELINE, "third", Timestamp(0)).unwrap();
    assert_eq!((recovered.deltas.len(), recovered.snapshot), (4, None));
}

#[test]
fn input_that_is_synced_often_lies_in_several_segments() {
    let store = Store::default();
    let storage = Arc::new(store.open(1, 8 << 20).unwrap());
    let (log, _) = Log::open(storage.clone(), PIPELINE, "first", Timestamp(0)).unwrap();
    let (mut input, _) = InputLog::open(storage.clone(), log.fence(), None, 1 << 30).unwrap();
    let numbers: Vec<i64> = (0..1_200).collect();
    for &number in &numbers {
        input.append("numbers", None, &rows(&[number])).unwrap();
        input.sync().unwrap();
    }
    let parts =
        |segment: u64| store.names().iter().filter(|name| name.starts_with(&format!("input/{segment:020}/"))).count();
    assert_eq!((parts(1), parts(2), storage.list("input").unwrap().len()), (1_000, 200, 2));
    assert_eq!(read(&input, START, input.position()).unwrap(), numbers);
}

/// Input that an earlier host still adds counts for nobody, be it in its own segment or in a new one.
#[test]
fn a_host_that_is_fenced_off_adds_nothing_that_counts() {
    let store = Store::default();
    let first = Arc::new(store.open(1, 10).unwrap());
    let (log, _) = Log::open(first.clone(), PIPELINE, "first", Timestamp(0)).unwrap();
    let (mut late, _) = InputLog::open(first, log.fence(), None, 1 << 20).unwrap();
    late.append("numbers", None, &rows(&[1])).unwrap();
    late.sync().unwrap();
    let second = Arc::new(store.open(2, 10).unwrap());
    let (log, _) = Log::open(second.clone(), PIPELINE, "second", Timestamp(0)).unwrap();
    let (mut input, _) = InputLog::open(second, log.fence(), None, 1000).unwrap();
    for number in [10, 11, 12] {
        late.append("numbers", None, &rows(&[number])).unwrap();
    }
    assert!(matches!(late.sync(), Err(CheckpointError::Fenced { .. })));
    input.append("numbers", None, &rows(&[2])).unwrap();
    let end = input.sync().unwrap();
    assert_eq!(read(&input, START, end).unwrap(), [1, 2]);
    let third = Arc::new(store.open(3, 10).unwrap());
    let (log, _) = Log::open(third.clone(), PIPELINE, "third", Timestamp(0)).unwrap();
    let (input, _) = InputLog::open(third, log.fence(), Some(end), 1000).unwrap();
    assert_eq!(read(&input, START, input.position()).unwrap(), [1, 2]);
}

/// A file that is as long as a part is one; a shorter one is no more than its object.
#[test]
fn a_file_is_cut_into_parts_of_their_length() {
    for (bytes, objects) in [(0, 1), (1, 1), (9, 1), (10, 2), (11, 3), (19, 3), (20, 3), (21, 4)] {
        let store = Store::default();
        let storage = store.open(1, 10).unwrap();
        let before = store.names().len();
        let content: Vec<u8> = (0..bytes).collect();
        storage.create("state/1", &content).unwrap();
        assert_eq!(store.names().len() - before, objects, "{bytes} bytes: {:?}", store.names());
        assert_eq!(storage.read("state/1").unwrap(), content);
    }
}

/// The parts of a draft that is given up go, all of them.
#[test]
fn a_draft_that_is_dropped_leaves_no_parts() {
    for parts in [1, 2, 4] {
        let store = Store::default();
        let storage = store.open(1, 10).unwrap();
        let before = store.names();
        let mut draft = storage.draft("state/1").unwrap();
        draft.write(&vec![7; 10 * parts]).unwrap();
        store.wait_for(before.len() + parts);
        drop(draft);
        tidemill_model::testing::until("its parts go", |_| (store.names() == before).then_some(()));
    }
}

/// A file's length is asked for once, as long as the file stays as it is.
#[test]
fn a_list_that_is_made_again_asks_for_no_lengths() {
    let store = Store::default();
    let storage = store.open(1, 10).unwrap();
    (1..=3).for_each(|number| storage.create(&format!("state/{number}"), &[number; 35]).unwrap());
    store.set_trouble(0..0, Trouble::Before);
    let lengths = |storage: &dyn Storage| -> Vec<u64> {
        storage.list("state").unwrap().into_iter().map(|entry| entry.bytes).collect()
    };
    assert_eq!(lengths(&storage), [35; 3]);
    let first = store.calls();
    assert_eq!(lengths(&storage), [35; 3]);
    let again = store.calls() - first;
    assert!(again + 3 <= first, "{again} calls, and {first} the first time");
    storage.remove("state/2").unwrap();
    storage.create("state/2", &[2; 47]).unwrap();
    assert_eq!(lengths(&storage), [35, 47, 35]);
    // Another host's file of the same name is another one, as long as its index is or not.
    let other = store.open(2, 10).unwrap();
    for bytes in [48, 91] {
        other.remove("state/2").unwrap();
        other.create("state/2", &vec![2; bytes]).unwrap();
        assert_eq!(lengths(&storage), [35, bytes as u64, 35]);
    }
}
