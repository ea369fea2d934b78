//! Sources that give rows while a batch is open, and say at its tick that they have none: what was written of it comes to nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tidemill_checkpoint::{MemoryStorage, Storage, Survey};
use tidemill_connect::system::{ManualClock, Threads};
use tidemill_engine::{
    Parts, Run, RunError, Settings, Until,
    checkpoint::{Checkpoint, Step},
};
use tidemill_model::{
    ports::{Chunk, Irregularity, PortError, Repeatable, Sealed, Source, Taken, Wake},
    schema::Schema,
    testing::Value,
    time::Timestamp,
};

use super::{
    at,
    world::{Delivered, Stop, StopAt, exactly},
};
use crate::{guests::guests, harness, source::chunk_of};

const PIPELINE: &str = "[streams.one]\nqueue = { schema = \"n: integer\", batches = [] }\n\
                        [streams.two]\nqueue = { schema = \"n: integer\", batches = [] }\n\
                        [outputs.one]\nfrom = \"one\"\nprint = true\n[outputs.two]\nfrom = \"two\"\nprint = true\n";

/// A stream of two lanes, of which the second one comes first.
const LANES: &str = "[streams.lanes]\nqueue = { schema = \"n: integer\", batches = [] }\n\
                     [outputs.lanes]\nfrom = \"lanes\"\nprint = true\n";

const BATCHES: usize = 6;

/// Which of its batches there are. All of them have rows.
fn is_there(stream: &str, batch: usize) -> bool {
    match stream {
        "one" => [true, false, true, false, false, true][batch],
        "two" => [true, true, false, false, true, false][batch],
        _ => true,
    }
}

fn rows(stream: &str, batch: usize) -> Vec<i64> {
    let first = (batch as i64 + 1) * if stream == "one" { 10 } else { 100 };
    vec![first, first + 1, first + 2]
}

/// Gives a batch row by row while it is open; as `lanes` the first row in the second lane.
struct Hasty {
    stream: String,
    schema: Schema,
    batch: usize,
    given: usize,
    is_sealed: bool,
}

impl Source for Hasty {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        let rows = if self.batch < BATCHES { rows(&self.stream, self.batch) } else { Vec::new() };
        let Some(row) = rows.get(self.given) else {
            let end = std::mem::take(&mut self.is_sealed);
            if end {
                (self.batch, self.given) = (self.batch + 1, 0);
            }
            return Ok(Taken { end, ..Taken::default() });
        };
        let lane = (self.stream == "lanes").then_some(u32::from(self.given == 0));
        self.given += 1;
        let chunk = Chunk { partition: lane, ..chunk_of(&self.schema, &[vec![Value::Integer(*row)]]) };
        Ok(Taken { chunks: vec![chunk], bytes: 1, end: false })
    }

    fn seal(&mut self, _at: Timestamp) -> Result<Sealed, PortError> {
        self.is_sealed = true;
        let present = self.batch < BATCHES && is_there(&self.stream, self.batch);
        Ok(Sealed { present, last: self.batch + 1 >= BATCHES })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}

    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        Some(self)
    }
}

impl Repeatable for Hasty {
    fn pin(&mut self) -> Result<String, PortError> {
        Ok(self.batch.to_string())
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        self.batch = pin.parse().unwrap();
        Ok(())
    }

    fn repeat(&mut self, pin: &str) -> Result<(), PortError> {
        self.batch = pin.parse::<usize>().unwrap() - 1;
        Ok(())
    }
}

struct Place {
    text: String,
    storage: Arc<MemoryStorage>,
    delivered: Arc<Mutex<Delivered>>,
    hosts: u64,
}

impl Place {
    fn new(text: &str) -> Place {
        Place { text: text.to_owned(), storage: Arc::default(), delivered: Arc::default(), hosts: 0 }
    }

    /// To the end, or to a step. `above`: rows are written when there are more bytes of them.
    fn run(&mut self, stop: Option<Stop>, above: usize) -> Result<(), RunError> {
        self.hosts += 1;
        let storage: Arc<dyn Storage> = self.storage.clone();
        let mut checkpoint = Checkpoint::new(storage, format!("host {}", self.hosts), Vec::new());
        checkpoint.failpoints = Box::new(StopAt(stop));
        let plan = harness::plan(&self.text, 2);
        let wake = Wake::default();
        let sources = harness::sources(&plan, &wake, |stream, source| {
            let (stream, schema) = (stream.to_owned(), source.schema().clone());
            Box::new(Hasty { stream, schema, batch: 0, given: 0, is_sealed: false })
        });
        let sinks = plan.outputs.iter().map(|output| exactly(&output.name, &self.delivered)).collect();
        let parts = Parts {
            plan,
            plugins: guests().plugins(),
            sources,
            sinks,
            clock: Arc::new(ManualClock::new(Timestamp(0))),
            wake,
            spawn: Arc::new(Threads),
            checkpoint: Some(checkpoint),
        };
        let settings = Settings { workers: 1, seed: 7, fresh_instances: false, until: Until::Done };
        let mut run = Run::try_new(parts, &settings)?;
        run.hold_outputs(above);
        run.run().map(drop)
    }

    /// What each output has got, by the batches' numbers.
    fn got(&self) -> BTreeMap<(String, i64), Vec<i64>> {
        let delivered = self.delivered.lock().unwrap();
        let got = delivered.batches().map(|((output, time), rows)| {
            let rows = rows.concat().iter().map(|row| row.trim().parse().unwrap()).collect();
            ((output.clone(), time.0 / 1_000_000), rows)
        });
        got.collect()
    }

    /// The outputs of which a commit has rows in a file of their own, by the batches' numbers. No other file is left.
    fn beside(&self) -> BTreeMap<i64, Vec<String>> {
        let storage: Arc<dyn Storage> = self.storage.clone();
        let survey = Survey::of(&storage).unwrap().unwrap();
        let unnamed: Vec<_> = survey.outboxes.iter().filter(|outbox| outbox.commit.is_none()).collect();
        assert!(unnamed.is_empty(), "{unnamed:?}");
        let batches = survey.history.batches().into_iter();
        let beside = batches.filter_map(|batch| {
            let outbox = batch.commit?.1.outbox.as_ref()?;
            Some((batch.time.0 / 1_000_000, outbox.outputs.iter().map(|output| output.output.clone()).collect()))
        });
        beside.collect()
    }
}

/// What the outputs are to get.
fn expected() -> BTreeMap<(String, i64), Vec<i64>> {
    let all = ["one", "two"].into_iter().flat_map(|stream| (0..BATCHES).map(move |batch| (stream, batch)));
    let there = all.filter(|(stream, batch)| is_there(stream, *batch));
    there.map(|(stream, batch)| ((stream.to_owned(), batch as i64 + 1), rows(stream, batch))).collect()
}

#[test]
fn rows_of_a_batch_that_turns_out_to_be_none_are_nowhere() {
    for above in [0, usize::MAX] {
        let mut place = Place::new(PIPELINE);
        place.run(None, above).unwrap();
        assert_eq!(place.got(), expected(), "{above}");
        let is_beside =
            |batch: usize| ["one", "two"].into_iter().filter(move |stream| above == 0 && is_there(stream, batch));
        let beside = (0..BATCHES).map(|batch| (batch as i64 + 1, is_beside(batch).map(str::to_owned).collect()));
        let beside: BTreeMap<i64, Vec<String>> =
            beside.filter(|(_, outputs): &(_, Vec<_>)| !outputs.is_empty()).collect();
        assert_eq!(place.beside(), beside, "{above}");
    }
}

/// Rows are written as they come, and of parts it is known at the end which one comes first.
#[test]
fn rows_that_are_written_as_they_come_are_delivered_in_their_order() {
    let in_order = |batch: usize| match rows("lanes", batch)[..] {
        [first, second, third] => vec![second, third, first],
        _ => Vec::new(),
    };
    let expect = (0..BATCHES).map(|batch| (("lanes".to_owned(), batch as i64 + 1), in_order(batch))).collect();
    // All of them, those of a row or some, and the rest with the batch's end; none.
    for above in [0, 5, 10, 15, 20, usize::MAX] {
        let mut place = Place::new(LANES);
        place.run(None, above).unwrap();
        assert_eq!(place.got(), expect, "{above}");
        assert_eq!(place.beside().len(), if above == usize::MAX { 0 } else { BATCHES }, "{above}");
    }
    stop_everywhere(LANES, &expect);
}

#[test]
fn nor_are_they_wherever_a_run_stops() {
    stop_everywhere(PIPELINE, &expected());
}

/// Stops at every step of every batch in turn, and runs on.
fn stop_everywhere(text: &str, expect: &BTreeMap<(String, i64), Vec<i64>>) {
    for batch in 1..=BATCHES as i64 {
        for step in Step::ALL {
            for after in [false, true] {
                let mut place = Place::new(text);
                let above = if batch % 2 == 0 { 0 } else { 10 };
                let told = format!("{step:?} {after} of the batch {batch}");
                let stopped = place.run(Some(Stop { step, after, batch: at(batch) }), above);
                assert!(matches!(stopped, Ok(()) | Err(RunError::Failpoint { .. })), "{told}: {stopped:?}");
                place.run(None, above).unwrap();
                let mut got = place.got();
                // A host that begins anew behind the last batch has a batch more, which has no rows.
                got.retain(|(_, batch), _| *batch <= BATCHES as i64);
                assert_eq!(got, *expect, "{told}");
                place.beside();
            }
        }
    }
}
