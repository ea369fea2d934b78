//! Records with headers of all lengths: a header is read whole, and of what lies behind it nothing.

use std::sync::Arc;

use tidemill_checkpoint::{
    Commit, LocalFolder, Log, MemoryStorage, Number, Record, Scanned, Section, SectionKind, SourcePin, Storage,
};
use tidemill_model::time::Timestamp;

use crate::{
    counted::Counted,
    object_store::Store,
    scene::{PIPELINE, commit, plan, section},
};

const COMMITS: i64 = 12;

/// Bytes of the rows of a commit, about.
const LONG: usize = 200_000;

/// What a record may begin with before its header's length is known: a header up to here costs one look.
const FIRST_BYTES: u64 = 4 << 10;

/// Bytes in front of a header, and behind it.
const AROUND_BYTES: u64 = 32 + 4;

/// How many counters a commit has, and how long a source's pin is: headers of some hundred bytes to more than can be held of all.
const HEADERS: [(usize, usize); 7] =
    [(1, 2), (88, 10), (96, 4_000), (2_000, 4_100), (9, 70_000), (9_000, 300_000), (2, 5_000_000)];

/// A log of commits of so many bytes, all of them delivered, with a snapshot of the last one.
fn fill(storage: Arc<dyn Storage>, (counters, pin): (usize, usize), bytes: usize) {
    let (mut log, _) = Log::open(storage, PIPELINE, "first", Timestamp(0)).unwrap();
    let rows: Vec<i64> = (0..bytes as i64 / 8).collect();
    let mut last = None;
    for batch in (1..=COMMITS).map(|batch| Timestamp(batch * 1_000_000)) {
        let mut plan = plan(batch, None, last);
        plan.sources.push(SourcePin { stream: "more".to_owned(), pin: "p".repeat(pin), logged: None });
        let number = log.append(Record::Plan(plan), &[]).unwrap();
        let counters = (0..counters).map(|at| (format!("of the stream number {at:06}"), at as u64)).collect();
        let commit = Commit { counters, ..commit(batch, number, 1) };
        let sections: Vec<Section> = [section(SectionKind::Output, &rows)].into_iter().filter(|_| bytes > 0).collect();
        let number = log.append(Record::Commit(commit), &sections).unwrap();
        if batch.0 == COMMITS * 1_000_000 {
            log.archive().write_snapshot(number, [Ok(section(SectionKind::State, &[1, 1]))]).unwrap();
        }
        last = Some(batch);
    }
    log.append(Record::Delivered { batch: last.unwrap() }, &[]).unwrap();
}

fn header_bytes(file: &[u8]) -> u64 {
    u64::from(u32::from_le_bytes(file[12..16].try_into().unwrap()))
}

#[test]
fn of_a_record_that_nothing_rests_upon_no_more_is_read_than_its_header() {
    for header in HEADERS {
        let memory = MemoryStorage::new();
        fill(Arc::new(memory.clone()), header, LONG);
        let files = memory.files();
        let counted = Arc::new(Counted::new(Arc::new(memory.clone())));
        let storage: Arc<dyn Storage> = counted.clone();
        Log::glance(&storage, PIPELINE).unwrap();
        let glanced = counted.take_read();
        let (log, _) = Log::open(storage, PIPELINE, "second", Timestamp(0)).unwrap();
        let opened = counted.take_read();
        let newest = log.records().last().unwrap().number;
        for (name, content) in files.iter().filter(|(name, _)| name.starts_with("log/")) {
            let whole = header_bytes(content) + AROUND_BYTES;
            let most = if whole <= FIRST_BYTES { FIRST_BYTES } else { FIRST_BYTES + whole };
            let once = most.min(content.len() as u64 + FIRST_BYTES);
            assert!(glanced[name] <= once, "{header:?}, {name}: {} bytes, at most {once}", glanced[name]);
            let number: Number = name["log/".len()..].parse().unwrap();
            // The last batch, and what says that it is delivered, are read whole: a run goes on from them.
            if number + 4 < newest {
                assert!(opened[name] <= 2 * once, "{header:?}, {name}: {} bytes at an opening", opened[name]);
            }
        }
    }
}

#[test]
fn a_store_that_is_far_away_is_asked_for_no_more_either() {
    for part_bytes in [8 << 20, 64 << 10] {
        for header in HEADERS {
            let read = [0, LONG].map(|bytes| {
                let store = Store::default();
                let storage: Arc<dyn Storage> = Arc::new(store.open(1, part_bytes).unwrap());
                fill(storage, header, bytes);
                let storage: Arc<dyn Storage> = Arc::new(store.look().unwrap());
                store.take_read_bytes();
                Log::glance(&storage, PIPELINE).unwrap();
                store.take_read_bytes()
            });
            // The first bytes of a record, and where its parts are.
            let around = (2 * COMMITS + 3) as u64 * (FIRST_BYTES + 1_000);
            assert!(read[1] <= read[0] + around, "{header:?}, parts of {part_bytes}: {read:?}, {around} more at most");
        }
    }
}

#[test]
fn damage_within_a_long_header_is_found_and_headers_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let over = |number: usize| -> Arc<dyn Storage> {
        match number {
            0 => Arc::new(MemoryStorage::new()),
            1 => Arc::new(LocalFolder::open(folder.path(), 1).unwrap()),
            _ => Arc::new(Store::default().open(1, 50_000).unwrap()),
        }
    };
    for number in 0..3 {
        let storage = over(number);
        fill(storage.clone(), (3_000, 5_000), 1_000);
        let glance = Log::glance(&storage, PIPELINE).unwrap();
        let counters = &glance.recovery.last.unwrap().commit.counters;
        assert_eq!((counters.len(), counters[2_999].1), (3_000, 2_999), "storage {number}");
    }
    let memory = MemoryStorage::new();
    fill(Arc::new(memory.clone()), (3_000, 5_000), 1_000);
    let name = "log/00000000000000000003";
    let whole = memory.files().remove(name).unwrap();
    let header = header_bytes(&whole) as usize + AROUND_BYTES as usize;
    assert!(header > 50_000, "{header}");
    let storage: Arc<dyn Storage> = Arc::new(memory.clone());
    let found = || Log::glance(&storage, PIPELINE).unwrap().records[2].found.clone();
    assert!(found().is_ok());
    for at in [12, 14, 40, 4_095, 4_096, 4_097, 20_000, header - 5, header - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        memory.overwrite(name, bytes);
        assert!(found().is_err(), "a bit of the byte {at}");
        memory.overwrite(name, whole[..at].to_vec());
        assert!(found().is_err(), "cut at {at}");
    }
}

/// Where sources were behind a batch is as long as a folder's batch has files, and a log has thousands of batches.
#[test]
fn a_log_in_memory_does_not_have_where_sources_were_and_a_run_goes_on_from_there_all_the_same() {
    let pin_of = |batch: i64| format!("{batch}").repeat(1_000);
    let memory = MemoryStorage::new();
    let (mut log, _) = Log::open(Arc::new(memory.clone()), PIPELINE, "first", Timestamp(0)).unwrap();
    for number in 1..=COMMITS {
        let batch = Timestamp(number * 1_000_000);
        let mut plan = plan(batch, None, None);
        let more = |pin: String| SourcePin { stream: "more".to_owned(), pin, logged: None };
        plan.sources = vec![more(pin_of(number))];
        plan.away = vec![more(pin_of(100 + number))];
        let plan = log.append(Record::Plan(plan), &[]).unwrap();
        log.append(Record::Commit(commit(batch, plan, 1)), &[]).unwrap();
    }
    let pins = |records: &[Scanned]| -> usize {
        let plans = records.iter().filter_map(|record| match &record.found.as_ref().ok()?.record {
            Record::Plan(plan) => Some(plan.sources.iter().chain(&plan.away)),
            _ => None,
        });
        plans.flatten().filter(|source| !source.pin.is_empty()).count()
    };
    assert_eq!(pins(log.records()), 0, "of the host that wrote them");
    let storage: Arc<dyn Storage> = Arc::new(memory.clone());
    let glance = Log::glance(&storage, PIPELINE).unwrap();
    assert!(pins(&glance.records) <= 2 * 4, "{} pins are held while a log is looked at", pins(&glance.records));
    // Every end that an opening goes back from: all is there, the last commit is damaged, its batch is planned again, and so on.
    let newest = log.records().last().unwrap().number;
    for back in 0..2 {
        let memory = memory.copy();
        for number in newest + 1 - back..=newest {
            let name = format!("log/{number:020}");
            let cut = memory.files()[&name][..40].to_vec();
            memory.overwrite(&name, cut);
        }
        let (log, recovery) = Log::open(Arc::new(memory), PIPELINE, "second", Timestamp(0)).unwrap();
        let last = COMMITS - back as i64;
        let plan = recovery.last.unwrap().plan;
        assert_eq!((plan.sources[0].pin.clone(), plan.away[0].pin.clone()), (pin_of(last), pin_of(100 + last)));
        assert_eq!(
            recovery.planned.map(|planned| planned.plan.sources[0].pin.clone()),
            (back > 0).then(|| pin_of(COMMITS))
        );
        assert_eq!(pins(log.records()), 0, "of the host that goes on");
    }
}
