//! Sources that give rows while a batch is open, and say at its tick that they have none: what was written of it comes to nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use arrow_array::RecordBatch;
use tidemill_checkpoint::{MemoryStorage, Storage, Survey};
use tidemill_connect::system::{ManualClock, Threads};
use tidemill_engine::{
    Parts, Run, RunError, Settings, Until,
    checkpoint::{Checkpoint, Point},
};
use tidemill_model::{
    ports::{Chunk, Irregularity, PortError, Repeatable, Sealed, Sink, SinkParts, SinkRows, Source, Taken, Wake},
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

/// Texts of a megabyte, in some batches more than are held.
const LARGE: &str = "[streams.large]\nqueue = { schema = \"t: text\", batches = [] }\n\
                     [outputs.large]\nfrom = \"large\"\nprint = true\n";

const BATCHES: usize = 6;

/// Which of its batches there are. All of them have rows.
fn is_there(stream: &str, batch: usize) -> bool {
    match stream {
        "one" => [true, false, true, false, false, true][batch],
        "two" => [true, true, false, false, true, false][batch],
        _ => true,
    }
}

/// Numbers, or the lengths of texts.
fn rows(stream: &str, batch: usize) -> Vec<i64> {
    if stream == "large" {
        return vec![1 << 20; if batch.is_multiple_of(2) { 15 } else { 17 }];
    }
    let first = (batch as i64 + 1) * if stream == "one" { 10 } else { 100 };
    vec![first, first + 1, first + 2]
}

/// Of which the text of this place in its batch is made.
fn letter(place: usize) -> char {
    (b'a' + place as u8).into()
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
        // A large chunk comes first.
        let count = if self.stream == "large" && self.given == 0 { 9 } else { 1 };
        let value = |given: usize| match self.stream.as_str() {
            "large" => Value::Text(letter(given).to_string().repeat(*row as usize)),
            _ => Value::Integer(*row),
        };
        let values: Vec<_> = (self.given..self.given + count).map(|given| vec![value(given)]).collect();
        let lane = (self.stream == "lanes").then_some(u32::from(self.given == 0));
        self.given += count;
        let chunk = Chunk { partition: lane, ..chunk_of(&self.schema, &values) };
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

    fn check(&self, _pin: &str) -> Result<(), PortError> {
        Ok(())
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

/// A sink that looks at the first rows of a batch alone, and gets them when the batch has ended.
struct Few {
    inner: Box<dyn Sink>,
    rows_max: usize,
    /// That were written and are not prepared.
    rows: usize,
}

impl Sink for Few {
    fn write(&mut self, rows: &SinkRows<'_>) -> Result<(), PortError> {
        self.rows += rows.rows.num_rows();
        assert!(self.rows <= self.rows_max, "rows are written that it does not look at");
        self.inner.write(rows)
    }

    fn prepare(&mut self, batch: &SinkParts<'_>) -> Result<(), PortError> {
        self.rows = 0;
        self.inner.prepare(batch)
    }

    fn discard(&mut self, batch: Timestamp) -> Result<(), PortError> {
        panic!("{batch} was written before all of its rows were known");
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        self.inner.deliver(time)
    }

    fn newest(&self) -> Result<Option<Timestamp>, PortError> {
        self.inner.newest()
    }

    fn rows_max(&self) -> Option<usize> {
        Some(self.rows_max)
    }
}

struct Place {
    text: String,
    /// An output whose sink looks at so many rows.
    few: Option<(&'static str, usize)>,
    storage: Arc<MemoryStorage>,
    delivered: Arc<Mutex<Delivered>>,
    hosts: u64,
}

impl Place {
    fn new(text: &str) -> Place {
        Place { text: text.to_owned(), few: None, storage: Arc::default(), delivered: Arc::default(), hosts: 0 }
    }

    /// To the end, or to a point. `above`: rows are written when there are more bytes of them.
    fn run(&mut self, stop: Option<Stop>, above: usize) -> Result<(), RunError> {
        self.run_as_it_is(stop, |run| run.hold_outputs(above))
    }

    fn run_as_it_is(&mut self, stop: Option<Stop>, set: impl FnOnce(&mut Run)) -> Result<(), RunError> {
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
        let few = |name: &str| self.few.filter(|(output, _)| *output == name).map(|(_, rows_max)| rows_max);
        let sink = |name: &str| -> Box<dyn Sink> {
            match few(name) {
                None => exactly(name, &self.delivered),
                Some(rows_max) => Box::new(Few { inner: exactly(name, &self.delivered), rows_max, rows: 0 }),
            }
        };
        let sinks = plan.outputs.iter().map(|output| sink(&output.name)).collect();
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
        set(&mut run);
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
    stop_everywhere(|| Place::new(LANES), &expect);
}

/// Of a batch some outputs have been written when it ends, and others have not.
#[test]
fn a_sink_that_looks_at_some_rows_gets_those_alone_beside_one_that_is_written_early() {
    let first_two = |((output, batch), mut rows): ((String, i64), Vec<i64>)| {
        rows.truncate(if output == "two" { 2 } else { usize::MAX });
        ((output, batch), rows)
    };
    let expect = expected().into_iter().map(first_two).collect();
    stop_everywhere(|| Place { few: Some(("two", 2)), ..Place::new(PIPELINE) }, &expect);
}

#[test]
fn rows_of_sixteen_megabytes_are_held_and_more_are_written() {
    let mut place = Place::new(LARGE);
    place.run_as_it_is(None, |_| {}).unwrap();
    assert_eq!(place.beside().into_keys().collect::<Vec<_>>(), [2, 4, 6]);
}

/// As many rows as a source gives at once are written in pieces, so that they need not be in memory once more.
#[test]
fn rows_of_a_large_chunk_are_written_piece_by_piece_and_all_of_them_come_back() {
    let mut place = Place::new(LARGE);
    let stop = Stop { point: Point::Commit, after: true, batch: at(2) };
    assert!(matches!(place.run_as_it_is(Some(stop), |_| {}), Err(RunError::Failpoint { .. })));
    let storage: Arc<dyn Storage> = place.storage.clone();
    let survey = Survey::of(&storage).unwrap().unwrap();
    let outboxes = survey.history.batches().into_iter().filter_map(|batch| batch.commit?.1.outbox.as_ref());
    let sections: Vec<_> = outboxes.flat_map(|outbox| survey.history.archive().outbox(outbox).unwrap()).collect();
    for section in sections {
        let rows: usize = section.unwrap().batches.iter().map(RecordBatch::num_rows).sum();
        assert!(rows <= 5, "{rows} megabytes are in one piece");
    }
    place.run_as_it_is(None, |_| {}).unwrap();
    let delivered = place.delivered.lock().unwrap();
    for ((_, time), parts) in delivered.batches().filter(|((_, time), _)| *time <= at(BATCHES as i64)) {
        let letters: String = parts.iter().flatten().map(|row| row.trim_matches('"').chars().next().unwrap()).collect();
        let expect: String = (0..rows("large", time.0 as usize / 1_000_000 - 1).len()).map(letter).collect();
        assert_eq!(letters, expect, "{time}");
    }
}

#[test]
fn nor_are_they_wherever_a_run_stops() {
    stop_everywhere(|| Place::new(PIPELINE), &expected());
}

/// Stops at every point of every batch in turn, and runs on.
fn stop_everywhere(place: impl Fn() -> Place, expect: &BTreeMap<(String, i64), Vec<i64>>) {
    for batch in 1..=BATCHES as i64 {
        for point in Point::ALL {
            for after in [false, true] {
                let mut place = place();
                let above = if batch % 2 == 0 { 0 } else { 10 };
                let told = format!("{point:?} {after} of the batch {batch}");
                let stopped = place.run(Some(Stop { point, after, batch: at(batch) }), above);
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
