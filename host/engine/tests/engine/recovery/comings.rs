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
