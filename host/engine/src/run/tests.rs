//! What cannot be seen from outside: limits that are too large to be reached in a test.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Mutex;

use tidemill_checkpoint::{Budget, Fault, MemoryStorage, Operation};
use tidemill_model::{
    ports::{Chunk, Irregularity, PortError, Repeatable, Sealed, SinkParts, SinkRows, Taken},
    schema::Schema,
    testing::{Value, buffer_of},
};

use super::*;
use crate::{arrival::Arrival, testing::plan};

/// Gives a chunk of a thousand integers whenever it is asked, and notes how many it gave in each batch.
struct Endless {
    schema: Schema,
    sealed: bool,
    given: usize,
    log: Arc<Mutex<Vec<usize>>>,
    has_checkpoint: bool,
}

impl Source for Endless {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        if std::mem::take(&mut self.sealed) {
            return Ok(Taken { end: true, ..Taken::default() });
        }
        self.given += 1;
        assert!(self.given < 1_000, "nobody stops it");
        let rows: Vec<_> = (0..1_000).map(|n| vec![Value::Integer(n)]).collect();
        let rows = buffer_of(&self.schema, &rows).to_batch(&self.schema.to_arrow()).unwrap();
        Ok(Taken { chunks: vec![Chunk { partition: None, rows }], bytes: 8_000, end: false })
    }

    fn seal(&mut self, _at: Timestamp) -> Result<Sealed, PortError> {
        self.sealed = true;
        self.log.lock().unwrap().push(std::mem::take(&mut self.given));
        Ok(Sealed { present: true, last: false })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}

    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        assert!(self.has_checkpoint, "nobody keeps pins: there is no checkpoint");
        None
    }
}

/// Looks at so many rows of a batch.
struct Nowhere {
    rows_max: Option<usize>,
}

impl Sink for Nowhere {
    fn write(&mut self, _: &SinkRows<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn prepare(&mut self, _: &SinkParts<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn discard(&mut self, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }

    fn deliver(&mut self, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }

    fn rows_max(&self) -> Option<usize> {
        self.rows_max
    }
}

/// Stands still until somebody waits.
#[derive(Default)]
struct Patient(Mutex<i64>);

impl Clock for Patient {
    fn now(&self) -> Timestamp {
        Timestamp(*self.0.lock().unwrap())
    }

    fn wait(&self, deadline: Timestamp, _: &Wake) {
        *self.0.lock().unwrap() = deadline.0;
    }
}

struct NoThreads;

impl Spawn for NoThreads {
    fn spawn(&self, _: String, _: Box<dyn FnOnce() + Send>) {}
}

/// The chunks that each of three batches takes, if operators may hold so many bytes.
fn taken(held_bytes_max: usize) -> Vec<usize> {
    taken_by("sort = \"n\"", held_bytes_max, 3, None)
}

/// The same of a stream that is made in another way, or the source itself, and of so many batches.
fn taken_by(made: &str, held_bytes_max: usize, batches: u64, checkpoint: Option<Checkpoint>) -> Vec<usize> {
    taken_with(made, held_bytes_max, batches, checkpoint, Written { above: usize::MAX, rows_max: None })
}

/// When rows for a sink are written while their batch is open, and how many of them the sink looks at.
#[derive(Clone, Copy)]
struct Written {
    above: usize,
    rows_max: Option<usize>,
}

fn taken_with(
    made: &str,
    held_bytes_max: usize,
    batches: u64,
    checkpoint: Option<Checkpoint>,
    written: Written,
) -> Vec<usize> {
    let (from, made) = match made {
        "" => ("in", String::new()),
        made => ("out", format!("[streams.out]\nfrom = \"in\"\n{made}\n")),
    };
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\npartitions = 2\n\
         [streams.in]\nqueue = {{ schema = \"n: integer\", batches = [] }}\n\
         {made}[outputs.out]\nfrom = \"{from}\"\nprint = true\n"
    );
    let plan = plan(&text);
    let log = Arc::new(Mutex::new(Vec::new()));
    let (schema, has_checkpoint) = (plan.nodes[0].schema.clone(), checkpoint.is_some());
    let source = Endless { schema, sealed: false, given: 0, log: log.clone(), has_checkpoint };
    let parts = Parts {
        plan,
        plugins: HashMap::new(),
        sources: vec![(NodeId(0), Box::new(source))],
        sinks: vec![Box::new(Nowhere { rows_max: written.rows_max })],
        clock: Arc::new(Patient::default()),
        wake: Wake::default(),
        spawn: Arc::new(NoThreads),
        checkpoint,
    };
    let settings = Settings { workers: 1, seed: 1, fresh_instances: false, until: Until::Batches(batches) };
    let mut run = Run::try_new(parts, &settings).unwrap();
    run.held_bytes_max = held_bytes_max;
    run.hold_outputs(written.above);
    let rows = run.run().unwrap().rows;
    let taken = log.lock().unwrap().clone();
    assert_eq!(rows as usize, taken.iter().sum::<usize>() * 1_000);
    taken
}

#[test]
fn a_batch_that_is_full_takes_no_more_before_its_tick() {
    // One more chunk is taken as long as there is no more than the limit.
    const CHUNK: usize = 8_000 + size_of::<(Arrival, usize)>() + size_of::<tidemill_model::columns::ColumnBuffer>();
    for (held_bytes_max, expect) in
        [(0, 1), (CHUNK - 1, 1), (CHUNK, 2), (3 * CHUNK - 1, 3), (3 * CHUNK, 4), (3 * CHUNK + 6_000, 4), (4 * CHUNK, 5)]
    {
        assert_eq!(taken(held_bytes_max), [expect; 3], "{held_bytes_max}");
    }
}

/// Whatever keeps rows until the batch ends: a sink's, those of keys, those that are sorted.
#[test]
fn every_operator_that_keeps_rows_says_so() {
    for made in ["limit = 1000000", "by = \"n\"\nreduce = \"count\"", "sort = \"n\""] {
        assert_eq!(taken_by(made, 0, 2, None), [1; 2], "{made}");
    }
}

/// Input that cannot be read again is logged while its batch is open. It is looked whether there is room for more of it
/// each time that an eighth of the budget has come, and without room no more is taken before the batch has ended.
#[test]
fn an_open_batch_takes_no_more_than_there_is_room_for() {
    const CHUNK_BYTES: u64 = 8_000;
    for chunks_between_looks in [1, 3, 10] {
        let look_bytes = chunks_between_looks * CHUNK_BYTES - CHUNK_BYTES / 2;
        let budget = 8 * look_bytes;
        let (checkpoint, looks) = budgeted(budget);
        let taken = taken_by("sort = \"n\"", usize::MAX, 1, Some(checkpoint))[0] as u64;
        // Once before the batch.
        assert_eq!(*looks.lock().unwrap(), 1 + taken / chunks_between_looks, "{taken} chunks");
        assert_eq!(taken % chunks_between_looks, 0, "{taken} chunks");
        let last_looked_at = (taken - chunks_between_looks) * CHUNK_BYTES;
        assert!(last_looked_at <= budget && budget < taken * (CHUNK_BYTES + 2_000), "{taken} chunks of {budget} bytes");
    }
}

/// A checkpoint with a budget, and how often it is looked whether there is room.
fn budgeted(budget: u64) -> (Checkpoint, Arc<Mutex<u64>>) {
    let (storage, looks) = (MemoryStorage::new(), Arc::new(Mutex::new(0)));
    let seen = looks.clone();
    storage.set_faults(move |call| {
        *seen.lock().unwrap() += u64::from(call.operation == Operation::Free);
        Fault::None
    });
    let checkpoint = Checkpoint {
        budget: Budget { bytes_max: Some(budget), free_bytes_min: 0 },
        ..Checkpoint::new(Arc::new(storage), "host".to_owned(), Vec::new())
    };
    (checkpoint, looks)
}

/// Rows that are written while their batch is open need room as its input does: half as many chunks fit into a budget, and it is
/// looked twice as often behind so many of them.
#[test]
fn rows_that_are_written_need_room_as_input_does() {
    const BUDGET: u64 = 800_000;
    let fits = |above| {
        let (checkpoint, looks) = budgeted(BUDGET);
        let taken = taken_with("", usize::MAX, 1, Some(checkpoint), Written { above, rows_max: None });
        (taken[0] as u64, *looks.lock().unwrap() - 1)
    };
    let (held, looks) = fits(usize::MAX);
    assert!((90..=115).contains(&held) && (7..=9).contains(&looks), "{held} chunks, {looks} looks");
    let (written, looks) = fits(0);
    assert!((45..=60).contains(&written) && (7..=9).contains(&looks), "{written} chunks, {looks} looks");
}

/// What was written is not held any more, so the batch is not full; what a sink looks at alone is held to the end.
#[test]
fn rows_that_are_written_are_not_held() {
    const CHUNK: usize = 8_000 + size_of::<(Arrival, usize)>() + size_of::<tidemill_model::columns::ColumnBuffer>();
    let full_at = |above, rows_max| {
        let (checkpoint, _) = budgeted(800_000);
        taken_with("", 5 * CHUNK, 1, Some(checkpoint), Written { above, rows_max })[0]
    };
    assert!(full_at(usize::MAX, None) < 10);
    assert!(full_at(0, None) > 40);
    assert!(full_at(2 * CHUNK, None) > 40);
    assert!(full_at(0, Some(1 << 20)) < 10);
}
