//! A source that keeps a table: what it has seen. Wherever a run stops, what came after the very first beginning comes once, and
//! what was there before it never.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use arrow_array::{Int64Array, RecordBatch, cast::AsArray, types::Int64Type};
use tidemill_checkpoint::{Keep, MemoryStorage, Record, Storage};
use tidemill_connect::system::{ManualClock, Threads};
use tidemill_engine::{
    Parts, Run, RunError, Settings, Until,
    checkpoint::{Checkpoint, Point, SnapshotAfter, StoredStates, TableId},
};
use tidemill_model::{
    ports::{Chunk, Irregularity, PortError, Repeatable, Sealed, Source, SourceRows, Taken, Wake},
    schema::Schema,
    table::{TableKind, TableSpec},
    time::Timestamp,
};

use super::{
    at,
    world::{AtOnce, Delivered, Stop, StopAt},
};
use crate::{guests::guests, harness};

const PIPELINE: &str =
    "[streams.in]\nqueue = { schema = \"n: integer\", batches = [] }\n[outputs.in]\nfrom = \"in\"\nprint = true\n";

/// What was there before the source came.
const BEFORE: &str = "[streams.first]\nqueue = { schema = \"n: integer\", batches = [] }\n[outputs.first]\nfrom = \"first\"\nprint = true\n";

/// Numbers that lie somewhere, as files do in a folder.
type Lying = Arc<Mutex<BTreeSet<i64>>>;

/// Gives each number once that came to lie there after it began.
struct Watching {
    schema: Schema,
    lying: Lying,
    /// Those that are not given any more, and what the checkpoint has of them.
    seen: BTreeSet<i64>,
    told: BTreeSet<i64>,
    batch: Vec<i64>,
    again: Option<Vec<i64>>,
    is_sealed: bool,
}

impl Watching {
    fn new(lying: &Lying) -> Watching {
        let seen = lying.lock().unwrap().clone();
        let (schema, lying) = ("n: integer".parse().unwrap(), lying.clone());
        Watching { schema, lying, seen, told: BTreeSet::new(), batch: Vec::new(), again: None, is_sealed: false }
    }

    fn go_on(&mut self, pin: &str) -> Vec<i64> {
        self.seen = self.told.clone();
        pin.split_whitespace().map(|number| number.parse().unwrap()).collect()
    }
}

fn numbers(numbers: &[i64]) -> RecordBatch {
    let schema: Schema = "n: integer".parse().unwrap();
    RecordBatch::try_new(schema.to_arrow(), vec![Arc::new(Int64Array::from(numbers.to_vec()))]).unwrap()
}

impl Source for Watching {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        if !std::mem::take(&mut self.is_sealed) {
            return Ok(Taken::default());
        }
        let chunks = (!self.batch.is_empty()).then(|| Chunk { partition: None, rows: numbers(&self.batch) });
        Ok(Taken { chunks: chunks.into_iter().collect(), bytes: 8, end: true })
    }

    fn seal(&mut self, _at: Timestamp) -> Result<Sealed, PortError> {
        self.is_sealed = true;
        self.batch = self.again.take().unwrap_or_else(|| {
            let mut lying = self.lying.lock().unwrap();
            let new: Vec<i64> = lying.difference(&self.seen).copied().collect();
            // Something comes every time, and what was seen two batches ago goes.
            let next = lying.last().map_or(1, |last| last + 1);
            lying.insert(next);
            lying.retain(|number| *number > next - 4);
            self.seen.extend(&new);
            self.seen.retain(|number| lying.contains(number));
            new
        });
        Ok(Sealed { present: true, last: false })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}

    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        Some(self)
    }
}

impl Repeatable for Watching {
    fn pin(&mut self) -> Result<String, PortError> {
        Ok(self.batch.iter().map(i64::to_string).collect::<Vec<_>>().join(" "))
    }

    fn table(&self) -> Option<TableSpec> {
        let (keys, rows) = ("n: integer".parse().unwrap(), Schema::default());
        let (name, settings) = ("seen".to_owned(), String::new());
        Some(TableSpec { name, kind: TableKind::Keyed, keys, rows, version: 1, settings })
    }

    fn changes(&mut self) -> Result<Vec<SourceRows>, PortError> {
        let changed: Vec<i64> = self.seen.symmetric_difference(&self.told).copied().collect();
        let deleted = changed.iter().map(|number| !self.seen.contains(number)).collect();
        self.told = self.seen.clone();
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(changed.len()));
        let rows = RecordBatch::try_new_with_options(Schema::default().to_arrow(), vec![], &options).unwrap();
        let changes = SourceRows { keys: numbers(&changed), deleted, rows };
        Ok(if changed.is_empty() { Vec::new() } else { vec![changes] })
    }

    fn check(&self, _pin: &str) -> Result<(), PortError> {
        Ok(())
    }

    fn restore(&mut self, rows: &[SourceRows]) -> Result<(), PortError> {
        let keys = rows.iter().flat_map(|rows| rows.keys.column(0).as_primitive::<Int64Type>().values().to_vec());
        self.told = keys.collect();
        Ok(())
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        self.go_on(pin);
        Ok(())
    }

    fn repeat(&mut self, pin: &str) -> Result<(), PortError> {
        self.again = Some(self.go_on(pin));
        Ok(())
    }
}

struct Place {
    text: String,
    storage: MemoryStorage,
    lying: Lying,
    delivered: Arc<Mutex<Delivered>>,
    hosts: u64,
}

impl Place {
    fn new() -> Place {
        let lying = Arc::new(Mutex::new(BTreeSet::from([1, 2, 3])));
        Place { text: PIPELINE.to_owned(), storage: MemoryStorage::new(), lying, delivered: Arc::default(), hosts: 0 }
    }

    /// So many batches, or to a point.
    fn run(&mut self, batches: u64, stop: Option<Stop>) -> Result<(), RunError> {
        self.hosts += 1;
        let storage: Arc<dyn Storage> = Arc::new(self.storage.clone());
        let mut checkpoint = Checkpoint::new(storage, format!("host {}", self.hosts), Vec::new());
        checkpoint.keep = Keep { batches: 1, bytes: 1 << 20 };
        checkpoint.snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max: 2 };
        checkpoint.failpoints = Box::new(StopAt(stop));
        let plan = harness::plan(&self.text, 2);
        let wake = Wake::default();
        let sources = harness::sources(&plan, &wake, |stream, source| match stream {
            "in" => Box::new(Watching::new(&self.lying)),
            _ => source,
        });
        let sinks = plan.outputs.iter().map(|output| super::world::exactly(&output.name, &self.delivered)).collect();
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let (plugins, checkpoint) = (guests().plugins(), Some(checkpoint));
        let spawn: Arc<dyn tidemill_model::ports::Spawn> =
            if stop.is_some() { Arc::new(AtOnce) } else { Arc::new(Threads) };
        let parts = Parts { plan, plugins, sources, sinks, clock, wake, spawn, checkpoint };
        let settings = Settings { workers: 1, seed: 7, fresh_instances: false, until: Until::Batches(batches) };
        Run::try_new(parts, &settings)?.run().map(drop)
    }

    /// Every number that was delivered, with how often.
    fn given(&self) -> BTreeMap<i64, usize> {
        let mut given = BTreeMap::new();
        let delivered = self.delivered.lock().unwrap();
        let rows = delivered.rows().flat_map(|row| row.trim().parse::<i64>());
        rows.for_each(|number| *given.entry(number).or_default() += 1);
        given
    }
}

/// What was there at the first beginning is not given; all that comes later is, once.
#[track_caller]
fn check(place: &Place, told: &str) {
    let given = place.given();
    let last = *given.keys().last().unwrap();
    assert_eq!(given, (4..=last).map(|number| (number, 1)).collect(), "{told}");
    assert!(last > 8, "{told}: {last}");
}

#[test]
fn whatever_a_run_stops_at_all_that_comes_after_the_first_beginning_comes_once() {
    for batch in 1..=5 {
        for point in Point::ALL {
            for after in [false, true] {
                let told = format!("{point:?} {after} of the batch {batch}");
                let mut place = Place::new();
                let stopped = place.run(6, Some(Stop { point, after, batch: at(batch) }));
                assert!(matches!(stopped, Ok(()) | Err(RunError::Failpoint { .. })), "{told}: {stopped:?}");
                // Something comes while nobody runs. If nothing was begun, it was there before.
                let began = place.history_has_start();
                if began {
                    let next = place.lying.lock().unwrap().last().map_or(1, |last| last + 1);
                    place.lying.lock().unwrap().insert(next);
                }
                place.run(7, None).unwrap();
                place.run(3, None).unwrap();
                check(&place, &told);
            }
        }
    }
}

/// One that comes while a batch is run again has begun when it is there, whatever becomes of that batch.
#[test]
fn what_comes_while_a_batch_is_run_again_without_the_source_comes_once() {
    for (point, after) in [(Point::Start, true), (Point::Commit, false), (Point::Commit, true), (Point::Deliver, true)]
    {
        let mut place = Place { text: BEFORE.to_owned(), ..Place::new() };
        let stopped = place.run(6, Some(Stop { point: Point::Plan, after: true, batch: at(2) }));
        assert!(matches!(stopped, Err(RunError::Failpoint { .. })), "{stopped:?}");
        place.text = format!("{BEFORE}{PIPELINE}");
        let batch = if point == Point::Start { at(3) } else { at(2) };
        let stopped = place.run(6, Some(Stop { point, after, batch }));
        assert!(matches!(stopped, Err(RunError::Failpoint { .. })), "{point:?}: {stopped:?}");
        // It comes while nobody runs.
        let next = place.lying.lock().unwrap().last().map_or(1, |last| last + 1);
        place.lying.lock().unwrap().insert(next);
        place.run(7, None).unwrap();
        place.run(3, None).unwrap();
        check(&place, &format!("{point:?} {after}"));
    }
}

impl Place {
    fn history_has_start(&self) -> bool {
        let storage: Arc<dyn Storage> = Arc::new(self.storage.clone());
        let history = tidemill_checkpoint::History::of(&storage).unwrap();
        let mut headers =
            history.iter().flat_map(|history| &history.records).filter_map(|record| record.found.as_ref().ok());
        // What was cleaned away stood before a commit.
        headers.any(|header| matches!(header.record, Record::Start(_) | Record::Commit(_)))
    }
}

#[test]
fn the_table_holds_what_is_seen_and_a_batch_stores_what_changed() {
    let mut place = Place::new();
    place.run(9, None).unwrap();
    let storage: Arc<dyn Storage> = Arc::new(place.storage.clone());
    let survey = tidemill_checkpoint::Survey::of(&storage).unwrap().unwrap();
    let recovery = survey.recovery.as_ref().unwrap();
    let mut stored = StoredStates::load(survey.history.archive(), &survey.history.records, recovery).unwrap();
    let id = TableId { stream: "in".to_owned(), table: "seen".to_owned() };
    let mut seen = Vec::new();
    let read = stored.each_block(&id, |block| {
        seen.extend(block.keys.column(0).as_primitive::<Int64Type>().values().to_vec());
        Ok::<(), tidemill_engine::checkpoint::RestoreError>(())
    });
    read.unwrap();
    let lying = place.lying.lock().unwrap().clone();
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), lying.into_iter().rev().skip(1).collect());
    let archive = survey.history.archive();
    for record in &survey.history.records {
        let Ok(Record::Plan(plan)) = record.found.as_ref().map(|header| &header.record) else { continue };
        let sections = archive.read_sections(record.number).unwrap();
        let rows: usize = sections.iter().flat_map(|section| &section.batches).map(RecordBatch::num_rows).sum();
        assert!(rows <= 2, "{plan:?} stores {rows} rows");
    }
}
