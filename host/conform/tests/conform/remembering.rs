//! A sink that appends to a store in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use arrow_array::RecordBatch;
use tidemill_conform::{Kept, Place, SinkSample, rows_of, walk_sink};
use tidemill_connect::system::{ManualClock, Threads};
use tidemill_model::{
    connector::{SinkSettings, World},
    ports::{Owner, PortError, Sink, SinkParts, SinkRows},
    time::Timestamp,
};
use tidemill_plan::{
    connector::{Connector, Form, Key, Page, Short},
    reader::{Reader, values},
};

use super::{CONNECTORS, finds};

pub static REMEMBERING: Connector =
    Connector { key: "remembering", source: None, sink: Some(Form { page: PAGE, read }), letters: None };

const PAGE: Page = Page {
    says: "Rows in memory.",
    short: Short::Text { key: "fault", what: "what it does wrong, or a table" },
    keys: &[Key("fault", "text", "none", "what it does wrong")],
};

fn read(reader: &mut Reader<'_, '_>) -> Option<Arc<dyn SinkSettings>> {
    Some(Arc::new(Settings(reader.read("fault", values::text)?.text)))
}

#[derive(Debug)]
struct Settings(String);

/// What outlives runs.
#[derive(Debug, Default)]
struct Store {
    /// The claim that owns it.
    owner: u64,
    written: BTreeMap<(Timestamp, u32), Vec<RecordBatch>>,
    prepared: BTreeMap<Timestamp, String>,
    batches: Vec<Kept>,
    newest: Option<Timestamp>,
    opened: u32,
}

struct Remembering {
    fault: String,
    store: Arc<Mutex<Store>>,
    owner: u64,
    /// What was prepared last, so that rows behind it begin the batch anew.
    prepared: Option<Timestamp>,
}

impl SinkSettings for Settings {
    fn rows_max(&self) -> Option<usize> {
        (self.0 == "rows").then_some(3)
    }

    fn open(&self, _output: &str, world: &World) -> Result<Box<dyn Sink>, PortError> {
        let store: Arc<Mutex<Store>> = world.shared.get(|| Ok(Mutex::default()))?;
        if self.0 == "effect" {
            store.lock().unwrap().opened += 1;
        }
        Ok(Box::new(Remembering { fault: self.0.clone(), store, owner: 0, prepared: None }))
    }
}

impl Remembering {
    fn has(&self, fault: &str) -> bool {
        self.fault == fault
    }

    /// Nothing of this run counts where another one owns the place.
    fn own<T>(&self, change: impl FnOnce(&mut Store) -> T) -> Result<T, PortError> {
        let mut store = self.store.lock().unwrap();
        if store.owner != self.owner && !self.has("overtaken") {
            return Err(PortError::refused("the place is another's"));
        }
        Ok(change(&mut store))
    }
}

impl Sink for Remembering {
    fn begin(&mut self, owner: &Owner<'_>) -> Result<(), PortError> {
        let mut store = self.store.lock().unwrap();
        let generation = owner.generation.unwrap_or(0);
        if !(owner.is_held)() || generation < store.owner {
            return Err(PortError::refused("the place is another's"));
        }
        (store.owner, self.owner) = (generation, generation);
        if !self.has("sweep") {
            store.written.clear();
            store.prepared.clear();
        }
        Ok(())
    }

    fn write(&mut self, rows: &SinkRows<'_>) -> Result<(), PortError> {
        let is_anew = self.prepared.take() == Some(rows.batch) && !self.has("anew");
        self.own(|store| {
            if is_anew {
                store.written.retain(|(batch, _), _| *batch != rows.batch);
            }
            store.written.entry((rows.batch, rows.part)).or_default().push(rows.rows.clone());
        })
    }

    fn prepare(&mut self, batch: &SinkParts<'_>) -> Result<(), PortError> {
        self.prepared = Some(batch.time);
        let shows_early = self.has("early");
        self.own(|store| {
            let of = |part: &u32| store.written.get(&(batch.time, *part)).into_iter().flatten();
            let rows = batch.parts.iter().flat_map(of).flat_map(|rows| rows_of(batch.schema, rows));
            let rows: String = rows.map(|row| format!("{row:?}\n")).collect();
            if shows_early {
                store.batches.push(Kept { batch: batch.time, rows: rows.clone() });
            }
            store.prepared.insert(batch.time, rows);
        })
    }

    fn discard(&mut self, batch: Timestamp) -> Result<(), PortError> {
        if self.has("discard") {
            return Ok(());
        }
        self.own(|store| store.written.retain(|(other, _), _| *other != batch))
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        let (twice, seen) = (self.fault.ends_with("twice"), self.has("seen"));
        self.own(|store| {
            store.written.retain(|(batch, _), _| *batch != time);
            let rows = store.prepared.remove(&time).unwrap_or_default();
            let is_there = match seen {
                true => store.batches.iter().any(|kept| kept.batch == time),
                false => store.newest >= Some(time),
            };
            if !is_there || twice {
                store.batches.push(Kept { batch: time, rows });
                store.newest = store.newest.max(Some(time));
            }
        })
    }

    fn newest(&self) -> Result<Option<Timestamp>, PortError> {
        Ok(if self.fault.starts_with("ignorant") { None } else { self.store.lock().unwrap().newest })
    }

    fn rows_max(&self) -> Option<usize> {
        None
    }
}

struct Memory {
    fault: &'static str,
    world: World,
}

static FAULT: Mutex<&'static str> = Mutex::new("");

fn memory() -> Box<dyn Place> {
    let stdout = Arc::new(Mutex::new(Vec::<u8>::new()));
    let world = World::new(Arc::new(ManualClock::new(Timestamp(0))), Arc::new(Threads), ".".into(), stdout);
    Box::new(Memory { fault: *FAULT.lock().unwrap(), world })
}

impl Memory {
    fn store(&self) -> Arc<Mutex<Store>> {
        self.world.shared.get(|| Ok(Mutex::default())).unwrap()
    }
}

impl Place for Memory {
    fn written(&self) -> String {
        format!("\"{}\"", self.fault)
    }

    fn world(&self, run: u64) -> World {
        World { run, ..self.world.clone() }
    }

    fn seen(&self) -> Vec<Kept> {
        self.store().lock().unwrap().batches.clone()
    }

    fn whole(&self) -> String {
        format!("{:?}", self.store().lock().unwrap())
    }

    fn take_away(&mut self) -> bool {
        self.store().lock().unwrap().batches.clear();
        true
    }
}

pub fn sinks(fault: &'static str) -> Vec<SinkSample> {
    *FAULT.lock().unwrap() = fault;
    vec![SinkSample { key: "remembering", name: "memory", place: memory }]
}

#[test]
fn mistakes_of_sinks_are_found() {
    for (fault, expect) in [
        ("", ""),
        ("ignorant", ""),
        ("ignorant, and twice", ""),
        ("effect", "has an effect before it begins"),
        ("rows", "how many rows it looks at"),
        ("early", "something is seen before it is delivered"),
        ("twice", "killed behind"),
        ("sweep", "killed behind"),
        ("anew", "prepared twice"),
        ("discard", "discarded behind"),
        ("seen", "taken away and given again"),
        ("overtaken", "overtaken before"),
    ] {
        finds(fault, expect, || walk_sink(CONNECTORS, &sinks(fault)[0]));
    }
}
