//! Sources that come to a pipeline, or go from it, while a batch is planned and not committed.

use tidemill_engine::checkpoint::Step;
use tidemill_model::time::Timestamp;

use super::{
    at,
    world::{Ended, Stop, World},
};

const STAYS: &str = "[streams.in]\nqueue = { schema = \"n: integer\", batches = [[1], [2], [3], [4], [5], [6], [7], [8]] }\n\
                     [outputs.in]\nfrom = \"in\"\nprint = true\n";

const COMES: &str = "[streams.more]\nqueue = { schema = \"n: integer\", batches = [[10], [20], [30], [40]] }\n\
                     [outputs.more]\nfrom = \"more\"\nprint = true\n";

fn both() -> String {
    format!("{STAYS}{COMES}")
}

/// A world whose second batch is planned.
fn planned(text: &str) -> World {
    let world = World::new(text, "no stream", &[]);
    assert_eq!(world.run(Some(Stop { step: Step::Plan, after: true, batch: at(2) })), Ended::Stopped);
    world
}

/// An output's rows in the order of their batches.
fn rows(world: &World, output: &str) -> Vec<(Timestamp, String)> {
    let all = world.delivered_until(at(100)).into_iter().filter(|((name, _), _)| name == output);
    all.flat_map(|((_, time), parts)| parts.concat().into_iter().map(move |row| (time, row))).collect()
}

/// The texts of rows alone.
fn texts(world: &World, output: &str) -> Vec<String> {
    rows(world, output).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn one_that_comes_begins_behind_the_planned_batch_and_gives_nothing_twice() {
    for batches in [1, 2, 3] {
        let world = World { text: both(), ..planned(STAYS) };
        world.run_batches(batches).unwrap();
        assert_eq!(world.run(None), Ended::Done);
        assert_eq!(texts(&world, "in"), ["1", "2", "3", "4", "5", "6", "7", "8"], "{batches}");
        let more = rows(&world, "more");
        assert_eq!(more.iter().map(|(_, row)| row.as_str()).collect::<Vec<_>>(), ["10", "20", "30", "40"], "{batches}");
        assert!(more[0].0 > at(2), "the batch that was planned has none of it");
    }
}

#[test]
fn one_that_goes_is_forgotten_and_begins_anew_if_it_comes_back() {
    for batches in [1, 2, 3] {
        let world = World { text: STAYS.to_owned(), ..planned(&both()) };
        world.run_batches(batches).unwrap();
        let world = World { text: both(), ..world };
        assert_eq!(world.run(None), Ended::Done);
        assert_eq!(texts(&world, "in"), ["1", "2", "3", "4", "5", "6", "7", "8"], "{batches}");
        assert_eq!(texts(&world, "more"), ["10", "10", "20", "30", "40"], "{batches}");
    }
}

const LIVE: &str = "[streams.live]\nqueue = { schema = \"word: text, n: integer\", batches = [] }\n[outputs.live]\nfrom = \"live\"\nprint = true\n";

/// What was logged of a source that has gone is given up with it: one of its name that comes later begins where the log ends,
/// wherever its first run stops.
#[test]
fn a_logged_one_that_comes_back_gives_nothing_again() {
    let both = || format!("{STAYS}{LIVE}");
    for stop in [None, Some((Step::Start, true)), Some((Step::Log, true)), Some((Step::Plan, true))] {
        let world = World::new(&both(), "live", &[(1, &["a"]), (2, &["b"]), (4, &["late"])]);
        world.run_batches(2).unwrap();
        // A batch without it, then one more host on the same log.
        let world = World { text: STAYS.to_owned(), ..world };
        world.run_batches(1).unwrap();
        let world = World { text: both(), ..world };
        world.feed.lock().unwrap().retain(|(time, _)| *time > at(4));
        world.feed.lock().unwrap().extend(super::world::feed_of(&[(5, &["c"]), (6, &["d"])]).lock().unwrap().drain(..));
        if let Some((step, after)) = stop {
            let stop = Stop { step, after, batch: at(4) };
            assert_eq!(world.run(Some(stop)), Ended::Stopped, "{step:?}");
        }
        assert_eq!(world.run(None), Ended::Done);
        assert_eq!(texts(&world, "in"), ["1", "2", "3", "4", "5", "6", "7", "8"], "{stop:?}");
        assert_eq!(texts(&world, "live"), ["a 1", "b 1", "c 1", "d 1"], "{stop:?}");
    }
}
