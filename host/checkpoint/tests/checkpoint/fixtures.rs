//! Files of each version, as they were written when it was new: they are read for ever, and what is written is these of the
//! newest.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use tidemill_checkpoint::{
    Commit, InputLog, InputPosition, Keep, Log, LoggedRange, MemoryStorage, Record, SectionKind, SourcePin, Start,
    VERSION,
};
use tidemill_model::time::Timestamp;

use crate::scene::{PIPELINE, commit, outbox, outputs, plan, read, rows, section, section_numbers, state};

fn fixtures(version: u16) -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/v{version}"));
    let mut files = BTreeMap::new();
    for folder in fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(file).unwrap());
        }
    }
    files
}

/// A source that has gone.
fn away() -> Vec<SourcePin> {
    vec![SourcePin { stream: "producer".to_owned(), pin: "{\"lines\":7}".to_owned(), logged: None }]
}

/// One record of each kind, a snapshot, and an input segment.
fn written() -> BTreeMap<String, Vec<u8>> {
    let storage = MemoryStorage::new();
    let shared = Arc::new(storage.clone());
    let (mut log, _) = Log::open(shared.clone(), PIPELINE, "host", Timestamp(1_700_000_000_000_000)).unwrap();
    let (mut input, _) = InputLog::open(shared, log.fence(), None, 1 << 20).unwrap();
    let first = input.position();
    input.append("numbers", None, &rows(&[1, 2])).unwrap();
    input.sync().unwrap();
    input.append("numbers", Some(3), &rows(&[4])).unwrap();
    let end = input.sync().unwrap();
    let batch = Timestamp(1_700_000_005_000_000);
    let tables = commit(batch, 1, 0).tables;
    let start = Start { sources: plan(batch, None, None).sources, tables };
    log.append(Record::Start(start), &[section(SectionKind::State, &[0, 0])]).unwrap();
    let plan = plan(batch, Some(LoggedRange { first, end }), Some(Timestamp(-1)));
    assert!(log.append(Record::Plan(plan.clone()), &[]).is_err(), "nothing is delivered yet");
    let tables = commit(batch, 1, 0).tables;
    let plan = tidemill_checkpoint::BatchPlan { delivered: None, tables, away: away(), ..plan };
    let number = log.append(Record::Plan(plan), &[section(SectionKind::State, &[1, 1])]).unwrap();
    let sections = [section(SectionKind::State, &[7, 3]), section(SectionKind::Output, &[1, 2, 4])];
    let outbox = outbox(&mut log.outboxes(), &[8, 9]).unwrap();
    let commit = Commit { outbox: Some(outbox), ..commit(batch, number, 3) };
    let commit = log.append(Record::Commit(commit), &sections).unwrap();
    log.archive().write_snapshot(commit, [Ok(section(SectionKind::State, &[7, 3]))]).unwrap();
    log.append(Record::Delivered { batch }, &[]).unwrap();
    let cleaned = log.clean(Keep { batches: 10, bytes: 1 << 20 }).unwrap();
    assert_eq!(cleaned.removed, Vec::<String>::new());
    storage.files()
}

#[test]
fn what_is_written_is_the_newest_version() {
    let (written, fixtures) = (written(), fixtures(VERSION));
    if written != fixtures {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures");
        for (name, bytes) in &written {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), bytes).unwrap();
        }
        let of = |files: &BTreeMap<String, Vec<u8>>| files.iter().map(|(n, b)| format!("{n} {}", b.len())).collect();
        let (written, fixtures): (Vec<String>, Vec<String>) = (of(&written), of(&fixtures));
        unreachable!(
            "the format has changed: raise VERSION and keep reading these (what is written now: {})\n{written:#?}\n{fixtures:#?}",
            folder.display()
        );
    }
}

#[test]
fn every_version_is_read() {
    check(1, 3, &[]);
    check(2, 4, &[8, 9]);
}

/// `number` is that of the commit record, `beside` has the rows that lie beside it.
#[track_caller]
fn check(version: u16, number: u64, beside: &[i64]) {
    let storage = MemoryStorage::new();
    fixtures(version).into_iter().for_each(|(name, bytes)| storage.overwrite(&name, bytes));
    let shared = Arc::new(storage);
    let (log, recovered) = Log::open(shared.clone(), PIPELINE, "next", Timestamp(0)).unwrap();
    assert_eq!((log.fence().generation(), recovered.snapshot, recovered.deltas.len()), (2, Some(number), 0));
    assert_eq!(recovered.delivered, Some(Timestamp(1_700_000_005_000_000)));
    assert_eq!(state(log.archive(), &recovered).unwrap(), (7, 3));
    assert_eq!(section_numbers(&log.archive().read_sections(number).unwrap(), SectionKind::Output), [1, 2, 4]);
    assert_eq!(outputs(&log, number).unwrap(), [&[1, 2, 4], beside].concat());
    let last = recovered.last.unwrap();
    let range =
        LoggedRange { first: InputPosition { segment: 1, frames: 0 }, end: InputPosition { segment: 1, frames: 2 } };
    let tables = if version == 1 { Vec::new() } else { commit(last.commit.batch, 1, 0).tables };
    let away = if version == 1 { Vec::new() } else { away() };
    let expect = tidemill_checkpoint::BatchPlan { tables, away, ..plan(last.commit.batch, Some(range), None) };
    assert_eq!(last.plan, expect);
    let commit = commit(Timestamp(1_700_000_005_000_000), number - 1, 3);
    assert_eq!(last.commit, Commit { outbox: last.commit.outbox.clone(), ..commit });
    assert_eq!(last.commit.outbox.is_some(), !beside.is_empty());
    let (input, _) = InputLog::open(shared, log.fence(), Some(range.end), 1 << 20).unwrap();
    assert_eq!(read(&input, range.first, range.end).unwrap(), [1, 2, 4]);
    let partitions: Vec<_> = input.read(range).map(|frame| frame.unwrap().partition).collect();
    assert_eq!(partitions, [None, Some(3)]);
}
