//! Files that are not as they were written, as disks and people leave them: every kind of file, as the newest and among others, in
//! every kind of damage. A run goes on without a loss, or says which file is damaged, and nothing that would cost what is whole.

use std::{collections::BTreeMap, error::Error, fs, os::unix::fs::symlink, path::Path, sync::Arc};

use tidemill_checkpoint::{
    CheckpointError, Consequence, InputLog, InputPosition, LocalFolder, Log, LoggedRange, MemoryStorage, Record,
    SectionKind, Start, Storage, Survey,
};
use tidemill_model::time::Timestamp;

use crate::scene::{PIPELINE, World, end, outputs, plan, read, rows, section, state};

/// What is left of a file.
type Damage = (&'static str, fn(&[u8]) -> Vec<u8>);

const DAMAGES: [Damage; 9] = [
    ("all zeros", |bytes| vec![0; bytes.len()]),
    ("a few zeros", |_| vec![0; 7]),
    ("longer zeros", |bytes| vec![0; bytes.len() + 4096]),
    ("empty", |_| Vec::new()),
    ("zeros from a sector on", |bytes| zeros(bytes, sector(bytes)..bytes.len())),
    ("the first sector zeros", |bytes| zeros(bytes, 0..sector(bytes))),
    ("a sector of zeros in the middle", |bytes| zeros(bytes, bytes.len() / 3..bytes.len() / 3 + sector(bytes) / 2)),
    ("the beginning of another kind of file", |bytes| [b"\x89PNG\r\n\x1a\n", &bytes[8..]].concat()),
    ("garbage", |bytes| (0..bytes.len()).map(|at| (at * at * 31 + 77) as u8 | 1).collect()),
];

/// Files of tests are shorter than those of users.
fn sector(bytes: &[u8]) -> usize {
    512.min(bytes.len() / 2)
}

fn zeros(bytes: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[range].fill(0);
    bytes
}

/// What a run goes on from: sum and count, the numbers that are logged behind the last batch, and those to be delivered.
type Outcome = ((i64, i64), Vec<i64>, Vec<i64>);

fn open(storage: &MemoryStorage) -> Result<Outcome, CheckpointError> {
    open_in(Arc::new(storage.clone()))
}

fn open_in(storage: Arc<dyn Storage>) -> Result<Outcome, CheckpointError> {
    let (log, recovered) = Log::open(storage.clone(), PIPELINE, "next", Timestamp(9))?;
    let state = state(log.archive(), &recovered)?;
    let undelivered = recovered.undelivered.iter().map(|undelivered| outputs(&log, undelivered.number));
    let undelivered = undelivered.collect::<Result<Vec<_>, _>>()?.concat();
    let last = recovered.last.as_ref().map(|last| &last.plan);
    let needed = recovered.planned.iter().map(|planned| &planned.plan).chain(last).map(end).max();
    let (input, _) = InputLog::open(storage.clone(), log.fence(), needed, 1 << 20)?;
    let first = last.map_or(InputPosition::START, end);
    let logged = read(&input, first, input.position())?;
    // And once more: what one run has passed over is not in the next one's way.
    let (log, _) = Log::open(storage.clone(), PIPELINE, "the one after", Timestamp(9))?;
    let (input, _) = InputLog::open(storage, log.fence(), needed, 1 << 20)?;
    assert_eq!(read(&input, first, input.position())?, logged);
    Ok((state, logged, undelivered))
}

fn newest(storage: &MemoryStorage, folder: &str) -> String {
    storage.files().into_keys().rfind(|name| name.starts_with(folder)).unwrap()
}

/// Checkpoints of a pipeline whose newest record is of every kind, by that kind.
fn checkpoints(pipeline: &'static str) -> BTreeMap<&'static str, MemoryStorage> {
    let mut world = World { pipeline: Some(pipeline), ..World::default() };
    world.run(6).unwrap();
    let delivered = world.storage;
    // Of the third batch, whose rows lie beside it.
    let committed = delivered.copy();
    committed.remove(&newest(&committed, "log/")).unwrap();
    let planned = committed.copy();
    planned.remove(&newest(&planned, "log/")).unwrap();
    planned.remove(&newest(&planned, "outbox/")).unwrap();
    let claimed = delivered.copy();
    let (log, _) = Log::open(Arc::new(claimed.clone()), pipeline, "next", Timestamp(9)).unwrap();
    // A segment that nothing was written to yet, as of every run that has just begun.
    let needed = Some(InputPosition { segment: 1, frames: 0 });
    InputLog::open(Arc::new(claimed.clone()), log.fence(), needed, 1 << 20).unwrap();
    let begun = claimed.copy();
    let (mut log, _) = Log::open(Arc::new(begun.clone()), pipeline, "one more", Timestamp(9)).unwrap();
    let start = Record::Start(Start { sources: Vec::new(), tables: Vec::new() });
    log.append(start, &[section(SectionKind::State, &[21, 6])]).unwrap();
    [("delivered", delivered), ("commit", committed), ("plan", planned), ("claim", claimed), ("start", begun)].into()
}

fn said(error: &CheckpointError) -> String {
    format!("{error}{}", error.source().map(|source| format!(": {source}")).unwrap_or_default())
}

/// What `inspect` says of it is what a run makes of it.
fn check_survey(damaged: &MemoryStorage, name: &str, opened: bool, what: &str) {
    let shared: Arc<dyn Storage> = Arc::new(damaged.clone());
    let survey = Survey::of(&shared);
    assert!(survey.is_ok(), "{what}: {}", said(&survey.unwrap_err()));
    let survey = survey.unwrap().unwrap();
    let found = survey.damage.iter().find(|damage| damage.name == name);
    let is_loose = survey
        .segments
        .iter()
        .any(|segment| name.ends_with(&format!("/{:020}", segment.segment)) && segment.loose.is_some());
    assert!(found.is_some() || name.starts_with("input/") && is_loose, "{what}: {:?}", survey.damage);
    let is_refused = found.is_some_and(|damage| damage.consequence == Consequence::Refused);
    assert_eq!((survey.recovery.is_ok(), !is_refused), (opened, opened), "{what}: {:?}", survey.recovery);
}

#[test]
fn damage_is_passed_over_without_a_loss_or_told_without_bad_advice() {
    let (mut passed_over, mut refused) = (0, 0);
    let anothers = checkpoints("products");
    for (kind, storage) in checkpoints(PIPELINE) {
        let anothers = anothers[kind].files();
        let whole = open(&storage.copy()).unwrap();
        let newest_record = newest(&storage, "log/");
        for (name, bytes) in storage.files() {
            // As if it had not been written at all.
            let without = storage.copy();
            without.remove(&name).unwrap();
            let without = open(&without.copy());
            let damages = DAMAGES.iter().map(|(damage, damaged)| (*damage, damaged(&bytes)));
            for (damage, damaged) in damages.chain([("another pipeline's file of that name", anothers[&name].clone())])
            {
                let what = format!("{kind}: {name}: {damage}");
                let storage = storage.copy();
                if damaged == bytes {
                    continue;
                }
                storage.overwrite(&name, damaged.clone());
                let tried = storage.copy();
                let opened = open(&tried);
                check_survey(&storage, &name, opened.is_ok(), &what);
                match opened {
                    Ok(outcome) => {
                        passed_over += 1;
                        let is_without = without.as_ref().is_ok_and(|without| *without == outcome);
                        assert!(outcome == whole || is_without, "{what}: {outcome:?}");
                    }
                    Err(error) => {
                        refused += 1;
                        let said = said(&error);
                        assert_ne!(name, newest_record, "{what}: {said}");
                        assert!(said.contains(&name) && said.contains("back from a copy"), "{what}: {said}");
                        assert!(!said.contains("another folder") && !said.contains("empty folder"), "{what}: {said}");
                        assert!(!damage.contains("zeros") || !said.contains("not a file of"), "{what}: {said}");
                        assert_eq!(tried.files().remove(&name), Some(damaged), "{what}");
                    }
                }
            }
        }
    }
    assert!(passed_over > 200 && refused > 100, "{passed_over} passed over, {refused} refused");
}

/// What is put into a file's place.
type NoFile = (&'static str, fn(&Path));

/// What has a file's name in a folder, and is none.
const NO_FILES: [NoFile; 3] = [
    ("a folder", |path| fs::create_dir(path).unwrap()),
    ("a link to what is not there", |path| symlink("nowhere", path).unwrap()),
    ("a link in a circle", |path| symlink(path.file_name().unwrap(), path).unwrap()),
];

/// The same checkpoint in a folder of this machine.
fn in_folder(storage: &MemoryStorage, number: u64) -> (tempfile::TempDir, Arc<LocalFolder>) {
    let root = tempfile::tempdir().unwrap();
    let folder = LocalFolder::open(root.path(), number).unwrap();
    for (name, bytes) in storage.files() {
        fs::write(root.path().join(name), bytes).unwrap();
    }
    (root, Arc::new(folder))
}

#[test]
fn what_has_the_name_of_a_file_and_is_none_is_damage() {
    let (mut passed_over, mut refused, mut number) = (0, 0, 0);
    for (kind, storage) in checkpoints(PIPELINE) {
        let whole = open(&storage.copy()).unwrap();
        let newest_record = newest(&storage, "log/");
        for name in storage.files().into_keys() {
            let without = storage.copy();
            without.remove(&name).unwrap();
            let without = open(&without);
            for (damage, make) in NO_FILES {
                let what = format!("{kind}: {name}: {damage}");
                number += 1;
                let (root, folder) = in_folder(&storage, number);
                let path = root.path().join(&name);
                fs::remove_file(&path).unwrap();
                make(&path);
                let shared: Arc<dyn Storage> = folder.clone();
                let survey = Survey::of(&shared);
                assert!(survey.is_ok(), "{what}: {}", said(&survey.unwrap_err()));
                let survey = survey.unwrap().unwrap();
                let opened = open_in(folder);
                assert_eq!(survey.recovery.is_ok(), opened.is_ok(), "{what}: {:?}", survey.recovery);
                match opened {
                    Ok(outcome) => {
                        passed_over += 1;
                        let is_without = without.as_ref().is_ok_and(|without| *without == outcome);
                        assert!(outcome == whole || is_without, "{what}: {outcome:?}");
                    }
                    Err(error) => {
                        refused += 1;
                        let said = said(&error);
                        assert_ne!(name, newest_record, "{what}: {said}");
                        assert!(said.contains(&name) && said.contains("back from a copy"), "{what}: {said}");
                    }
                }
                assert!(fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()), "{what}: it is left as it is");
            }
        }
    }
    assert!(passed_over > 60 && refused > 20, "{passed_over} passed over, {refused} refused");
}

/// Lines that came behind the last batch stay as long as it can be told that there are some.
#[test]
fn a_segment_that_no_batch_needs_is_passed_over_if_nothing_in_it_was_durable() {
    let storage = MemoryStorage::new();
    let shared = Arc::new(storage.clone());
    let (mut log, _) = Log::open(shared.clone(), PIPELINE, "first", Timestamp(0)).unwrap();
    let (mut input, _) = InputLog::open(shared.clone(), log.fence(), None, 1).unwrap();
    input.append("numbers", None, &rows(&[1])).unwrap();
    let first = LoggedRange { first: InputPosition::START, end: input.sync().unwrap() };
    let batch = Timestamp(1_000_000);
    log.append(Record::Plan(plan(batch, Some(first), None)), &[]).unwrap();
    let (mut input, _) = InputLog::open(shared, log.fence(), Some(first.end), 1 << 20).unwrap();
    (0..5).for_each(|_| _ = input.append("numbers", None, &rows(&[2])).unwrap());
    input.sync().unwrap();
    drop(input);
    let name = newest(&storage, "input/");
    assert_eq!(name, "input/00000000000000000002");
    for (damage, damaged) in DAMAGES {
        let storage = storage.copy();
        let bytes = damaged(&storage.files()[&name]);
        storage.overwrite(&name, bytes);
        let (log, recovered) = Log::open(Arc::new(storage.clone()), PIPELINE, "next", Timestamp(9)).unwrap();
        let needed = recovered.planned.map(|planned| end(&planned.plan));
        let opened = InputLog::open(Arc::new(storage.clone()), log.fence(), needed, 1 << 20);
        let is_certain = ["the first sector zeros", "the beginning of another kind of file"].contains(&damage);
        match opened {
            Ok((input, cut)) => {
                assert!(!is_certain, "{damage}");
                assert!(cut.is_some(), "{damage}: nothing is said");
                let cut = cut.unwrap();
                assert!(cut.what.contains("damaged") || cut.what.contains("not a file"), "{damage}: {cut:?}");
                assert!(read(&input, InputPosition::START, input.position()).unwrap().starts_with(&[1]), "{damage}");
                assert_eq!(input.position().segment, 3, "{damage}: a number comes again");
                assert!(storage.files().contains_key(&name), "{damage}: it would, if this host had stopped here");
                goes_on(&storage, &name, damage);
            }
            Err(error) => {
                let said = said(&error);
                assert!(is_certain, "{damage}: {said}");
                assert!(said.contains(&name) && said.contains("back from a copy"), "{damage}: {said}");
                assert!(storage.files().contains_key(&name), "{damage}");
            }
        }
    }
}

/// What was passed over is in nobody's way, whatever becomes of its file: hosts go on behind it, and read all that counts.
fn goes_on(storage: &MemoryStorage, passed_over: &str, damage: &str) {
    let shared: Arc<dyn Storage> = Arc::new(storage.clone());
    let (mut expect, mut last) = (Vec::new(), 3);
    for host in ["third", "fourth"] {
        let (log, recovered) = Log::open(shared.clone(), PIPELINE, host, Timestamp(9)).unwrap();
        let needed = recovered.planned.map(|planned| end(&planned.plan));
        let (mut input, _) = InputLog::open(shared.clone(), log.fence(), needed, 1).unwrap();
        if expect.is_empty() {
            expect = read(&input, InputPosition::START, input.position()).unwrap();
        }
        for number in 5..8 {
            input.append("numbers", None, &rows(&[number])).unwrap();
            expect.push(number);
        }
        let end = input.sync().unwrap();
        assert_eq!(
            (read(&input, InputPosition::START, end).unwrap(), end.segment),
            (expect.clone(), last + 3),
            "{damage}"
        );
        last = end.segment;
        let survey = Survey::of(&shared).unwrap().unwrap();
        assert!(survey.recovery.is_ok() && survey.damage.is_empty(), "{damage}: {:?}", survey.damage);
        // If nothing in it counts, somebody takes it away.
        if survey.segments.iter().any(|segment| segment.segment == 2 && !segment.counts) {
            shared.remove(passed_over).unwrap();
        }
    }
    // And one that counts may not be missing.
    shared.remove("input/00000000000000000005").unwrap();
    let all = LoggedRange { first: InputPosition::START, end: InputPosition { segment: last, frames: 1 } };
    let (log, _) = Log::open(shared.clone(), PIPELINE, "fifth", Timestamp(9)).unwrap();
    let (input, _) = InputLog::open(shared, log.fence(), None, 1).unwrap();
    let lost = input.read(all).find_map(Result::err).expect("a segment is missing");
    assert!(said(&lost).contains("input/00000000000000000005"), "{damage}: {}", said(&lost));
}

/// A folder whose files are called as a log's, and are somebody else's, is left as it is.
#[test]
fn a_log_of_which_nothing_is_ours_is_somebody_elses() {
    let storage = MemoryStorage::new();
    (1..4).for_each(|number| {
        storage.overwrite(&format!("log/{number:020}"), b"Dear diary, it rained all day again.".to_vec())
    });
    let files = storage.files();
    let error = Log::open(Arc::new(storage.clone()), PIPELINE, "next", Timestamp(0)).unwrap_err();
    assert!(matches!(error, CheckpointError::ForeignLog { .. }), "{}", said(&error));
    assert_eq!(storage.files(), files);
}
