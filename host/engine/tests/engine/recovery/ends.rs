//! However a run ends, its log says that what it has delivered is delivered: a sink that cannot know its batches would get it
//! again.

use std::sync::Arc;

use tidemill_checkpoint::{Fault, Log, Operation, Storage};
use tidemill_engine::{RunError, checkpoint::Point};

use super::{
    at,
    world::{AtOnce, Broken, BrokenSource, Ended, OnPoint, Stop, World},
};

/// `fail` ends the run, where the stream `fails` has it.
const PIPELINE: &str = r#"
[streams.in]
queue = { schema = "line: text, place: integer", batches = [
    [{ line = "a", place = 1 }], [{ line = "b", place = 2 }], [{ line = "LINE", place = 3 }], [{ line = "d", place = 4 }],
] }

[streams.live]
queue = { schema = "word: text, count: integer", batches = [] }

[streams.fails]
from = "in"
map = "hostile/touchy"

[outputs.first]
from = "in"
print = true

[outputs.second]
from = "fails"
print = true

[outputs.third]
from = "live"
print = true
"#;

/// What goes wrong in the third batch, or behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Function,
    Source(bool),
    Sink(&'static str, bool),
    /// The log itself.
    Storage,
    Power,
    Overtaken,
}

const TROUBLES: [Trouble; 9] = [
    Trouble::Function,
    Trouble::Source(false),
    Trouble::Source(true),
    Trouble::Sink("first", true),
    Trouble::Sink("third", false),
    Trouble::Sink("second", false),
    Trouble::Storage,
    Trouble::Power,
    Trouble::Overtaken,
];

impl Trouble {
    fn world(self) -> World {
        let line = if self == Trouble::Function { "fail" } else { "c" };
        let words: &[(i64, &[&str])] = &[(1, &["x"]), (2, &["y"]), (3, &["z"])];
        let world = World::new(&PIPELINE.replace("LINE", line), "live", words);
        World { workers: 1, spawn: Arc::new(AtOnce), ..world }
    }

    /// Runs until it is there.
    fn run(self, world: World) -> (World, RunError) {
        let storage = world.storage.clone();
        match self {
            Trouble::Function => {}
            Trouble::Source(is_taken) => {
                *world.broken_source.lock().unwrap() = Some(BrokenSource { is_taken, batch: at(3) });
            }
            Trouble::Sink(output, is_prepared) => {
                *world.broken.lock().unwrap() = Some(Broken { output, is_prepared, batch: at(3) });
            }
            Trouble::Storage | Trouble::Power => {}
            Trouble::Overtaken => {
                *world.broken_source.lock().unwrap() = Some(BrokenSource { is_taken: false, batch: at(3) });
            }
        }
        let other = World { storage: storage.clone(), runs: world.runs.clone(), ..self.world() };
        let on_point: OnPoint = Arc::new(move |point, after, batch| {
            if (point, after, batch) != (Point::Deliver, true, at(2)) {
                return;
            }
            match self {
                Trouble::Storage => {
                    let mut fails = true;
                    storage.set_faults(move |call| match call.operation {
                        Operation::Create if std::mem::take(&mut fails) => Fault::Before,
                        _ => Fault::None,
                    });
                }
                Trouble::Power => storage.set_faults(|_| Fault::CrashBefore),
                Trouble::Overtaken => drop(other.open().unwrap()),
                _ => {}
            }
        });
        let world = World { on_point: Some(on_point), ..world };
        let error = world.open().and_then(|mut run| run.run()).unwrap_err();
        world.storage.clear_faults();
        world.lose_power();
        (world, error)
    }
}

/// The newest batch that is known to be delivered, and how many are to be delivered again.
fn known(world: &World) -> (Option<i64>, usize) {
    let storage: Arc<dyn Storage> = world.storage.clone();
    let recovery = Log::glance(&storage, "test").unwrap().recovery;
    (recovery.delivered.map(|batch| batch.0 / 1_000_000), recovery.undelivered.len())
}

fn check(trouble: Trouble, world: World, what: &str) {
    let (world, error) = trouble.run(world);
    let expect = match trouble {
        Trouble::Function | Trouble::Source(_) => (Some(2), 0),
        // The batch 3 counts.
        Trouble::Sink(..) => (Some(2), 1),
        // It was not to be noted any more: the batch 2 comes again.
        Trouble::Storage | Trouble::Power | Trouble::Overtaken => (Some(1), 1),
    };
    assert_eq!(known(&world), expect, "{trouble:?}, {what}: {error}");
    let is_right = match (trouble, &error) {
        (Trouble::Function, RunError::Operator { .. }) | (Trouble::Source(_), RunError::Source { .. }) => true,
        (Trouble::Sink(..), RunError::Sink { .. }) => true,
        (Trouble::Storage | Trouble::Power, RunError::Checkpoint(_)) => true,
        (Trouble::Overtaken, error) => error.to_string().contains("has taken this checkpoint over"),
        _ => false,
    };
    assert!(is_right, "{trouble:?}, {what}: {error}");
}

#[test]
fn what_was_delivered_is_noted_whatever_ends_the_run() {
    TROUBLES.into_iter().for_each(|trouble| check(trouble, trouble.world(), "a new run"));
}

#[test]
fn what_was_delivered_again_is_noted_too() {
    for trouble in TROUBLES {
        for (point, after) in [(Point::Commit, true), (Point::Deliver, false), (Point::Plan, true)] {
            // The batch 2 counts and was not delivered, or it was planned and is run again.
            let world = trouble.world();
            assert_eq!(world.run(Some(Stop { point, after, batch: at(2) })), Ended::Stopped);
            check(trouble, world, &format!("behind a stop at {point:?}"));
        }
    }
}

/// Of a machine that stops nothing is noted: tests of recovery stand upon it.
#[test]
fn a_run_that_is_stopped_by_a_test_does_nothing_more() {
    let world = Trouble::Function.world();
    assert_eq!(world.run(Some(Stop { point: Point::Plan, after: false, batch: at(2) })), Ended::Stopped);
    assert_eq!(known(&world), (None, 1));
}
