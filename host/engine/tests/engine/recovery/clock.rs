//! A clock that is set back and forward, within runs and between them.

use std::sync::{Arc, Mutex};

use tidemill_engine::checkpoint::Point;
use tidemill_model::{
    ports::{Clock, Wake},
    time::Timestamp,
};

use super::{
    at,
    room::{many, result},
    world::{Ended, Stop, World},
};

/// A clock that jumps to what is waited for, and is set by somebody at certain waits.
struct SetByHand(Mutex<Hand>);

struct Hand {
    now: i64,
    waits: usize,
    /// The number of a wait, and by how many seconds the clock is set then.
    jumps: Vec<(usize, i64)>,
}

impl SetByHand {
    fn new(seconds: i64, jumps: &[(usize, i64)]) -> Arc<SetByHand> {
        Arc::new(SetByHand(Mutex::new(Hand { now: seconds * 1_000_000, waits: 0, jumps: jumps.to_vec() })))
    }
}

impl Clock for SetByHand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.lock().unwrap().now)
    }

    fn wait(&self, deadline: Timestamp, wake: &Wake) {
        let rung = wake.wait(Some(std::time::Duration::ZERO));
        let mut hand = self.0.lock().unwrap();
        hand.waits += 1;
        let waits = hand.waits;
        match hand.jumps.iter().find(|(wait, _)| *wait == waits) {
            Some((_, seconds)) => hand.now += seconds * 1_000_000,
            None if rung => {}
            None => hand.now = hand.now.max(deadline.0),
        }
    }
}

/// The first times of two consecutive batches that are not in order, if any are; by what the sinks have.
fn out_of_order(world: &World) -> Option<(Timestamp, Timestamp)> {
    let times = world.batches_of("rows");
    times.windows(2).find(|pair| pair[0] >= pair[1]).map(|pair| (pair[0], pair[1]))
}

#[track_caller]
fn check(begins: &[i64], jumps: &[(usize, i64)]) -> Vec<Timestamp> {
    let expect = many();
    assert_eq!(expect.run(None), Ended::Done);
    let mut world = many();
    for (run, &seconds) in begins.iter().enumerate() {
        world.clock = Some(SetByHand::new(seconds, jumps));
        // All but the last run are stopped, each after some more batches.
        let last = world.batches_of("rows").last().map_or(0, |last| last.0 / 1_000_000);
        let stop = at(last.max(seconds) + 10);
        let stop = (run + 1 < begins.len()).then_some(Stop { point: Point::Commit, after: run % 2 == 0, batch: stop });
        let ended = world.run(stop);
        assert_eq!(ended, if stop.is_some() { Ended::Stopped } else { Ended::Done }, "run {run}");
    }
    assert_eq!(result(&world), result(&expect), "{begins:?} {jumps:?}");
    assert_eq!(out_of_order(&world), None);
    world.batches_of("rows")
}

#[test]
fn a_clock_that_is_set_during_a_run() {
    check(&[0], &[(5, -1_000_000)]);
    check(&[0], &[(5, -3), (7, -1), (9, 2), (11, -100)]);
    assert_eq!(check(&[100], &[(20, -50), (30, 40)]).last(), Some(&at(160)), "a batch for each tick");
    let jumped = check(&[0], &[(5, 20)]);
    assert_eq!(jumped[..30], (1..=30).map(at).collect::<Vec<_>>()[..], "ticks that are a little late are served");
    let jumped = check(&[0], &[(5, 1_000_000)]);
    assert!(jumped.last().unwrap() < &at(1_000_100) && jumped.len() <= 60, "{jumped:?}");
}

#[test]
fn a_clock_that_is_set_between_runs() {
    check(&[1_000, 0, 500, 2_000_000, 3], &[]);
    check(&[1_000, 990, 1_100, 20, 5_000_000, 0], &[(3, -10_000), (6, 100)]);
}
