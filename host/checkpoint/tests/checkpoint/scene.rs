//! A host that sums numbers: each batch's rows come from the input log, its state is the sum and count so far, and its
//! output is the batch's numbers. Those of every other batch lie in a file of their own, each in a part.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arrow_array::{Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use tidemill_checkpoint::{
    Archive, BatchPlan, CheckpointError, Commit, InputLog, InputPosition, Keep, Log, LoggedRange, MemoryStorage,
    Number, Outbox, OutboxParts, Outboxes, PluginDigest, Record, Recovery, Section, SectionKind, SourcePin, Storage,
    StorageError, TableSchema,
};
use tidemill_model::{table::TableKind, time::Timestamp};

pub const PIPELINE: &str = "sums";
pub const START: InputPosition = InputPosition::START;

/// One column of numbers.
pub fn rows(numbers: &[i64]) -> RecordBatch {
    let schema = Arc::new(Schema::new(vec![Field::new("number", DataType::Int64, false)]));
    RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(numbers.to_vec()))]).unwrap()
}

pub fn numbers(batch: &RecordBatch) -> Vec<i64> {
    let column = batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap();
    (0..column.len()).map(|row| column.value(row)).collect()
}

pub fn section(kind: SectionKind, numbers: &[i64]) -> Section {
    let batches = if numbers.is_empty() { Vec::new() } else { vec![rows(numbers)] };
    Section { kind, stream: "sums".to_owned(), table: String::new(), partition: 0, batches }
}

pub fn section_numbers(sections: &[Section], kind: SectionKind) -> Vec<i64> {
    let of_kind = sections.iter().filter(|section| section.kind == kind);
    of_kind.flat_map(|section| &section.batches).flat_map(numbers).collect()
}

pub fn plan(batch: Timestamp, logged: Option<LoggedRange>, delivered: Option<Timestamp>) -> BatchPlan {
    let source = SourcePin { stream: "numbers".to_owned(), pin: "{}".to_owned(), logged };
    let plugin = PluginDigest { name: "sums".to_owned(), sha256: [7; 32] };
    BatchPlan { batch, sources: vec![source], plugins: vec![plugin], delivered, tables: Vec::new(), away: Vec::new() }
}

pub fn commit(batch: Timestamp, plan: Number, count: u64) -> Commit {
    let state = TableSchema {
        stream: "sums".to_owned(),
        table: String::new(),
        kind: TableKind::Keyed,
        function: "sums/sum".to_owned(),
        keys: "key: text".to_owned(),
        rows: "sum: integer".to_owned(),
        version: 1,
        settings: String::new(),
        is_of_source: false,
        is_whole: false,
        previously: None,
    };
    Commit { batch, plan, counters: vec![("rows".to_owned(), count)], tables: vec![state], outbox: None }
}

/// Sum and count after everything that was recovered.
pub fn state(archive: &Archive, recovered: &Recovery) -> Result<(i64, i64), CheckpointError> {
    let mut state = vec![0, 0];
    if let Some(commit) = recovered.snapshot {
        let sections: Vec<Section> = archive.read_snapshot(commit)?.collect::<Result<_, _>>()?;
        state = section_numbers(&sections, SectionKind::State);
    }
    for &commit in &recovered.deltas {
        state = section_numbers(&archive.read_sections(commit)?, SectionKind::State);
    }
    Ok((state[0], state[1]))
}

/// A number that no other opening of a folder has.
pub fn new_writer() -> u64 {
    static WRITERS: AtomicU64 = AtomicU64::new(1);
    WRITERS.fetch_add(1, Ordering::Relaxed)
}

/// How a host opens its storage.
pub type Opening = Box<dyn Fn() -> Result<Arc<dyn Storage>, StorageError> + Send>;

/// What is outside: a sink that knows the batches it has, and a peer that resends what was not acknowledged.
#[derive(Default)]
pub struct World {
    pub storage: MemoryStorage,
    /// Another pipeline than [`PIPELINE`].
    pub pipeline: Option<&'static str>,
    /// Another storage to run over, opened anew by each host.
    pub opened: Option<Opening>,
    pub acknowledged: i64,
    pub sink: BTreeMap<Timestamp, Vec<i64>>,
    pub deliveries: usize,
    pub openings: usize,
    /// How many numbers the last opening found logged.
    pub found: i64,
}

impl World {
    fn deliver(&mut self, batch: Timestamp, numbers: Vec<i64>) {
        self.deliveries += 1;
        let known = self.sink.entry(batch).or_insert_with(|| numbers.clone());
        assert_eq!(*known, numbers, "batch {batch} again, and it is another one");
    }

    fn open(&self) -> Result<Arc<dyn Storage>, StorageError> {
        self.opened.as_ref().map_or_else(|| Ok(Arc::new(self.storage.clone()) as Arc<dyn Storage>), |open| open())
    }

    /// Runs until the numbers up to `last` are summed and delivered.
    pub fn run(&mut self, last: i64) -> Result<(), CheckpointError> {
        self.openings += 1;
        let storage = self.open()?;
        let host = format!("host {}", self.openings);
        let (mut log, recovered) = Log::open(storage.clone(), self.pipeline.unwrap_or(PIPELINE), &host, Timestamp(0))?;
        let mut outboxes = log.outboxes();
        let (mut sum, mut count) = state(log.archive(), &recovered)?;
        for undelivered in &recovered.undelivered {
            self.deliver(undelivered.batch, outputs(&log, undelivered.number)?);
        }
        let mut delivered = recovered.last.as_ref().map(|last| last.commit.batch);
        let planned = recovered.planned.map(|planned| (planned.number, planned.plan));
        let last_plan = recovered.last.map(|last| last.plan);
        let mut from = last_plan.as_ref().map_or(START, end);
        let needed = planned.as_ref().map(|(_, plan)| end(plan)).or(last_plan.as_ref().map(end));
        let (mut input, _) = InputLog::open(storage, log.fence(), needed, 300)?;
        let logged = read(&input, from, input.position())?;
        let mut sent = count + logged.len() as i64;
        self.found = sent;
        assert!(sent >= self.acknowledged, "acknowledged {} and logged {sent}", self.acknowledged);
        let mut batch = delivered.unwrap_or(Timestamp(0));
        let mut again = planned;
        loop {
            batch = Timestamp(batch.0 + 1_000_000);
            let (number, range) = match again.take() {
                Some((number, plan)) => (number, plan.sources[0].logged.unwrap()),
                None => {
                    for _ in 0..2 {
                        if sent < last {
                            sent += 1;
                            input.append("numbers", Some(0), &rows(&[sent]))?;
                        }
                    }
                    let range = LoggedRange { first: from, end: input.sync()? };
                    self.acknowledged = self.acknowledged.max(sent);
                    (log.append(Record::Plan(plan(batch, Some(range), delivered)), &[])?, range)
                }
            };
            let numbers = read(&input, range.first, range.end)?;
            from = range.end;
            sum += numbers.iter().sum::<i64>();
            count += numbers.len() as i64;
            let mut commit = commit(batch, number, count as u64);
            let mut sections = vec![section(SectionKind::State, &[sum, count])];
            match has_outbox(batch) {
                true => commit.outbox = Some(outbox(&mut outboxes, &numbers)?),
                false => sections.push(section(SectionKind::Output, &numbers)),
            }
            let commit = log.append(Record::Commit(commit), &sections)?;
            self.deliver(batch, numbers);
            delivered = Some(batch);
            if batch.0 / 1_000_000 % 2 == 0 {
                let snapshot = [Ok(section(SectionKind::State, &[sum, count]))];
                log.archive().write_snapshot(commit, snapshot)?;
                let cleaned = log.clean(Keep { batches: 0, bytes: 0 })?;
                cleaned.input_before.map(|position| log.remove_input_before(position)).transpose()?;
            }
            if count >= last {
                log.append(Record::Delivered { batch }, &[])?;
                return Ok(());
            }
        }
    }

    /// Sum and count are right, and the sink has every number once.
    pub fn check(&self, last: i64) {
        let storage = if self.opened.is_some() { self.open().unwrap() } else { Arc::new(self.storage.copy()) };
        let (log, recovered) = Log::open(storage.clone(), PIPELINE, "checker", Timestamp(0)).unwrap();
        let named: Vec<String> = log.records().iter().filter_map(|record| outbox_name(&log, record.number)).collect();
        let there: Vec<String> = storage.list("outbox").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(there, named, "what no commit names is gone, and what one names is there");
        assert_eq!(state(log.archive(), &recovered).unwrap(), (last * (last + 1) / 2, last));
        assert!(recovered.undelivered.is_empty());
        let delivered: Vec<i64> = self.sink.values().flatten().copied().collect();
        assert_eq!(delivered, (1..=last).collect::<Vec<_>>());
    }
}

/// Whether a batch's numbers lie beside its record.
fn has_outbox(batch: Timestamp) -> bool {
    batch.0 / 1_000_000 % 2 == 1
}

/// Numbers in an outbox, each in a part, which are put in order at last. What another output has written counts for nothing.
pub fn outbox(outboxes: &mut Outboxes, numbers: &[i64]) -> Result<Outbox, CheckpointError> {
    let mut draft = outboxes.begin()?;
    for (part, number) in numbers.iter().enumerate().rev() {
        let part = part as u32;
        draft.write(&Section { partition: part, ..section(SectionKind::Output, &[*number]) })?;
        draft.write(&Section { stream: "other".to_owned(), ..section(SectionKind::Output, &[-1]) })?;
    }
    let parts = (0..).zip(numbers).map(|(part, _)| part).chain([99]).collect();
    draft.publish(vec![OutboxParts { output: "sums".to_owned(), parts }])
}

/// The numbers that a commit has for the sink.
pub fn outputs(log: &Log, commit: Number) -> Result<Vec<i64>, CheckpointError> {
    let sections = log.archive().read_outputs(commit, log.outbox_of(commit))?;
    Ok(section_numbers(&sections, SectionKind::Output))
}

/// What the file of a commit's outbox is called.
fn outbox_name(log: &Log, commit: Number) -> Option<String> {
    log.outbox_of(commit).map(|outbox| format!("{:020}", outbox.number))
}

/// Behind a plan's input.
pub fn end(plan: &BatchPlan) -> InputPosition {
    plan.sources[0].logged.unwrap().end
}

pub fn read(input: &InputLog, first: InputPosition, end: InputPosition) -> Result<Vec<i64>, CheckpointError> {
    let mut found = Vec::new();
    for frame in input.read(LoggedRange { first, end }) {
        found.extend(numbers(&frame?.rows));
    }
    Ok(found)
}
