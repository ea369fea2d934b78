//! What becomes of a run that ends: of the batch that it is at, and of what was received.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tidemill_checkpoint::MemoryStorage;
use tidemill_connect::system::ManualClock;
use tidemill_engine::{Parts, Run, RunError, Settings, Stopper, Summary, Until, checkpoint::Checkpoint};
use tidemill_model::{
    ports::{Clock, PortError, Sink, Wake},
    time::Timestamp,
};
use tidemill_plan::graph::{LateTicks, NodeId};

use crate::{
    guests::guests,
    harness,
    live::{Called, Live, SharedFeed, Step},
    recovery::world::heard,
    spawn::commits,
};

/// Two stages.
const TEXT: &str = "[streams.in]\nqueue = { schema = \"n: integer\", batches = [] }\n\
                    [streams.out]\nfrom = \"in\"\nsort = \"n\"\n";

const SECOND: i64 = 1_000_000;

/// Seconds and rows.
type Batches = Vec<(i64, Vec<i64>)>;

/// A pipeline from run to run.
#[derive(Clone, Default)]
struct Bench {
    feed: SharedFeed,
    stopper: Arc<Mutex<Option<Stopper>>>,
    /// `None`: there is no checkpoint.
    storage: Option<Arc<MemoryStorage>>,
    late_ticks: LateTicks,
    within: Duration,
}

/// A clock that goes on by so much whenever it is looked at, once it hurries.
#[derive(Default)]
struct Hurrying {
    clock: OnceLock<ManualClock>,
    step_micros: AtomicI64,
}

impl Hurrying {
    fn clock(&self) -> &ManualClock {
        self.clock.get().unwrap()
    }
}

impl Clock for Hurrying {
    fn now(&self) -> Timestamp {
        let now = Timestamp(self.clock().now().0 + self.step_micros.load(Ordering::SeqCst));
        self.clock().advance_to(now);
        now
    }

    fn wait(&self, deadline: Timestamp, wake: &Wake) {
        self.clock().wait(deadline, wake);
    }
}

/// What a run did.
struct Did {
    delivered: Batches,
    result: Result<Summary, RunError>,
}

impl Bench {
    fn new(is_kept: bool) -> Bench {
        let storage = is_kept.then(Arc::default);
        Bench { storage, within: Duration::from_secs(30), ..Bench::default() }
    }

    fn receive(&self, at_millis: i64, n: i64) {
        self.feed.lock().unwrap().received.push((Timestamp(at_millis * 1_000), n));
    }

    fn stop(&self) {
        self.stopper.lock().unwrap().as_ref().unwrap().stop();
    }

    /// Runs from a second on; `at` is called when a batch is prepared, with false, and when it was delivered.
    fn run(
        &self,
        from: i64,
        until: Until,
        mut at: impl FnMut(&Hurrying, i64, bool) -> Result<(), PortError> + Send + 'static,
    ) -> Did {
        let clock = Arc::new(Hurrying::default());
        clock.clock.set(ManualClock::new(Timestamp(from * SECOND))).unwrap();
        let (delivered, time, mut prepared) = (Arc::new(Mutex::new(Batches::new())), clock.clone(), Vec::new());
        let log = delivered.clone();
        let sink: Box<dyn Sink> = Box::new(Called::new(move |batch: Timestamp, step: Step| match step {
            Step::Prepare(rows) => {
                prepared = rows;
                at(&time, batch.0 / SECOND, false)
            }
            Step::Deliver => {
                log.lock().unwrap().push((batch.0 / SECOND, std::mem::take(&mut prepared)));
                at(&time, batch.0 / SECOND, true)
            }
        }));
        let mut plan = harness::plan(TEXT, 2);
        (plan.late_ticks, plan.stop_within) = (self.late_ticks, self.within);
        let checkpoint =
            self.storage.clone().map(|storage| Checkpoint::new(storage, format!("from {from}"), Vec::new()));
        let parts = Parts {
            plan,
            plugins: guests().plugins(),
            sources: vec![(NodeId(0), Box::new(Live::new(&self.feed)))],
            sinks: vec![sink],
            clock,
            wake: Wake::default(),
            spawn: commits(false),
            checkpoint,
        };
        let settings = Settings { workers: 1, seed: 1, fresh_instances: false, until };
        let mut run = Run::try_new(parts, &settings).unwrap();
        *self.stopper.lock().unwrap() = Some(run.stopper());
        let result = run.run();
        // What the process had received is gone with it.
        self.feed.lock().unwrap().received.clear();
        let delivered = delivered.lock().unwrap().clone();
        Did { delivered, result }
    }

    /// Two batches more, of a machine that was cut off in between.
    fn go_on(&self, from: i64) -> Batches {
        self.storage.iter().for_each(|storage| storage.restart(|_, _| 0));
        let did = self.run(from, Until::Batches(2), |_, _, _| Ok(()));
        assert_eq!(did.result.unwrap().batches, 2);
        did.delivered
    }
}

/// Behind the first batch, which has taken two seconds and a half, two rows are there for the ticks that were missed.
fn is_late(bench: &Bench, clock: &Hurrying) {
    clock.clock().advance_to(Timestamp(3_500_000));
    bench.receive(1_500, 15);
    bench.receive(3_400, 34);
}

/// A run that is told to stop then.
fn stopped_late(bench: &Bench) -> Did {
    let stopping = bench.clone();
    bench.run(0, Until::Stopped, move |clock, second, is_delivered| {
        if (second, is_delivered) == (1, true) {
            is_late(&stopping, clock);
            stopping.stop();
        }
        Ok(())
    })
}

#[test]
fn a_stop_behind_time_runs_no_late_tick_and_leaves_what_was_received_to_the_next_run() {
    let bench = Bench::new(true);
    let did = stopped_late(&bench);
    assert_eq!((did.result.unwrap().batches, did.delivered), (1, vec![(1, vec![])]));
    assert_eq!(bench.go_on(100), [(101, vec![15, 34]), (102, vec![])]);
    assert_eq!(bench.go_on(200), [(201, vec![]), (202, vec![])], "nothing comes twice");
}

/// Without a checkpoint it would be lost.
#[test]
fn a_stop_behind_time_runs_what_was_received_in_one_batch_where_nothing_is_kept() {
    let did = stopped_late(&Bench::new(false));
    assert_eq!((did.result.unwrap().batches, did.delivered), (2, vec![(1, vec![]), (4, vec![15, 34])]));
}

/// By the number of its batches, or because a sink fails.
#[test]
fn whatever_ends_a_run_what_was_received_is_kept() {
    for fails in [false, true] {
        let bench = Bench::new(true);
        let receiving = bench.clone();
        let did = bench.run(0, Until::Batches(2), move |_, second, is_delivered| {
            if (second, is_delivered) == (2, false) {
                receiving.receive(2_000, 20);
            }
            if fails && second == 2 { Err(PortError::configuration("the disk is full")) } else { Ok(()) }
        });
        assert_eq!((did.result.is_err(), did.delivered.len()), (fails, if fails { 1 } else { 2 }));
        let delivered = bench.go_on(100);
        let again = if fails { vec![(2, vec![])] } else { vec![] };
        assert_eq!(delivered, [again, vec![(101, vec![20]), (102, vec![])]].concat());
    }
}

/// Stops a run in its second batch, whose second stage begins 100 ms behind the first one.
fn out_of_time(bench: &Bench) -> Did {
    let stopping = bench.clone();
    bench.run(0, Until::Stopped, move |clock, second, is_delivered| {
        if (second, is_delivered) == (1, true) {
            stopping.receive(1_100, 7);
            stopping.stop();
            clock.clock().advance_to(Timestamp(1_200_000));
            clock.step_micros.store(100_000, Ordering::SeqCst);
        }
        Ok(())
    })
}

#[test]
fn a_batch_that_does_not_end_in_time_is_undone_and_comes_with_the_next_run() {
    for is_kept in [true, false] {
        let did = out_of_time(&Bench::new(is_kept));
        assert_eq!((did.result.unwrap().batches, did.delivered), (2, vec![(1, vec![]), (2, vec![7])]), "time enough");
        let bench = Bench { within: Duration::from_millis(50), ..Bench::new(is_kept) };
        let did = out_of_time(&bench);
        assert_eq!(did.delivered, [(1, vec![])]);
        let error = did.result.unwrap_err();
        assert!(matches!(error, RunError::OutOfTime { batch: Timestamp(2_000_000), .. }), "{error}");
        let says = if is_kept { "the next run begins with it" } else { "its input is lost" };
        assert!(error.to_string().contains(says), "{error}");
        if is_kept {
            assert_eq!(bench.go_on(100), [(101, vec![7]), (102, vec![])]);
            assert_eq!(bench.go_on(200), [(201, vec![]), (202, vec![])], "nothing comes twice");
        }
    }
}

#[test]
fn late_ticks_have_a_batch_each_or_one_for_all() {
    for (late_ticks, expect) in [
        (LateTicks::Each, vec![(1, vec![]), (2, vec![15]), (3, vec![]), (4, vec![34])]),
        (LateTicks::Merge, vec![(1, vec![]), (3, vec![15]), (4, vec![34]), (5, vec![])]),
    ] {
        let bench = Bench { late_ticks, ..Bench::new(true) };
        let receiving = bench.clone();
        let said = heard(|| {
            let did = bench.run(0, Until::Batches(4), move |clock, second, is_delivered| {
                if (second, is_delivered) == (1, true) {
                    is_late(&receiving, clock);
                }
                Ok(())
            });
            assert_eq!(did.result.unwrap().batches, 4);
            assert_eq!(did.delivered, expect, "{late_ticks:?}");
        });
        let merged = said.iter().filter(|line| line.contains("2 ticks are late")).count();
        assert_eq!(merged, usize::from(late_ticks == LateTicks::Merge), "{said:#?}");
    }
}

/// It is not said what a batch stands for that never comes.
#[test]
fn late_ticks_that_no_batch_follows_are_not_said_to_be_merged() {
    for (is_kept, is_stopped) in [(true, false), (true, true), (false, true)] {
        let bench = Bench { late_ticks: LateTicks::Merge, ..Bench::new(is_kept) };
        let receiving = bench.clone();
        let until = if is_stopped { Until::Stopped } else { Until::Batches(1) };
        let said = heard(|| {
            let did = bench.run(0, until, move |clock, second, is_delivered| {
                if (second, is_delivered) == (1, true) {
                    is_late(&receiving, clock);
                    if is_stopped {
                        receiving.stop();
                    }
                }
                Ok(())
            });
            did.result.unwrap();
        });
        assert!(!said.iter().any(|line| line.contains("stands for all")), "{is_kept} {is_stopped}: {said:#?}");
    }
}
