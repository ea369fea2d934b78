//! A source that tells its peer what is durable: runs that are stopped again and again, at every point.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use tidemill_engine::checkpoint::Point;

use super::{
    at, check_like,
    world::{Ended, Stop, World},
};

/// The peer of `live` keeps its words until they are acknowledged.
fn world() -> World {
    World { acknowledged: Some(Arc::new(Mutex::new(0))), ..super::world() }
}

#[test]
fn what_was_not_acknowledged_comes_again_and_once() {
    let expect = world();
    assert_eq!(expect.run(None), Ended::Done);
    let mut stops = 0;
    for first in Point::ALL {
        for second in [Point::Log, Point::Commit] {
            for batch in [1, 3, 6] {
                let world = world();
                for (point, after) in [(first, false), (first, true), (second, false), (second, true)] {
                    stops += usize::from(world.run(Some(Stop { point, after, batch: at(batch) })) == Ended::Stopped);
                    if batch % 2 == 0 {
                        world.lose_power();
                    }
                }
                assert_eq!(world.run(None), Ended::Done);
                check_like(&world, &expect, &format!("{first:?}, then {second:?} of batch {batch}"));
            }
        }
    }
    let _ = writeln!(std::io::stderr(), "{stops} stops with a peer that sends again, lost 0, duplicated 0");
    assert!(stops > 50, "{stops}");
}
