//! Files on a disk that forgets what was not synced.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{cell::Cell, sync::Arc};

use tempfile::TempDir;
use tidemill_model::{
    ports::SinkBatch,
    schema::Schema,
    testing::disk::{ForgetfulDisk, Forgets, lay, scratch},
};

use super::*;
use crate::{json, queue::JsonText};

const FIRST: Timestamp = Timestamp(1_000_000);
const SECOND: Timestamp = Timestamp(2_000_000);
const THIRD: Timestamp = Timestamp(3_000_000);

/// Where the output's folder is made, in one that must be made first.
const FOLDER: &str = "deep/out";

struct Place {
    root: TempDir,
    disk: Arc<ForgetfulDisk>,
    /// How often it was opened.
    generation: Cell<u64>,
}

impl Place {
    fn new() -> Place {
        let root = scratch();
        let disk = ForgetfulDisk::new(root.path());
        Place { root, disk, generation: Cell::new(0) }
    }

    fn open(&self, run: &str) -> Result<FileSink, PortError> {
        let folder = self.root.path().join(FOLDER);
        let spec = FilesSink { folder: folder.clone(), format: FileFormat::Jsonl };
        let mut sink = FileSink::open("out", &spec, &folder, run, self.disk.disk())?;
        self.generation.set(self.generation.get() + 1);
        sink.begin(&Owner { pipeline: "p", generation: Some(self.generation.get()), is_held: &|| true })?;
        Ok(sink)
    }

    /// A reader moves all away that it sees, for good.
    fn take(&self) -> Vec<(String, String)> {
        let (taken, folder) = (self.delivered(), self.root.path().join(FOLDER));
        for (name, _) in &taken {
            let (batch, _) = name.split_once('/').unwrap();
            remove(&self.disk.disk(), &folder.join(batch)).unwrap();
        }
        if !taken.is_empty() {
            sync_folder(&self.disk.disk(), &folder).unwrap();
        }
        taken
    }

    /// Why a file of the output may not be there after a power cut.
    fn doubt(&self, name: &str) -> Option<String> {
        self.disk.doubt(&self.root.path().join(FOLDER).join(name))
    }

    /// The names that readers pass over.
    fn hidden(&self) -> Vec<String> {
        let entries = fs::read_dir(self.root.path().join(FOLDER)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with('.')).collect()
    }

    /// What was delivered, by the places of files.
    fn delivered(&self) -> Vec<(String, String)> {
        let folder = self.root.path().join(FOLDER);
        let mut files = Vec::new();
        let batches = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        for (batch, name) in
            batches.map(|batch| (batch.clone(), batch.file_name().unwrap().to_str().unwrap().to_owned()))
        {
            if name.starts_with('.') {
                continue;
            }
            for file in fs::read_dir(&batch).unwrap().map(|entry| entry.unwrap().path()) {
                let file_name = file.file_name().unwrap().to_str().unwrap().to_owned();
                files.push((format!("{name}/{file_name}"), fs::read_to_string(&file).unwrap()));
            }
        }
        files.sort();
        files
    }
}

fn prepare(sink: &mut FileSink, time: Timestamp) -> Result<(), PortError> {
    let schema: Schema = "word: text".parse().unwrap();
    let row = |word: &str| vec![json::parse(&schema, &JsonText(format!(r#"{{"word": "{word}{}"}}"#, time.0))).unwrap()];
    let partitions: Vec<_> = ["a", "b"].map(|word| vec![json::rows(&schema, &row(word)).unwrap()]).to_vec();
    SinkBatch { time, schema: &schema, parts: &partitions }.prepare(sink)
}

/// Writes to parts while nobody knows their order, and prepares them in another one than they came in. One has rows that are not
/// wanted, and one has none.
fn prepare_as_it_comes(sink: &mut FileSink, time: Timestamp) -> Result<(), PortError> {
    let schema: Schema = "word: text".parse().unwrap();
    for (part, word) in [(0, "c"), (2, "a"), (0, "d"), (1, "x"), (2, "b"), (4, "e")] {
        let row = json::parse(&schema, &JsonText(format!(r#"{{"word": "{word}"}}"#))).unwrap();
        let rows = json::rows(&schema, &[row]).unwrap();
        sink.write(&SinkRows { batch: time, part, schema: &schema, rows: &rows })?;
    }
    sink.prepare(&SinkParts { time, schema: &schema, parts: &[2, 0, 3, 4] })
}

/// A run that delivers three batches.
fn work(place: &Place, run: &str) -> Result<(), PortError> {
    let mut sink = place.open(run)?;
    for time in [FIRST, SECOND] {
        prepare(&mut sink, time)?;
        sink.deliver(time)?;
    }
    prepare_as_it_comes(&mut sink, THIRD)?;
    sink.deliver(THIRD)
}

#[test]
fn parts_are_named_by_their_place_in_the_order() {
    let place = Place::new();
    work(&place, "one").unwrap();
    let third = place.delivered().into_iter().filter(|(name, _)| name.starts_with("batch-0000000003000"));
    let words = |words: &[&str]| words.iter().map(|word| format!("{{\"word\":\"{word}\"}}\n")).collect::<String>();
    let expect = [("00000", words(&["a", "b"])), ("00001", words(&["c", "d"])), ("00003", words(&["e"]))];
    let expect = expect.map(|(part, rows)| (format!("batch-0000000003000/part-{part}.jsonl"), rows));
    assert_eq!(third.collect::<Vec<_>>(), expect);
}

#[test]
fn what_was_delivered_is_certain() {
    let place = Place::new();
    let mut sink = place.open("one").unwrap();
    assert_eq!(place.disk.doubt_name(&place.root.path().join(FOLDER)), None, "the folder is made for good");
    prepare(&mut sink, FIRST).unwrap();
    assert_eq!(place.doubt(".staged-0000000001000-one"), None, "the mark may come to know it from now on");
    sink.deliver(FIRST).unwrap();
    assert_eq!(place.doubt(MARK), None);
    for part in 0..2 {
        assert_eq!(place.doubt(&format!("batch-0000000001000/part-{part:05}.jsonl")), None);
    }
    assert_eq!(place.disk.mistakes(), Vec::<String>::new());
    let delivered = place.delivered();
    assert_eq!(delivered.len(), 2);
    lay(place.root.path(), &place.disk.lose_power(Forgets::Everything));
    assert_eq!(place.delivered(), delivered);
}

/// A run is killed right when a batch became visible; another one finds it there.
#[test]
fn what_is_there_already_is_made_certain() {
    for is_prepared in [true, false] {
        let place = Place::new();
        let mut sink = place.open("one").unwrap();
        prepare(&mut sink, FIRST).unwrap();
        // The mark is made, written, synced and renamed, and the folder synced.
        let renamed = place.disk.calls().len() + 5;
        place.disk.stop_at(renamed, true);
        assert!(sink.deliver(FIRST).is_err());
        assert!(place.disk.calls()[renamed].contains(" to deep/out/batch-"), "{:?}", place.disk.calls());
        drop(sink);
        place.disk.restart();
        let mut next = place.open("two").unwrap();
        if is_prepared {
            prepare(&mut next, FIRST).unwrap();
        }
        next.deliver(FIRST).unwrap();
        assert_eq!(place.doubt("batch-0000000001000"), None, "{is_prepared}");
    }
}

#[test]
fn the_power_may_be_cut_at_every_call() {
    let whole = Place::new();
    work(&whole, "one").unwrap();
    let (calls, expect) = (whole.disk.calls().len(), whole.delivered());
    assert!(calls > 30, "{calls}");
    let cuts: Vec<Option<Forgets>> = Forgets::all(3).into_iter().map(Some).chain([None]).collect();
    for call in 0..calls {
        for (after, takes) in [(false, false), (false, true), (true, false), (true, true)] {
            for &cut in &cuts {
                let place = Place::new();
                place.disk.stop_at(call, after);
                let what =
                    format!("{cut:?} at call {call}, after {after}, takes {takes}: {}", whole.disk.calls()[call]);
                assert!(work(&place, "one").is_err() || place.disk.is_down(), "{what}");
                match cut {
                    Some(forgets) => lay(place.root.path(), &place.disk.lose_power(forgets)),
                    None => place.disk.restart(),
                }
                let mut came = if takes { place.take() } else { Vec::new() };
                work(&place, "two").unwrap_or_else(|error| unreachable!("{what}: {error}"));
                let is_whole = |place: &Place| {
                    let mut all = [came.clone(), place.delivered()].concat();
                    all.sort();
                    all == expect
                };
                assert!(is_whole(&place), "{what}: {:?} and {came:?}", place.delivered());
                assert_eq!(place.hidden(), [MARK], "{what}");
                assert_eq!(place.disk.mistakes(), Vec::<String>::new(), "{what}");
                lay(place.root.path(), &place.disk.lose_power(Forgets::Everything));
                assert!(is_whole(&place), "{what}, and the power was cut once more: {:?}", place.delivered());
                came.extend(place.take());
                assert_eq!(place.open("three").unwrap().newest().unwrap(), Some(THIRD), "{what}");
            }
        }
    }
}
