//! The local folder.

use std::{
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    sync::Arc,
};

use tidemill_checkpoint::{Advice, CheckpointError, LocalFolder, Log, Record, Storage, StorageError};
use tidemill_model::time::Timestamp;

use crate::scene::{PIPELINE, commit, new_writer, plan, section};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_checkpoint_in_a_folder_goes_on_where_it_was() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("deep/checkpoint");
    let storage = Arc::new(LocalFolder::open(&path, new_writer()).unwrap());
    let (mut log, _) = Log::open(storage.clone(), PIPELINE, "first", Timestamp(0)).unwrap();
    let batch = Timestamp(1_000_000);
    let number = log.append(Record::Plan(plan(batch, None, None)), &[]).unwrap();
    let sections = [section(tidemill_checkpoint::SectionKind::State, &[1, 2])];
    let commit = log.append(Record::Commit(commit(batch, number, 3)), &sections).unwrap();
    log.archive().write_snapshot(commit, sections.iter().cloned().map(Ok)).unwrap();
    log.archive().write_snapshot(commit, sections.iter().cloned().map(Ok)).unwrap();
    assert_eq!(names(&path.join("tmp")), Vec::<String>::new());
    for name in ["log/00000000000000000003", "state/00000000000000000003"] {
        assert_eq!(fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    fs::write(path.join("tmp/1-2"), "left over").unwrap();
    let storage = Arc::new(LocalFolder::open(&path, new_writer()).unwrap());
    let (_, recovered) = Log::open(storage, PIPELINE, "second", Timestamp(0)).unwrap();
    assert_eq!((recovered.snapshot, recovered.last.unwrap().number), (Some(3), 3));
    assert_eq!(names(&path.join("tmp")), Vec::<String>::new());
    assert!(log.usage().bytes().unwrap() > 1000);
    assert!(matches!(log.fence().check(), Err(CheckpointError::Fenced { generation: 2, .. })));
}

#[test]
fn a_folder_with_other_things_is_left_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("letter.txt"), "dear").unwrap();
    let error = LocalFolder::open(root.path(), new_writer()).unwrap_err();
    assert!(matches!(&error, StorageError::Foreign { entry, .. } if entry == "letter.txt"), "{error}");
    assert_eq!(names(root.path()), ["letter.txt"]);
}

#[test]
fn a_name_is_given_once_and_parts_appear_as_a_whole() {
    let root = tempfile::tempdir().unwrap();
    let folder = LocalFolder::open(root.path(), new_writer()).unwrap();
    folder.create("log/1", b"one").unwrap();
    assert!(matches!(folder.create("log/1", b"two"), Err(StorageError::Exists { .. })));
    assert_eq!(folder.read("log/1").unwrap(), b"one");
    assert_eq!(folder.read_prefix("log/1", 2).unwrap(), b"on");
    let mut draft = folder.draft("state/1").unwrap();
    draft.write(b"a").unwrap();
    draft.write(b"b").unwrap();
    assert!(matches!(folder.read("state/1"), Err(StorageError::NotFound { .. })));
    draft.publish().unwrap();
    assert_eq!(folder.read("state/1").unwrap(), b"ab");
    let mut forgotten = folder.draft("state/2").unwrap();
    forgotten.write(b"c").unwrap();
    drop(forgotten);
    let mut appender = folder.appender("log/1").unwrap();
    appender.append(b"+").unwrap();
    appender.sync().unwrap();
    let listed: Vec<_> = folder.list("log").unwrap().into_iter().map(|entry| (entry.name, entry.bytes)).collect();
    assert_eq!(listed, [("1".to_owned(), 4)]);
    folder.remove("log/1").unwrap();
    folder.remove("log/1").unwrap();
    assert_eq!((folder.list("log").unwrap().len(), names(&root.path().join("tmp")).len()), (0, 0));
}

#[test]
fn a_folder_that_vanished_is_said_to_have_vanished() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("checkpoint");
    let storage = Arc::new(LocalFolder::open(&path, new_writer()).unwrap());
    let (mut log, _) = Log::open(storage, PIPELINE, "first", Timestamp(0)).unwrap();
    let aside = root.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    let batch = Timestamp(1_000_000);
    let error = log.append(Record::Plan(plan(batch, None, None)), &[]).unwrap_err();
    let vanished = |error: &CheckpointError| match error {
        CheckpointError::Storage(StorageError::System { advice, .. })
        | CheckpointError::Uncertain { source: Some(StorageError::System { advice, .. }), .. } => {
            *advice == Advice::Vanished
        }
        _ => false,
    };
    assert!(vanished(&error), "{error:?}");
    assert!(vanished(&log.fence().check().unwrap_err()));
    fs::rename(&aside, &path).unwrap();
    let storage = Arc::new(LocalFolder::open(&path, new_writer()).unwrap());
    let (mut log, _) = Log::open(storage, PIPELINE, "second", Timestamp(0)).unwrap();
    log.append(Record::Plan(plan(batch, None, None)), &[]).unwrap();
}

#[test]
fn what_the_system_says_becomes_advice() {
    for (kind, advice) in [
        (std::io::ErrorKind::StorageFull, Advice::DiskFull),
        (std::io::ErrorKind::QuotaExceeded, Advice::DiskFull),
        (std::io::ErrorKind::ReadOnlyFilesystem, Advice::NotWritable),
        (std::io::ErrorKind::PermissionDenied, Advice::NotWritable),
        (std::io::ErrorKind::Unsupported, Advice::Unsuitable),
        (std::io::ErrorKind::Other, Advice::Other),
    ] {
        let StorageError::System { advice: found, .. } = StorageError::system("write", "x", kind.into()) else {
            unreachable!("a system's error");
        };
        assert_eq!(found, advice);
    }
}

#[test]
fn a_file_that_grew_fast_keeps_no_room_behind_its_end() {
    const PART_BYTES: usize = 1 << 20;
    const PARTS: usize = 9;
    let root = tempfile::tempdir().unwrap();
    let folder = LocalFolder::open(root.path(), new_writer()).unwrap();
    folder.create("input/1", b"").unwrap();
    let mut appender = folder.appender("input/1").unwrap();
    for part in 0..PARTS {
        appender.append(&vec![part as u8; PART_BYTES]).unwrap();
    }
    appender.sync().unwrap();
    drop(appender);
    let content = folder.read("input/1").unwrap();
    assert!(content.chunks(PART_BYTES).enumerate().all(|(part, bytes)| bytes == vec![part as u8; PART_BYTES]));
    let on_disk = fs::metadata(root.path().join("input/1")).unwrap().blocks() * 512;
    assert!(on_disk < (PARTS + 1) as u64 * PART_BYTES as u64, "{on_disk} bytes");
}

#[test]
fn a_folder_is_looked_at_if_it_has_part_of_a_checkpoint_and_nothing_else() {
    for part in ["log", "state", "input"] {
        let folder = tempfile::tempdir().unwrap();
        let look = || LocalFolder::existing(folder.path()).map(drop);
        assert!(matches!(look(), Err(StorageError::NoCheckpoint { .. })), "{part}");
        std::fs::create_dir(folder.path().join(part)).unwrap();
        look().unwrap();
        std::fs::write(folder.path().join("letter.txt"), "dear").unwrap();
        assert!(matches!(look(), Err(StorageError::Foreign { entry, .. }) if entry == "letter.txt"), "{part}");
    }
}

/// A draft that is gone before it was published was removed by a later host, if its folders are there; else the disk is gone. Its
/// content does not come to be in either case.
#[test]
fn a_draft_that_cannot_be_published_says_whether_another_host_or_the_disk_is_why() {
    let gone: [(&str, &[&str], Advice); 5] = [
        ("the draft", &["tmp/*"], Advice::Overtaken),
        ("the folder of drafts", &["tmp"], Advice::Vanished),
        ("the folder of its name", &["state"], Advice::Vanished),
        ("the draft and the folder of its name", &["tmp/*", "state"], Advice::Vanished),
        ("everything", &["tmp", "state"], Advice::Vanished),
    ];
    for (what, removed, expect) in gone {
        let root = tempfile::tempdir().unwrap();
        let folder = LocalFolder::open(root.path(), new_writer()).unwrap();
        let mut draft = folder.draft("state/1").unwrap();
        draft.write(b"content").unwrap();
        for name in removed {
            match name.strip_suffix("/*") {
                Some(folder) => {
                    let path = root.path().join(folder);
                    names(&path).iter().for_each(|name| fs::remove_file(path.join(name)).unwrap());
                }
                None => fs::remove_dir_all(root.path().join(name)).unwrap(),
            }
        }
        let error = draft.publish().unwrap_err();
        assert!(matches!(error, StorageError::System { advice, .. } if advice == expect), "{what}: {error:?}");
        assert!(!root.path().join("state/1").exists(), "{what}");
    }
}

/// Whoever opened a pipe would wait until somebody writes to it.
#[test]
fn a_pipe_in_the_place_of_a_file_is_told_of_and_not_waited_for() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let root = tempfile::tempdir().unwrap();
    let folder = LocalFolder::open(root.path(), new_writer()).unwrap();
    let pipe = root.path().join("log/1");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    // Somebody writes: opening it does not wait here, and succeeds where pipes are opened.
    let mut writer = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    writer.write_all(&[7; 10]).unwrap();
    // Bit by bit first: where a pipe is opened it is the only call that ends in any case.
    let bit_by_bit = folder.reader("log/1").map(drop);
    assert!(bit_by_bit.is_err());
    let calls = [bit_by_bit, folder.read_prefix("log/1", 10).map(drop), folder.read("log/1").map(drop)];
    for call in calls {
        let said = call.unwrap_err().to_string();
        assert!(said.contains("log/1") && !said.contains("vanished"), "{said}");
    }
}
