//! Calls that are made again, by every operator that calls a function: how many there are, and how long is waited.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use tidemill_connect::system::{ManualClock, Threads};
use tidemill_engine::{Parts, Run, RunError, Settings, Stopper, Summary, Until};
use tidemill_guest::{LogLine, LogSink};
use tidemill_model::{
    ports::{Clock, Sink, Wake},
    testing::Value,
    time::Timestamp,
};
use tidemill_plan::graph::NodeId;

use crate::{
    guests::guests,
    harness,
    sink::{Collect, Log},
    source::Given,
};

const SECOND: i64 = 1_000_000;

/// Every operator that calls a function, and a row over which it panics.
const OPERATORS: [(&str, &str, i64); 5] = [
    ("[streams.out]\nfrom = \"in\"\nmap = \"hostile/touchy\"", "panic", 1),
    ("[streams.out]\nfrom = \"in\"\nby = \"line\"\nreduce = \"hostile/touchy-sum\"", "adding", 13),
    ("[streams.out]\nfrom = \"in\"\nby = \"line\"\nreduce = \"hostile/touchy-sum\"", "merging", 666),
    ("[streams.out]\nfrom = \"in\"\nby = \"line\"\nupdate-state = \"hostile/touchy-total\"", "unlucky", 13),
    ("[outputs.out]\nfrom = \"in\"\noutput = \"hostile/touchy-lines\"\nprint = true", "panic", 1),
];

/// A clock that goes on when it is waited for, and notes waits that are none for a tick.
struct Noting {
    clock: ManualClock,
    millis: Mutex<Vec<i64>>,
    /// At such a wait.
    stop_at: Option<usize>,
    stopper: OnceLock<Stopper>,
    /// So much it goes on at each look behind the stop.
    step_micros: i64,
}

impl Clock for Noting {
    fn now(&self) -> Timestamp {
        if self.stopper.get().is_some_and(Stopper::is_stopped) {
            self.clock.advance_to(Timestamp(self.clock.now().0 + self.step_micros));
        }
        self.clock.now()
    }

    fn wait(&self, deadline: Timestamp, wake: &Wake) {
        if deadline.0 % SECOND != 0 {
            let waits = (deadline.0 - self.now().0) / 1_000;
            let mut millis = self.millis.lock().unwrap();
            if self.stop_at == Some(millis.len()) {
                self.stopper.get().unwrap().stop();
            }
            millis.push(waits);
        }
        self.clock.wait(deadline, wake);
    }
}

/// Counts panics.
#[derive(Default)]
struct Panics(AtomicUsize);

impl LogSink for Panics {
    fn line(&self, line: LogLine<'_>) {
        // The first of a batch is told, and then how many more there were.
        let more = line.message.split_once(" more panic").and_then(|(count, _)| count.parse().ok());
        self.0.fetch_add(more.unwrap_or(usize::from(line.message.starts_with("panicked"))), Ordering::SeqCst);
    }
}

/// What a run did.
struct Did {
    waits: Vec<i64>,
    panics: usize,
    /// When it ended.
    ended: i64,
    /// The seconds of the batches that the output has got.
    delivered: Vec<i64>,
    result: Result<Summary, RunError>,
}

/// Runs four batches; in the second and the third is a row that makes the function panic.
fn run(operator: &(&str, &str, i64), policy: &str, stop_at: Option<usize>) -> Did {
    run_hurrying(operator, policy, stop_at, 0)
}

/// The same with a clock that goes on by so much at each look behind a stop.
fn run_hurrying(operator: &(&str, &str, i64), policy: &str, stop_at: Option<usize>, step_micros: i64) -> Did {
    let (operator, line, value) = operator;
    let text = format!(
        "[streams.in]\nqueue = {{ schema = \"line: text, value: integer\", batches = [] }}\n{operator}\non-error = {policy}\n"
    );
    let plan = harness::plan(&text, 1);
    let row = |line: &str, value| vec![Value::text(line), Value::Integer(value)];
    let (good, bad) = (Some(vec![row("a", 1)]), Some(vec![row(line, *value)]));
    let given = Given::new(&plan.nodes[0].schema, vec![good.clone(), bad.clone(), bad, good]);
    let panics = Arc::new(Panics::default());
    let plugins = guests().plugins().into_iter().map(|(name, plugin)| (name, plugin.with_log(panics.clone())));
    let log = Log::default();
    let sinks: Vec<Box<dyn Sink>> =
        plan.outputs.iter().map(|output| -> Box<dyn Sink> { Box::new(Collect::new(&output.name, &log)) }).collect();
    let clock = ManualClock::new(Timestamp(0));
    let clock = Arc::new(Noting { clock, millis: Mutex::default(), stop_at, stopper: OnceLock::new(), step_micros });
    let parts = Parts {
        plan,
        plugins: plugins.collect(),
        sources: vec![(NodeId(0), Box::new(given))],
        sinks,
        clock: clock.clone(),
        wake: Wake::default(),
        spawn: Arc::new(Threads),
        checkpoint: None,
    };
    let settings = Settings { workers: 1, seed: 1, fresh_instances: false, until: Until::Batches(4) };
    let mut run = Run::try_new(parts, &settings).unwrap();
    clock.stopper.set(run.stopper()).ok();
    let result = run.run();
    // The last batch's are told when nobody uses its functions any more.
    drop(run);
    let (waits, panics, ended) =
        (clock.millis.lock().unwrap().clone(), panics.0.load(Ordering::SeqCst), clock.now().0 / 1_000);
    let delivered =
        log.lock().unwrap().iter().filter(|batch| batch.output == "out").map(|batch| batch.time.0 / SECOND).collect();
    Did { waits, panics, ended, delivered, result }
}

#[test]
fn every_operator_makes_as_many_calls_as_its_policy_says() {
    for operator in &OPERATORS {
        for retries in 0..=3 {
            let policy = |then| match retries {
                0 => format!("\"{then}\""),
                _ => format!("{{ retry = {retries}, delay = \"100ms\", then = \"{then}\" }}"),
            };
            let waits = &[100, 200, 400][..retries];
            let did = run(operator, &policy("stop"), None);
            assert_eq!((did.waits.as_slice(), did.panics), (waits, 1 + retries), "{operator:?}");
            assert!(matches!(did.result, Err(RunError::Operator { .. })), "{operator:?}: {:?}", did.result);
            assert_eq!(did.delivered, [1], "{operator:?}");
            let did = run(operator, &policy("skip-batch"), None);
            // Of each batch anew.
            assert_eq!((did.waits, did.panics), (waits.repeat(2), 2 * (1 + retries)), "{operator:?}");
            assert_eq!(did.result.unwrap().skipped, 2, "{operator:?}");
            assert_eq!(did.delivered, [1, 4], "{operator:?}");
            let did = run(operator, &policy("dead-letter"), None);
            // And one more by a new instance before the row is set aside.
            assert_eq!((did.waits, did.panics), (waits.repeat(2), 2 * (2 + retries)), "{operator:?}");
            assert_eq!(did.result.unwrap().rejected, 2, "{operator:?}");
            assert_eq!(did.delivered, [1, 2, 3, 4], "{operator:?}");
        }
    }
}

#[test]
fn a_stop_during_a_retry_waits_for_nothing_any_more() {
    for operator in &OPERATORS {
        for (at, waits, ended) in [(0, vec![100], 2_000), (1, vec![100, 200], 2_100)] {
            let did = run(operator, "{ retry = 2, delay = \"100ms\", then = \"dead-letter\" }", Some(at));
            // The batch comes to its end as it would have, and what was received meanwhile is run at once: it fails too.
            assert_eq!((did.waits, did.panics), (waits, 8), "{operator:?}");
            assert_eq!((did.delivered, did.ended), (vec![1, 2, 3], ended), "{operator:?}");
            assert_eq!(did.result.unwrap().batches, 3);
        }
    }
}

/// Whatever its policy is: no row is set aside for want of time, and no batch skipped.
#[test]
fn a_batch_that_has_no_time_left_is_undone() {
    for operator in &OPERATORS {
        for then in ["stop", "skip-batch", "dead-letter"] {
            let policy = format!("{{ retry = 3, delay = \"100ms\", then = \"{then}\" }}");
            let did = run_hurrying(operator, &policy, Some(0), 3_600 * SECOND);
            let error = did.result.expect_err("there is no time");
            assert!(
                matches!(error, RunError::OutOfTime { batch, .. } if batch.0 == 2 * SECOND),
                "{operator:?}: {error}"
            );
            // The call after the stop is the first look at the time, and that after it the first one that is too late.
            assert_eq!((did.waits, did.panics, did.delivered), (vec![100], 2, vec![1]), "{operator:?}, {then}");
        }
    }
}
