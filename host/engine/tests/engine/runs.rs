//! The batch loop: ticks, stops, and what fails.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, OnceLock},
};

use tidemill_connect::system::{ManualClock, Threads};
use tidemill_engine::{Parts, Run, RunError, Settings, Stopper, Summary, Until};
use tidemill_model::{
    ports::{Clock, Irregularity, PortError, Sink, Spawn, Wake},
    time::Timestamp,
};
use tidemill_plan::graph::NodeId;

use crate::{
    guests::guests,
    harness,
    live::{Called, Live, SharedFeed, Step, WaitedFor},
    recovery::world::heard,
    spawn::{Work, commits},
};

const TEXT: &str = "[streams.out]\nqueue = { schema = \"n: integer\", batches = [] }";
const SECOND: i64 = 1_000_000;

/// A run in a test's hands. Everything is shared, so that a hook can use it.
#[derive(Clone, Default)]
struct Bench {
    feed: SharedFeed,
    stopper: Arc<OnceLock<Stopper>>,
    wake: Wake,
    delivered: Arc<Mutex<Batches>>,
    /// What the clock showed when a run had ended.
    ended_at: Arc<Mutex<i64>>,
    /// Commits get their turn when the test says so.
    turns: Option<Turns>,
}

/// Commits that wait for their turn.
#[derive(Clone, Default)]
struct Turns {
    waiting: Arc<Mutex<Vec<Work>>>,
    /// There is no thread for them.
    are_lost: bool,
}

impl Turns {
    fn give(&self) {
        let work = self.waiting.lock().unwrap().pop();
        work.expect("a batch waits for its commit")();
    }
}

impl Spawn for Turns {
    fn spawn(&self, name: String, work: Work) {
        assert_eq!(name, "commit", "one worker, and no checkpoint");
        if !self.are_lost {
            self.waiting.lock().unwrap().push(work);
        }
    }
}

/// What was delivered: seconds and rows.
type Batches = Vec<(i64, Vec<i64>)>;

impl Bench {
    fn receive(&self, at_micros: i64, n: i64) {
        self.feed.lock().unwrap().received.push((Timestamp(at_micros), n));
    }

    fn stop(&self) {
        self.stopper.get().unwrap().stop();
    }

    /// Runs; `during` is called in every wait, `at_delivery` with every delivered batch.
    fn run(
        &self,
        until: Until,
        during: impl Fn(&ManualClock, Timestamp) + Send + Sync + 'static,
        at_delivery: impl Fn(&ManualClock, Timestamp) + Send + 'static,
    ) -> (Vec<i64>, Result<Summary, RunError>) {
        let (clock, waits) = (ManualClock::new(Timestamp(0)), Mutex::new(Vec::new()));
        let clock = Arc::new(WaitedFor { clock, waits, during });
        let (delivered, time, mut prepared) = (self.delivered.clone(), clock.clone(), Vec::new());
        let sink = Called::new(move |at: Timestamp, step: Step| {
            match step {
                Step::Prepare(rows) => prepared = rows,
                Step::Deliver => {
                    delivered.lock().unwrap().push((at.0 / SECOND, std::mem::take(&mut prepared)));
                    at_delivery(&time.clock, at);
                }
            }
            Ok(())
        });
        let mut run = self.start(vec![Box::new(sink)], clock.clone(), until);
        let result = run.run();
        assert!(self.feed.lock().unwrap().is_stopped, "sources are told when a run is over");
        let waits = clock.waits.lock().unwrap().clone();
        *self.ended_at.lock().unwrap() = clock.clock.now().0;
        (waits, result)
    }

    fn start(&self, sinks: Vec<Box<dyn Sink>>, clock: Arc<dyn Clock>, until: Until) -> Run {
        let settings = Settings { workers: 1, seed: 1, fresh_instances: false, until };
        let run = Run::try_new(
            Parts {
                plan: harness::plan(TEXT, 2),
                plugins: guests().plugins(),
                sources: vec![(NodeId(0), Box::new(Live::new(&self.feed)))],
                sinks,
                clock,
                wake: self.wake.clone(),
                spawn: self.turns.clone().map_or_else(|| commits(false), |turns| Arc::new(turns)),
                checkpoint: None,
            },
            &settings,
        );
        let run = run.unwrap();
        self.stopper.set(run.stopper()).ok();
        run
    }

    fn delivered(&self) -> Batches {
        self.delivered.lock().unwrap().clone()
    }
}

fn nothing(_: &ManualClock, _: Timestamp) {}

#[test]
fn batches_stand_at_multiples_of_the_interval() {
    let bench = Bench::default();
    let (waits, result) = bench.run(Until::Batches(3), nothing, nothing);
    assert_eq!(bench.delivered(), [(1, vec![]), (2, vec![]), (3, vec![])]);
    assert_eq!(waits, [SECOND, 2 * SECOND, 3 * SECOND]);
    assert_eq!(result.unwrap().batches, 3);
}

#[test]
fn late_ticks_all_fire_in_order_each_with_its_own_rows() {
    let bench = Bench::default();
    for (at, n) in [(2_100_000, 21), (3_000_000, 30), (3_000_001, 31), (4_300_000, 43)] {
        bench.receive(at, n);
    }
    // The first batch takes three and a half intervals.
    let slow = |clock: &ManualClock, at: Timestamp| {
        if at.0 == SECOND {
            clock.advance_to(Timestamp(4_500_000));
        }
    };
    // So that the head start before the first tick has nothing.
    let later = std::mem::take(&mut bench.feed.lock().unwrap().received);
    let feed = bench.feed.clone();
    let slow_with_rows = move |clock: &ManualClock, at: Timestamp| {
        slow(clock, at);
        if at.0 == SECOND {
            feed.lock().unwrap().received.clone_from(&later);
        }
    };
    let (waits, result) = bench.run(Until::Batches(6), nothing, slow_with_rows);
    let expect = [(1, vec![]), (2, vec![]), (3, vec![21, 30]), (4, vec![31]), (5, vec![43]), (6, vec![])];
    assert_eq!(bench.delivered(), expect);
    assert_eq!(waits, [SECOND, 5 * SECOND, 6 * SECOND]);
    assert_eq!(result.unwrap().rows, 4);
}

#[test]
fn rows_that_come_before_the_tick_are_run_ahead_of_it_and_belong_to_it() {
    let bench = Bench::default();
    let (feeding, wake) = (bench.clone(), bench.wake.clone());
    let during = move |clock: &ManualClock, deadline: Timestamp| {
        if clock_millis(clock) < 300 {
            clock.advance_to(Timestamp(300_000));
            feeding.receive(300_000, 3);
            wake.notify();
        } else if deadline.0 == 2 * SECOND {
            feeding.receive(deadline.0, 20);
        }
    };
    let (waits, result) = bench.run(Until::Batches(2), during, nothing);
    assert_eq!(bench.delivered(), [(1, vec![3]), (2, vec![20])]);
    assert_eq!(waits, [SECOND, SECOND, 2 * SECOND]);
    assert_eq!(result.unwrap().rows, 2);
}

fn clock_millis(clock: &ManualClock) -> i64 {
    clock.now().millis()
}

/// The loop goes on with the next batch, waits for its tick, and is woken by what has come of the batch before.
#[test]
fn a_batch_is_delivered_while_the_next_one_is_waited_for() {
    for turns_at in [1_500_000, 2 * SECOND, i64::MAX] {
        let turns = Turns::default();
        let bench = Bench { turns: Some(turns.clone()), ..Bench::default() };
        let (delivered, seen) = (bench.delivered.clone(), Arc::new(Mutex::new(Vec::new())));
        let noted = seen.clone();
        let during = move |clock: &ManualClock, deadline: Timestamp| {
            noted.lock().unwrap().push((deadline.0 / SECOND, delivered.lock().unwrap().len()));
            let is_first = noted.lock().unwrap().iter().filter(|(tick, _)| *tick == 2).count() == 1;
            if deadline.0 == 2 * SECOND && is_first && turns_at <= deadline.0 {
                clock.advance_to(Timestamp(turns_at));
                turns.give();
            }
        };
        let (_, result) = bench.run(Until::Batches(3), during, nothing);
        assert_eq!(result.unwrap().batches, 3);
        assert_eq!(bench.delivered(), [(1, vec![]), (2, vec![]), (3, vec![])]);
        // Before a batch is committed the one before is, whoever does it.
        let expect = match turns_at {
            1_500_000 => vec![(1, 0), (2, 0), (2, 1), (3, 1)],
            _ => vec![(1, 0), (2, 0), (3, 1)],
        };
        assert_eq!(*seen.lock().unwrap(), expect, "{turns_at}");
    }
}

/// Time that is made up does not go on while a batch is being committed: how long that takes would be made up, too.
#[test]
fn a_clock_that_jumps_waits_for_commits() {
    let bench = Bench { turns: Some(Turns::default()), ..Bench::default() };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp(0)));
    let (seen, delivered, time) = (bench.delivered.clone(), bench.delivered.clone(), clock.clone());
    let sink = Called::new(move |at: Timestamp, step: Step| {
        if let Step::Deliver = step {
            delivered.lock().unwrap().push((at.0, vec![time.now().0]));
        }
        Ok(())
    });
    let mut run = bench.start(vec![Box::new(sink)], clock, Until::Batches(3));
    run.run().unwrap();
    let seconds = [SECOND, 2 * SECOND, 3 * SECOND];
    assert_eq!(*seen.lock().unwrap(), seconds.map(|second| (second, vec![second])));
}

/// The system gives no thread for a batch: it is committed at once, and not when the next one has been run.
#[test]
fn without_a_thread_a_batch_is_delivered_by_the_loop() {
    let bench = Bench { turns: Some(Turns { are_lost: true, ..Turns::default() }), ..Bench::default() };
    let (delivered, seen) = (bench.delivered.clone(), Arc::new(Mutex::new(Vec::new())));
    let noted = seen.clone();
    let during = move |_: &ManualClock, deadline: Timestamp| {
        noted.lock().unwrap().push((deadline.0 / SECOND, delivered.lock().unwrap().len()));
    };
    let (_, result) = bench.run(Until::Batches(3), during, nothing);
    assert_eq!(result.unwrap().batches, 3);
    assert_eq!(*seen.lock().unwrap(), [(1, 0), (2, 1), (3, 2)]);
}

/// Whoever makes the commit, a panic in it is the run's, and the run leaves nothing behind that is still at work.
#[test]
fn a_panic_in_a_sink_is_the_runs() {
    for turns in [None, Some(Turns::default()), Some(Turns { are_lost: true, ..Turns::default() })] {
        let bench = Bench { turns, ..Bench::default() };
        let breaks = |_: &ManualClock, at: Timestamp| assert!(at.0 < 2 * SECOND, "a mistake in a sink");
        let run = AssertUnwindSafe(|| bench.run(Until::Batches(4), nothing, breaks).1.map(drop));
        let panic = catch_unwind(run).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"a mistake in a sink"));
    }
}

/// Commits that take longer than the interval hold the next batch up, whoever makes them; those that take less hold nobody up.
#[test]
fn that_batches_wait_for_commits_is_told() {
    for (turns, millis, is_told) in
        [(None, 900, false), (Some(()), 900, false), (None, 1_500, true), (Some(()), 1_500, true)]
    {
        let bench = Bench { turns: turns.map(|()| Turns::default()), ..Bench::default() };
        let slow = move |clock: &ManualClock, _: Timestamp| clock.advance_to(Timestamp(clock.now().0 + millis * 1_000));
        let said = heard(|| assert_eq!(bench.run(Until::Batches(6), nothing, slow).1.unwrap().batches, 6));
        let is_pace =
            |said: &&String| said.contains("batches take longer than the interval of 1000 ms: 1500 ms for this one");
        assert_eq!(said.iter().filter(is_pace).count(), usize::from(is_told), "{millis} ms: {said:?}");
        let delays = said.iter().filter(|said| said.contains("Total delay")).count();
        assert_eq!(delays, 6, "each batch is told of when it was delivered: {said:?}");
    }
}

#[test]
fn a_stop_while_it_waits_runs_what_was_received() {
    let bench = Bench::default();
    let stopping = bench.clone();
    let during = move |clock: &ManualClock, deadline: Timestamp| {
        if deadline.0 == 3 * SECOND {
            clock.advance_to(Timestamp(2_400_000));
            stopping.receive(2_400_000, 24);
            stopping.stop();
        }
    };
    let (_, result) = bench.run(Until::Stopped, during, nothing);
    assert_eq!(bench.delivered(), [(1, vec![]), (2, vec![]), (3, vec![24])]);
    assert_eq!(result.unwrap().batches, 3);
}

#[test]
fn a_stop_wakes_who_waits_for_a_tick() {
    // In the first wait for a tick, and in later ones; well before the tick and just at it; with and without rows.
    let cases = (1..=4).flat_map(|wait| [(wait, 600_000), (wait, 1), (wait, 0)]);
    for (wait, early, receives) in cases.flat_map(|(wait, early)| [(wait, early, false), (wait, early, true)]) {
        let bench = Bench::default();
        let stopping = bench.clone();
        let during = move |clock: &ManualClock, deadline: Timestamp| {
            if deadline.0 == wait * SECOND {
                let now = deadline.0 - early;
                clock.advance_to(Timestamp(now));
                if receives {
                    stopping.receive(now, 7);
                }
                stopping.stop();
            }
        };
        let (waits, result) = bench.run(Until::Stopped, during, nothing);
        assert_eq!(*bench.ended_at.lock().unwrap(), wait * SECOND - early, "somebody waited on, for the tick {wait}");
        assert_eq!(waits, (1..=wait).map(|tick| tick * SECOND).collect::<Vec<_>>());
        let rows = if receives { vec![7] } else { vec![] };
        assert_eq!(bench.delivered().last(), Some(&(wait, rows)));
        assert_eq!(result.unwrap().batches, wait as u64);
    }
}

#[test]
fn as_many_batches_are_served_as_were_asked_for() {
    for asked in 0..=5 {
        let bench = Bench::default();
        let (waits, result) = bench.run(Until::Batches(asked), nothing, nothing);
        // One at least: a run without a batch would say nothing.
        let served = asked.max(1);
        assert_eq!((waits.len() as u64, result.unwrap().batches), (served, served));
        assert_eq!(bench.delivered().len() as u64, served);
        assert_eq!(*bench.ended_at.lock().unwrap(), served as i64 * SECOND);
    }
}

#[test]
fn a_stop_during_a_batch_runs_what_was_received_meanwhile() {
    let bench = Bench::default();
    let stopping = bench.clone();
    let at_delivery = move |clock: &ManualClock, at: Timestamp| {
        if at.0 == 2 * SECOND {
            clock.advance_to(Timestamp(2_200_000));
            stopping.receive(2_100_000, 21);
            stopping.stop();
        }
    };
    let (waits, result) = bench.run(Until::Stopped, nothing, at_delivery);
    assert_eq!(bench.delivered(), [(1, vec![]), (2, vec![]), (3, vec![21])]);
    assert_eq!(waits, [SECOND, 2 * SECOND], "nobody waits for a tick when it is to stop");
    assert_eq!(result.unwrap().batches, 3);
}

#[test]
fn a_run_that_is_stopped_before_it_begins_runs_one_batch() {
    let bench = Bench::default();
    bench.receive(1, 7);
    let (delivered, mut prepared) = (bench.delivered.clone(), Vec::new());
    let sink = Called::new(move |at: Timestamp, step: Step| {
        match step {
            Step::Prepare(rows) => prepared = rows,
            Step::Deliver => delivered.lock().unwrap().push((at.0 / SECOND, std::mem::take(&mut prepared))),
        }
        Ok(())
    });
    let mut run = bench.start(vec![Box::new(sink)], Arc::new(ManualClock::new(Timestamp(0))), Until::Stopped);
    run.stopper().stop();
    assert_eq!(run.run().unwrap().batches, 1);
    assert_eq!(bench.delivered(), [(1, vec![7])]);
}

#[test]
fn a_source_that_fails_ends_the_run() {
    #[track_caller]
    fn check(call: &'static str) {
        let bench = Bench::default();
        bench.feed.lock().unwrap().broken = Some(call);
        let (_, result) = bench.run(Until::Batches(3), nothing, nothing);
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), format!("stream `out`: the wire is cut at {call}"));
        assert!(matches!(error, RunError::Source { .. }));
        assert_eq!(bench.delivered(), []);
    }
    check("take");
    check("seal");
}

#[test]
fn a_sink_that_fails_ends_the_run() {
    /// The sink fails in the second batch.
    #[track_caller]
    fn check(fails: fn(&Step) -> bool, delivered: i32) {
        let bench = Bench::default();
        let deliveries = Arc::new(Mutex::new(0));
        let counted = deliveries.clone();
        let sink = Called::new(move |at: Timestamp, step: Step| {
            if at.0 == 2 * SECOND && fails(&step) {
                return Err(PortError::configuration("the disk is full"));
            }
            *counted.lock().unwrap() += i32::from(matches!(step, Step::Deliver));
            Ok(())
        });
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let error = bench.start(vec![Box::new(sink)], clock, Until::Batches(3)).run().unwrap_err();
        assert_eq!(error.to_string(), "batch 2000 ms (1970-01-01T00:00:02Z): output `out`: the disk is full");
        assert!(matches!(error, RunError::Sink { .. }));
        assert_eq!(*deliveries.lock().unwrap(), delivered);
        assert!(bench.feed.lock().unwrap().is_stopped);
    }
    check(|step| matches!(step, Step::Prepare(_)), 1);
    check(|step| matches!(step, Step::Deliver), 1);
}

#[test]
fn input_that_was_not_taken_as_it_was_is_counted() {
    let bench = Bench::default();
    let feed = bench.feed.clone();
    let during = move |_: &ManualClock, deadline: Timestamp| {
        let is_second = deadline.0 == 2 * SECOND;
        let count = if is_second { 5 } else { 2 };
        let found = Irregularity { what: "odd lines".to_owned(), count, is_rejected: is_second };
        feed.lock().unwrap().irregularities.push(found);
    };
    let (_, result) = bench.run(Until::Batches(2), during, nothing);
    let summary = result.unwrap();
    assert_eq!((summary.irregular, summary.rejected), (2, 5));
}

#[test]
fn a_plugin_that_was_not_loaded_is_named() {
    let text = "[streams.in]\nqueue = { schema = \"line: text\", batches = [] }\n\
                [streams.out]\nfrom = \"in\"\nmap = \"hostile/identity\"";
    let (plan, wake) = (harness::plan(text, 1), Wake::default());
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Called::new(|_, _| Ok(())))];
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let (plugins, sources) = (Default::default(), harness::sources(&plan, &wake, |_, source| source));
    let settings = Settings { workers: 1, seed: 1, fresh_instances: false, until: Until::Done };
    let run = Run::try_new(
        Parts { plan, plugins, sources, sinks, clock, wake, spawn: Arc::new(Threads), checkpoint: None },
        &settings,
    );
    assert_eq!(run.err().unwrap().to_string(), "plugin `hostile` was not loaded");
}
