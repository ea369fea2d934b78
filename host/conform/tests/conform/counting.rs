//! A source that counts.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use arrow_array::{RecordBatch, cast::AsArray, types::Int64Type};
use tidemill_conform::{Feed, SourceSample, walk_source};
use tidemill_connect::system::{ManualClock, Threads};
use tidemill_model::{
    connector::{SourceSettings, World},
    ports::{Chunk, Irregularity, Owner, PortError, Repeatable, Sealed, Source, SourceRows, Taken},
    schema::{Kind, Schema},
    table::{TableKind, TableSpec},
    testing::{Value, buffer_of},
    time::Timestamp,
};
use tidemill_plan::{
    connector::{Connector, Form, Key, Page, Short},
    reader::{Reader, values},
};

use super::{CONNECTORS, finds};

pub static COUNTING: Connector =
    Connector { key: "counting", source: Some(Form { page: PAGE, read }), sink: None, letters: None };

const PAGE: Page = Page {
    says: "Numbers.",
    short: Short::None,
    keys: &[Key("fault", "text", "none", "what it does wrong"), Key("rows", "integer", "100", "how many there are")],
};

fn read(reader: &mut Reader<'_, '_>) -> Option<Arc<dyn SourceSettings>> {
    let fault = reader.read("fault", values::text).map(|fault| fault.text).unwrap_or_default();
    let rows = reader.read("rows", |value, diagnostics| values::integer(value, "`rows`", 0..=u64::MAX, diagnostics));
    Some(Arc::new(CountingSettings { fault, rows: i64::try_from(rows.unwrap_or(100)).ok()? }))
}

#[derive(Clone, Debug)]
struct CountingSettings {
    fault: String,
    rows: i64,
}

/// Rows of a batch, and of a chunk.
const BATCH: i64 = 7;
const CHUNK: i64 = 3;

fn schema() -> Schema {
    Schema::single("n", Kind::Integer)
}

impl SourceSettings for CountingSettings {
    fn schema(&self) -> Schema {
        if self.fault == "schema" { Schema::single("m", Kind::Integer) } else { schema() }
    }

    fn endless(&self) -> Option<&'static str> {
        (self.fault == "endless").then_some("a number")
    }

    fn open(&self, stream: &str, world: &World) -> Result<Box<dyn Source>, PortError> {
        let touched: Arc<AtomicBool> = world.shared.get(|| Ok(AtomicBool::new(false)))?;
        if self.fault == "effect" {
            touched.store(true, Ordering::SeqCst);
        }
        let (settings, stream) = (self.clone(), stream.to_owned());
        Ok(Box::new(Counting {
            settings,
            stream,
            schema: schema(),
            touched,
            next: 0,
            end: None,
            stops: 0,
            first: 0,
            before: 0,
            told: BTreeMap::new(),
        }))
    }
}

struct Counting {
    settings: CountingSettings,
    stream: String,
    schema: Schema,
    touched: Arc<AtomicBool>,
    next: i64,
    /// Of the sealed batch.
    end: Option<i64>,
    /// Where the open batch began, and the one before it.
    first: i64,
    before: i64,
    stops: u32,
    /// What is known of its table: where the last batches ended, and how many were begun by then.
    told: BTreeMap<i64, i64>,
}

impl Counting {
    fn has(&self, fault: &str) -> bool {
        self.settings.fault == fault
    }

    /// Its table as it is: the ends of the last two batches.
    fn ends(&self) -> BTreeMap<i64, i64> {
        [self.before, self.first]
            .into_iter()
            .filter(|end| *end > 0)
            .map(|end| (end, (end + BATCH - 1) / BATCH))
            .collect()
    }

    /// Where the batch ends that has this row.
    fn end_of(&self, row: i64) -> i64 {
        ((row / BATCH + 1) * BATCH).min(self.settings.rows)
    }

    /// Where a batch began, and where it ended.
    fn read_pin(&self, pin: &str) -> Result<(i64, i64), PortError> {
        let rows = pin.strip_prefix("{\"source\":\"counting\",\"rows\":[").and_then(|rest| rest.strip_suffix("]}"));
        let rows = rows.and_then(|rows| rows.split_once(','));
        match rows.and_then(|(first, end)| Some((first.parse().ok()?, end.parse().ok()?))) {
            None if self.has("any pin") => Ok((0, 0)),
            None if self.has("nameless") => Err(PortError::refused("no pin")),
            read => read.ok_or_else(|| PortError::refused(format!("stream `{}`: `{pin}` is no pin", self.stream))),
        }
    }
}

impl Source for Counting {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn begin(&mut self, _owner: &Owner<'_>) -> Result<(), PortError> {
        self.touched.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn take(&mut self, bytes_max: usize) -> Result<Taken, PortError> {
        let end = self.end.unwrap_or_else(|| self.end_of(self.next).min(self.next + CHUNK));
        let chunk = if self.has("chunks") && bytes_max > 1_000 { BATCH } else { CHUNK };
        let to = (self.next - self.next % BATCH % chunk + chunk).min(end).min(self.end_of(self.next));
        let is_open = self.end.is_none() && (to - self.next < CHUNK || to == self.end_of(self.next));
        let mut taken = Taken::default();
        if to > self.next && !is_open {
            let rows: Vec<_> = (self.next..to).map(|n| vec![Value::Integer(n)]).collect();
            let partition = self.has("partition").then_some(3);
            let rows = buffer_of(&self.schema, &rows).to_batch(&self.schema.to_arrow()).unwrap();
            taken.chunks.push(Chunk { partition, rows });
            if !(self.has("ahead") && self.end.is_none()) {
                self.next = to;
            }
        }
        if self.end.take_if(|end| *end <= self.next).is_some() {
            taken.end = true;
            (self.before, self.first) = (self.first, self.next);
        }
        taken.end |= self.has("ends");
        Ok(taken)
    }

    fn seal(&mut self, _at: Timestamp) -> Result<Sealed, PortError> {
        let end = self.end_of(self.next);
        self.end = Some(end);
        let is_last = if self.has("last too soon") { self.next > 20 } else { end >= self.settings.rows };
        Ok(Sealed { present: true, last: is_last && !self.has("last never") })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {
        self.stops += 1;
        assert!(self.stops == 1 || !self.has("stop"), "stopped twice");
    }

    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        if self.has("logged") { None } else { Some(self) }
    }
}

impl Repeatable for Counting {
    fn pin(&mut self) -> Result<String, PortError> {
        Ok(format!("{{\"source\":\"counting\",\"rows\":[{},{}]}}", self.before, self.first))
    }

    fn table(&self) -> Option<TableSpec> {
        let of = |name| Schema::single(name, Kind::Integer);
        let (name, settings) = ("ends".to_owned(), String::new());
        Some(TableSpec { name, kind: TableKind::Keyed, keys: of("end"), rows: of("batches"), version: 1, settings })
    }

    fn changes(&mut self) -> Result<Vec<SourceRows>, PortError> {
        let (before, now) = (std::mem::take(&mut self.told), self.ends());
        let is_all = self.has("tells all") && now != before;
        let went = before.iter().filter(|(end, _)| !now.contains_key(end)).map(|(end, count)| (*end, *count, true));
        let came = now.iter().filter(|(end, _)| is_all || !before.contains_key(end));
        let changed: Vec<_> = came.map(|(end, count)| (*end, *count, false)).chain(went).collect();
        if !self.has("tells again") {
            self.told = now;
        }
        let batch = |name, number: &dyn Fn(&(i64, i64, bool)) -> i64| {
            let schema = Schema::single(name, Kind::Integer);
            let rows: Vec<_> = changed.iter().map(|row| vec![Value::Integer(number(row))]).collect();
            buffer_of(&schema, &rows).to_batch(&schema.to_arrow()).unwrap()
        };
        let deleted = changed.iter().map(|(_, _, is_gone)| *is_gone).collect();
        let rows = SourceRows { keys: batch("end", &|row| row.0), rows: batch("batches", &|row| row.1), deleted };
        Ok(if changed.is_empty() { Vec::new() } else { vec![rows] })
    }

    fn restore(&mut self, rows: &[SourceRows]) -> Result<(), PortError> {
        for rows in rows {
            let column = |batch: &RecordBatch| batch.column(0).as_primitive::<Int64Type>().values().to_vec();
            for ((end, count), is_gone) in column(&rows.keys).into_iter().zip(column(&rows.rows)).zip(&rows.deleted) {
                let is_kept = !is_gone || self.has("keeps what has gone");
                let _ = if is_kept { self.told.insert(end, count) } else { self.told.remove(&end) };
            }
        }
        if self.has("forgets its table") {
            self.told.clear();
        }
        Ok(())
    }

    fn check(&self, pin: &str) -> Result<(), PortError> {
        if self.has("touches") {
            self.touched.store(true, Ordering::SeqCst);
        }
        match self.settings.fault.as_str() {
            "checks nothing" => Ok(()),
            "checks too much" => Err(PortError::refused("no pin")),
            _ => self.read_pin(pin).map(drop),
        }
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        self.next = self.read_pin(pin)?.1 + i64::from(self.has("resume"));
        self.first = self.next;
        Ok(())
    }

    fn repeat(&mut self, pin: &str) -> Result<(), PortError> {
        let (first, end) = self.read_pin(pin)?;
        self.next = if self.has("repeat") { end } else { first };
        self.first = self.next;
        Ok(())
    }
}

/// Nothing happens to numbers.
struct Numbers {
    fault: &'static str,
    world: World,
    come: i64,
}

static FAULT: Mutex<&'static str> = Mutex::new("");

fn numbers() -> Box<dyn Feed> {
    let stdout = Arc::new(Mutex::new(Vec::<u8>::new()));
    let world = World::new(Arc::new(ManualClock::new(Timestamp(0))), Arc::new(Threads), ".".into(), stdout);
    Box::new(Numbers { fault: *FAULT.lock().unwrap(), world, come: 0 })
}

impl Feed for Numbers {
    fn written(&self) -> String {
        format!("{{ rows = 30, fault = \"{}\" }}", self.fault)
    }

    fn world(&self) -> World {
        self.world.clone()
    }

    fn come(&mut self, batch: usize) {
        self.come = batch as i64 + 1;
    }

    fn rows(&self) -> Option<Vec<Vec<Value>>> {
        Some((0..(self.come * BATCH).min(30)).map(|n| vec![Value::Integer(n)]).collect())
    }

    fn is_touched(&mut self) -> bool {
        let touched: Arc<AtomicBool> = self.world.shared.get(|| Ok(AtomicBool::new(false))).unwrap();
        touched.load(Ordering::SeqCst)
    }
}

pub fn sources(fault: &'static str) -> Vec<SourceSample> {
    *FAULT.lock().unwrap() = fault;
    vec![SourceSample { key: "counting", name: "numbers", batches: 6, ends: true, feed: numbers }]
}

#[test]
fn mistakes_of_sources_are_found() {
    for (fault, expect) in [
        ("", ""),
        ("schema", "the schema"),
        ("effect", "has an effect before it begins"),
        ("endless", "does not end"),
        ("logged", "repeatable or logged"),
        ("ends", "ends before it is sealed"),
        ("ahead", "the rows"),
        ("partition", "of the partition"),
        ("last never", "whether it ends"),
        ("last too soon", "something comes behind the end"),
        ("stop", "stopped twice"),
        ("resume", "gone on behind 0"),
        ("repeat", "batch 0, repeated"),
        ("chunks", "present, last, chunks and rows"),
        ("any pin", "is taken for a pin"),
        ("nameless", "no pin"),
        ("checks nothing", "is not refused before the checkpoint is taken over"),
        ("checks too much", "is refused before the checkpoint is taken over alone"),
        ("touches", "has an effect when it checks"),
        ("tells all", "as a change, and it is as it was"),
        ("tells again", "has changed while nothing happened"),
        ("forgets its table", "as a change, and it is as it was"),
        ("keeps what has gone", "as a change, and it is as it was"),
    ] {
        finds(fault, expect, || walk_source(CONNECTORS, &sources(fault)[0]));
    }
}
