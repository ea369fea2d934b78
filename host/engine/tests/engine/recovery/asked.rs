//! What sinks are asked before a checkpoint is taken over, beside a host that is at work: it is compared with the log in an order in
//! which that host's work explains it, and decided again when the checkpoint is taken over.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tidemill_checkpoint::{Fault, Operation};
use tidemill_engine::{RunError, checkpoint::Point};

use super::{
    at,
    world::{Ended, OnAsk, Stop, World},
};

/// Looks at the checkpoint.
type Look = fn(&World) -> Result<(), RunError>;

/// A host at work: it runs until a batch is delivered, or to its end.
type AtWork = Arc<dyn Fn(Option<i64>) + Send + Sync>;

/// How a second host looks at the checkpoint.
const LOOKS: [(&str, Look); 2] =
    [("foresee", |world| world.foresee().map(drop)), ("run", |world| world.open().map(drop))];

/// A world, and a host over the same things.
fn at_work(places: bool) -> (World, AtWork) {
    let world = World { places: places.then(Arc::default), ..super::world() };
    let other = World {
        storage: world.storage.clone(),
        delivered: world.delivered.clone(),
        runs: world.runs.clone(),
        places: world.places.clone(),
        ..super::world()
    };
    let run = Arc::new(move |batch: Option<i64>| {
        let ended = other.run(batch.map(|batch| Stop { point: Point::Deliver, after: true, batch: at(batch) }));
        assert_eq!(ended, if batch.is_some() { Ended::Stopped } else { Ended::Done });
    });
    (world, run)
}

/// It has delivered a batch by the time that a sink is asked, and its log says so.
#[test]
fn a_batch_that_a_host_delivers_meanwhile_is_not_ahead_of_its_log() {
    for (what, look) in LOOKS {
        let (world, run) = at_work(false);
        run(Some(1));
        let next = AtomicU64::new(2);
        let on_ask: OnAsk = Arc::new(move |asked| {
            if asked == "newest" && next.load(Ordering::Relaxed) <= 5 {
                run(Some(next.fetch_add(1, Ordering::Relaxed) as i64));
            }
        });
        let world = World { on_ask: Some(on_ask), ..world };
        look(&world).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(world.batches_of("sums").contains(&at(3)), "{what}: it was at work");
    }
}

/// It makes the places of outputs, and delivers its first batches to them, while the log is read.
#[test]
fn a_place_that_a_host_makes_meanwhile_is_not_gone() {
    for (what, look) in LOOKS {
        let (world, run) = at_work(true);
        let calls = AtomicU64::new(0);
        world.storage.set_faults(move |call| {
            // Behind what is asked first, before the log is read.
            if call.operation == Operation::List && call.name == "log" && calls.fetch_add(1, Ordering::Relaxed) == 0 {
                run(None);
            }
            Fault::None
        });
        look(&world).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(world.batches_of("sums").contains(&at(3)), "{what}: it was at work");
    }
}

/// What is known before the checkpoint is taken over may be old when it is.
#[test]
fn what_was_asked_before_is_decided_again() {
    let (world, run) = at_work(false);
    run(Some(1));
    let (delivered, asked) = (World { delivered: world.delivered.clone(), ..super::world() }, AtomicU64::new(0));
    let outputs = 3;
    let on_ask: OnAsk = Arc::new(move |what| {
        if what == "newest" && asked.fetch_add(1, Ordering::Relaxed) == outputs {
            delivered.has("totals", at(9));
        }
    });
    let world = World { on_ask: Some(on_ask), ..world };
    let mut run = world.open().expect("nothing is ahead yet");
    match run.run() {
        Err(RunError::SinkAhead { output, newest, .. }) => assert_eq!((output.as_str(), newest), ("totals", at(9))),
        other => panic!("{other:?}"),
    }
}
