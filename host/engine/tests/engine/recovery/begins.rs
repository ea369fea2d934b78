//! When sources and sinks begin: once, when the checkpoint is this run's and all that may be refused has been, and behind what
//! says where they go on. A run that is refused has no effect.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tidemill_checkpoint::{CheckpointError, History, MemoryStorage, Storage};
use tidemill_connect::system::{ManualClock, Threads};
use tidemill_engine::{
    Parts, Run, RunError, Settings, Stopper, Summary, Until,
    checkpoint::{Checkpoint, RestoreError},
};
use tidemill_model::{
    ports::{
        Acknowledging, Irregularity, Owner, PortError, PortErrorKind, Repeatable, Sealed, Sink, SinkParts, SinkRows,
        Source, Taken, Wake,
    },
    schema::Schema,
    time::Timestamp,
};

use crate::{guests::guests, harness};

/// The calls of the sources and sinks of a run, in order.
type Calls = Arc<Mutex<Vec<String>>>;

/// What of a source is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Repeatable,
    Logged,
    Acknowledging,
}

/// A source without rows that says what it is asked.
struct Watched {
    kind: Kind,
    schema: Schema,
    calls: Calls,
    is_sealed: bool,
    /// How it begins; then it does.
    begins: VecDeque<PortErrorKind>,
    /// Told to stop when this many beginnings are left.
    stops: Option<(usize, Arc<Mutex<Option<Stopper>>>)>,
}

impl Watched {
    fn say(&self, call: &str) {
        self.calls.lock().unwrap().push(format!("source {call}"));
    }
}

impl Source for Watched {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn begin(&mut self, _owner: &Owner<'_>) -> Result<(), PortError> {
        self.say("begin");
        if let Some((left, stopper)) = &self.stops
            && *left == self.begins.len()
        {
            stopper.lock().unwrap().iter().for_each(Stopper::stop);
        }
        let failed = self.begins.pop_front();
        failed.map_or(Ok(()), |kind| Err(PortError { kind, message: "the port is in use".to_owned(), source: None }))
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        self.say("take");
        Ok(Taken { end: std::mem::take(&mut self.is_sealed), ..Taken::default() })
    }

    fn seal(&mut self, _at: Timestamp) -> Result<Sealed, PortError> {
        self.say("seal");
        self.is_sealed = true;
        Ok(Sealed { present: true, last: false })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {
        self.say("stop");
    }

    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        if self.kind == Kind::Repeatable { Some(self) } else { None }
    }

    fn acknowledging(&mut self) -> Option<&mut dyn Acknowledging> {
        if self.kind == Kind::Acknowledging { Some(self) } else { None }
    }
}

impl Repeatable for Watched {
    fn pin(&mut self) -> Result<String, PortError> {
        Ok("1".to_owned())
    }

    fn check(&self, _pin: &str) -> Result<(), PortError> {
        self.say("check");
        Ok(())
    }

    fn resume_after(&mut self, _pin: &str) -> Result<(), PortError> {
        self.say("resume");
        Ok(())
    }

    fn repeat(&mut self, _pin: &str) -> Result<(), PortError> {
        self.say("repeat");
        Ok(())
    }
}

impl Acknowledging for Watched {
    fn pin(&mut self) -> Result<String, PortError> {
        Ok("1".to_owned())
    }

    fn check(&self, _pin: &str) -> Result<(), PortError> {
        self.say("check");
        Ok(())
    }

    fn resume_after(&mut self, _pin: &str) -> Result<(), PortError> {
        self.say("resume");
        Ok(())
    }

    fn acknowledge(&mut self) {
        self.say("acknowledge");
    }
}

/// A sink that takes nothing and says what it is asked.
struct Watching {
    calls: Calls,
    is_anothers: bool,
}

impl Sink for Watching {
    fn look(&self, _pipeline: &str, _is_kept: bool) -> Result<(), PortError> {
        if self.is_anothers { Err(PortError::refused("it is another's")) } else { Ok(()) }
    }

    fn begin(&mut self, _owner: &Owner<'_>) -> Result<(), PortError> {
        self.calls.lock().unwrap().push("sink begin".to_owned());
        Ok(())
    }

    fn write(&mut self, _rows: &SinkRows<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn prepare(&mut self, _batch: &SinkParts<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn discard(&mut self, _batch: Timestamp) -> Result<(), PortError> {
        Ok(())
    }

    fn deliver(&mut self, _time: Timestamp) -> Result<(), PortError> {
        self.calls.lock().unwrap().push("sink deliver".to_owned());
        Ok(())
    }
}

/// A pipeline on a checkpoint, and how its ports behave.
struct Case {
    text: String,
    kind: Kind,
    storage: Arc<MemoryStorage>,
    is_anothers: bool,
    begins: Vec<PortErrorKind>,
    /// The run is told to stop when so many beginnings are left.
    stops: Option<usize>,
}

const PIPELINE: &str = "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n\
     [streams.in]\nqueue = { schema = \"word: text, count: integer\", batches = [] }\n\
     [streams.out]\nfrom = \"in\"\nby = \"word\"\nupdate-state = \"wordcount/running-total\"\n";

impl Case {
    fn new(kind: Kind) -> Case {
        let storage = Arc::new(MemoryStorage::new());
        Case { text: PIPELINE.to_owned(), kind, storage, is_anothers: false, begins: Vec::new(), stops: None }
    }

    /// One run of some batches, and the calls until it began, and behind that.
    fn run(&self, batches: u64) -> (Result<Summary, RunError>, Vec<String>) {
        self.run_with(batches, || {})
    }

    /// `between` is done when it has taken the checkpoint over.
    fn run_with(&self, batches: u64, between: impl FnOnce()) -> (Result<Summary, RunError>, Vec<String>) {
        let plan = harness::plan(&self.text, 2);
        let (calls, stopper) = (Calls::default(), Arc::default());
        let sources = harness::sources(&plan, &Wake::default(), |_, source| {
            Box::new(Watched {
                kind: self.kind,
                schema: source.schema().clone(),
                calls: calls.clone(),
                is_sealed: false,
                begins: self.begins.clone().into(),
                stops: self.stops.map(|left| (left, Arc::clone(&stopper))),
            })
        });
        let sink = || -> Box<dyn Sink> { Box::new(Watching { calls: calls.clone(), is_anothers: self.is_anothers }) };
        let parts = Parts {
            sinks: plan.outputs.iter().map(|_| sink()).collect(),
            plan,
            plugins: guests().plugins(),
            sources,
            clock: Arc::new(ManualClock::new(Timestamp(0))),
            wake: Wake::default(),
            spawn: Arc::new(Threads),
            checkpoint: Some(Checkpoint::new(self.storage.clone(), "a run".to_owned(), Vec::new())),
        };
        let settings = Settings { workers: 1, seed: 1, fresh_instances: false, until: Until::Batches(batches) };
        let result = Run::try_new(parts, &settings).and_then(|mut run| {
            *stopper.lock().unwrap() = Some(run.stopper());
            between();
            run.run()
        });
        let calls = calls.lock().unwrap().clone();
        (result, calls)
    }

    /// How many records of batches the checkpoint has.
    fn records(&self) -> usize {
        let storage: Arc<dyn Storage> = self.storage.clone();
        History::of(&storage).unwrap().map_or(0, |history| history.batches().len())
    }
}

const KINDS: [Kind; 3] = [Kind::Repeatable, Kind::Logged, Kind::Acknowledging];

/// Nothing but what is always said at an end.
#[track_caller]
fn has_no_effect(calls: &[String], why: &str) {
    const NONE: [&str; 3] = ["source stop", "source check", "source resume"];
    let effects: Vec<_> = calls.iter().filter(|call| !NONE.contains(&call.as_str())).collect();
    assert!(effects.is_empty(), "{why}: {effects:?}");
}

#[test]
fn a_run_that_is_refused_never_begins() {
    for kind in KINDS {
        let case = Case::new(kind);
        case.run(2).0.unwrap();
        let records = case.records();
        let refused = |why: &str, change: &dyn Fn(&mut Case)| {
            let mut other = Case { storage: case.storage.clone(), ..Case::new(kind) };
            change(&mut other);
            let (result, calls) = other.run(1);
            has_no_effect(&calls, why);
            assert_eq!(case.records(), records, "{why}");
            result.expect_err(why)
        };
        let error = refused("another pipeline", &|case| case.text = case.text.replace("\"p\"", "\"q\""));
        let RunError::Checkpoint(error) = error else { panic!("{error}") };
        assert!(matches!(*error, CheckpointError::OtherPipeline { .. }), "{error}");
        let error = refused("another source", &|case| {
            case.text = case.text.replace("[streams.in]", "[streams.new]").replace("\"in\"", "\"new\"");
        });
        let RunError::Restore(error) = error else { panic!("{error}") };
        assert!(matches!(*error, RestoreError::Source { .. }), "{error}");
        let error = refused("another's place", &|case| case.is_anothers = true);
        assert!(matches!(error, RunError::Place { .. }), "{error}");
    }
}

#[test]
fn a_host_that_is_overtaken_before_it_begins_never_does() {
    for kind in KINDS {
        let case = Case::new(kind);
        case.run(1).0.unwrap();
        let (result, calls) = case.run_with(1, || _ = case.run(1).0.unwrap());
        let error = result.expect_err("it was overtaken");
        let RunError::Checkpoint(error) = error else { panic!("{error}") };
        assert!(matches!(*error, CheckpointError::Fenced { .. }), "{error}");
        has_no_effect(&calls, "overtaken");
    }
}

#[test]
fn sources_begin_where_they_go_on_and_before_the_outputs() {
    for kind in KINDS {
        let case = Case::new(kind);
        let first = ["source begin", "sink begin"];
        let goes_on: &[&str] = match kind {
            Kind::Repeatable => &["source check", "source resume", "source begin", "sink begin"],
            Kind::Logged => &["source begin", "sink begin"],
            Kind::Acknowledging => {
                &["source check", "source resume", "source begin", "source acknowledge", "sink begin"]
            }
        };
        for expect in [&first[..], goes_on] {
            let (result, calls) = case.run(1);
            result.unwrap();
            assert_eq!(calls[..expect.len()], *expect, "{kind:?}");
            let begins = calls.iter().filter(|call| call.ends_with("begin")).count();
            assert_eq!(begins, 2, "{calls:?}");
        }
    }
}

#[test]
fn what_is_not_there_is_told_before_anything_is_durable() {
    for kind in KINDS {
        let case = Case { begins: vec![PortErrorKind::Environment], ..Case::new(kind) };
        let (result, calls) = case.run(1);
        assert_eq!(result.expect_err("a port in use").to_string(), "stream `in`: the port is in use");
        assert_eq!((calls, case.records()), (vec!["source begin".to_owned(), "source stop".to_owned()], 0));
    }
}

#[test]
fn what_may_pass_is_waited_for_until_the_run_is_told_to_stop() {
    let passing = vec![PortErrorKind::Passing; 9];
    let begins = |calls: &[String]| calls.iter().filter(|call| *call == "source begin").count();
    let case = Case { begins: passing.clone(), ..Case::new(Kind::Logged) };
    let (result, calls) = case.run(1);
    assert_eq!((result.unwrap().batches, begins(&calls)), (1, 10));

    let case = Case { begins: passing, stops: Some(6), ..Case::new(Kind::Logged) };
    let (result, calls) = case.run(1);
    assert_eq!(result.expect_err("it was told to stop").to_string(), "stream `in`: the port is in use");
    assert_eq!((begins(&calls), case.records()), (4, 0));
}
