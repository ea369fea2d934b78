//! Sources that come to a pipeline, or go from it, while a batch is planned and not committed; outputs that go from it while a batch
//! is committed and not delivered.

use std::sync::Arc;

use tidemill_checkpoint::{Keep, Record, SourcePin};
use tidemill_engine::{RunError, checkpoint::Point};
use tidemill_model::time::Timestamp;

use super::{
    at,
    world::{AtOnce, Ended, Stop, World},
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
    assert_eq!(world.run(Some(Stop { point: Point::Plan, after: true, batch: at(2) })), Ended::Stopped);
    world
}

/// An output's rows in the order of their batches.
fn rows(world: &World, output: &str) -> Vec<(Timestamp, String)> {
    let all = world.delivered_until(at(100)).into_iter().filter(|((name, _), _)| name == output);
    all.flat_map(|((_, time), parts)| parts.concat().into_iter().map(move |row| (time, row))).collect()
}

/// The sources of the newest plan, and those that it keeps the places of though they have gone.
fn planned_sources(world: &World) -> [Vec<String>; 2] {
    let records = world.history().records;
    let plan = records.iter().rev().find_map(|record| match record.found.as_ref().map(|header| &header.record) {
        Ok(Record::Plan(plan)) => Some(plan),
        _ => None,
    });
    let streams = |pins: &Vec<SourcePin>| pins.iter().map(|pin| pin.stream.clone()).collect();
    plan.map(|plan| [&plan.sources, &plan.away].map(streams)).unwrap()
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
        assert_eq!(planned_sources(&world), [vec!["in"], vec![]], "nobody counts on what was read of it");
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
    for stop in [None, Some((Point::Start, true)), Some((Point::Log, true)), Some((Point::Plan, true))] {
        let world = World::new(&both(), "live", &[(1, &["a"]), (2, &["b"]), (4, &["late"])]);
        world.run_batches(2).unwrap();
        // A batch without it, then one more host on the same log.
        let world = World { text: STAYS.to_owned(), ..world };
        world.run_batches(1).unwrap();
        let world = World { text: both(), ..world };
        world.feed.lock().unwrap().retain(|(time, _)| *time > at(4));
        world.feed.lock().unwrap().extend(super::world::feed_of(&[(5, &["c"]), (6, &["d"])]).lock().unwrap().drain(..));
        if let Some((point, after)) = stop {
            let stop = Stop { point, after, batch: at(4) };
            assert_eq!(world.run(Some(stop)), Ended::Stopped, "{point:?}");
        }
        assert_eq!(world.run(None), Ended::Done);
        assert_eq!(texts(&world, "in"), ["1", "2", "3", "4", "5", "6", "7", "8"], "{stop:?}");
        assert_eq!(texts(&world, "live"), ["a 1", "b 1", "c 1", "d 1"], "{stop:?}");
    }
}

/// What was logged of a source that has gone for good takes no room for ever, and stops nobody if it is damaged.
#[test]
fn the_input_of_a_logged_one_that_has_gone_goes_too() {
    let segments = |world: &World| -> Vec<(String, usize)> {
        let files = world.storage.files().into_iter().filter(|(name, _)| name.starts_with("input/"));
        files.map(|(name, bytes)| (name, bytes.len())).collect()
    };
    for is_damaged in [false, true] {
        let world = World {
            keep: Keep { batches: 0, bytes: 0 },
            workers: 1,
            spawn: Arc::new(AtOnce),
            ..World::new(&format!("{STAYS}{LIVE}"), "live", &[(1, &["a"]), (2, &["b"])])
        };
        world.run_batches(2).unwrap();
        let [(first, bytes)] = &segments(&world)[..] else { panic!("a segment a run") };
        if is_damaged {
            world.storage.overwrite(first, vec![7; *bytes]);
        }
        let world = World { text: STAYS.to_owned(), ..world };
        assert_eq!(world.run(None), Ended::Done);
        let left = segments(&world);
        match is_damaged {
            true => assert!(left.len() == 1 && left[0].1 < *bytes, "it is told of, and passed over: {left:?}, {bytes}"),
            false => assert!(left.len() == 1 && left[0].0 != *first && left[0].1 < *bytes, "{left:?}, {bytes}"),
        }
        assert_eq!(texts(&world, "in"), ["1", "2", "3", "4", "5", "6", "7", "8"]);
        if !is_damaged {
            let world = World { text: format!("{STAYS}{LIVE}"), ..world };
            world.feed.lock().unwrap().extend(super::world::feed_of(&[(20, &["c"])]).lock().unwrap().drain(..));
            world.run_batches(1).unwrap();
            assert_eq!(world.run(None), Ended::Done);
            assert_eq!(texts(&world, "live"), ["a 1", "b 1", "c 1"]);
        }
    }
}

/// A point at which a run stops, or its end after so many batches.
type Until = Result<(Point, i64), u64>;

/// Runs with the stream or without it, as long as it is told, if anything is left by then.
fn go_on(world: &World, until: Until) {
    match until {
        Ok((point, batch)) => drop(world.run(Some(Stop { point, after: true, batch: at(batch) }))),
        Err(batches) => drop(world.run_batches(batches).unwrap()),
    }
}

/// A world whose peer of `live` keeps its words until they are acknowledged.
fn acknowledged() -> World {
    let words: [(i64, &[&str]); 5] = [(1, &["a"]), (2, &["b"]), (3, &["c"]), (5, &["d"]), (6, &["e"])];
    World { acknowledged: Some(Arc::default()), ..World::new(&format!("{STAYS}{LIVE}"), "live", &words) }
}

/// What a peer was told stays true: its source goes on there when it comes back, wherever the hosts before it stopped. What was
/// taken and not committed comes again, and nothing that was.
#[test]
fn an_acknowledging_one_that_comes_back_goes_on_where_its_peer_was_told() {
    // All sinks have the last batch: else the pipeline must have their outputs.
    let with = [Err(1), Err(2), Err(3), Ok((Point::Plan, 1)), Ok((Point::Plan, 2)), Ok((Point::Plan, 3))];
    let without = [Err(1), Err(2), Ok((Point::Plan, 3)), Ok((Point::Plan, 4)), Ok((Point::Commit, 4))];
    let again = [None, Some((Point::Log, 5)), Some((Point::Plan, 4)), Some((Point::Plan, 5)), Some((Point::Commit, 5))];
    for first in with {
        for second in without {
            for (third, is_long_away) in again.into_iter().flat_map(|third| [(third, false), (third, true)]) {
                let what = format!("{first:?}, then {second:?}, then {third:?} {is_long_away}");
                let world = acknowledged();
                go_on(&world, first);
                if let (Ok((_, batch)), true) = (first, is_long_away) {
                    // One more begins with that batch, and does not come to its end.
                    assert_eq!(
                        world.run(Some(Stop { point: Point::Commit, after: false, batch: at(batch) })),
                        Ended::Stopped
                    );
                }
                let world = World { text: STAYS.to_owned(), ..world };
                go_on(&world, second);
                if is_long_away {
                    go_on(&world, Err(1));
                }
                // Before its first batch has counted nobody was told anything.
                let was_told = first != Ok((Point::Plan, 1));
                let away = if was_told { vec!["live"] } else { vec![] };
                assert_eq!(planned_sources(&world), [vec!["in"], away], "{what}");
                let world = World { text: format!("{STAYS}{LIVE}"), ..world };
                third.into_iter().for_each(|stop| go_on(&world, Ok(stop)));
                assert_eq!(world.run(None), Ended::Done);
                assert_eq!(planned_sources(&world), [vec!["in", "live"], vec![]], "{what}");
                assert_eq!(texts(&world, "in"), ["1", "2", "3", "4", "5", "6", "7", "8"], "{what}");
                assert_eq!(texts(&world, "live"), ["a 1", "b 1", "c 1", "d 1", "e 1"], "{what}");
            }
        }
    }
}

/// It may have another name by then, and another source may go when it comes.
#[test]
fn an_acknowledging_one_may_come_back_under_another_name_and_in_place_of_another() {
    let other = "[streams.other]\nqueue = { schema = \"n: integer\", batches = [[7], [7], [7], [7], [7], [7]] }\n\
                 [outputs.other]\nfrom = \"other\"\nprint = true\n";
    let world = World { text: format!("{STAYS}{LIVE}{other}"), ..acknowledged() };
    world.run_batches(3).unwrap();
    let world = World { text: format!("{STAYS}{other}"), ..world };
    world.run_batches(1).unwrap();
    let again = LIVE.replace("[streams.live]", "[streams.again]\npreviously = \"live\"");
    let again = again.replace("from = \"live\"", "from = \"again\"");
    let world = World { text: format!("{STAYS}{again}"), live: "again".to_owned(), ..world };
    assert_eq!(world.run(None), Ended::Done);
    assert_eq!(texts(&world, "live"), ["a 1", "b 1", "c 1", "d 1", "e 1"]);
}

/// A batch that counts is given to every output that it was made for, as it was made, or the run is refused until it can be;
/// wherever its rows lie.
#[test]
fn a_batch_that_counts_is_delivered_to_the_outputs_that_it_has_rows_for() {
    const OUTPUT: &str = "[outputs.more]\nfrom = \"more\"\nprint = true\n";
    let others = [
        (OUTPUT, "", "the pipeline no longer has it"),
        (
            OUTPUT,
            "[streams.texts]\nqueue = { schema = \"t: text\", batches = [] }\n[outputs.more]\nfrom = \"texts\"\nprint = true\n",
            "its rows now have other fields",
        ),
    ];
    for early in [false, true] {
        for (what, other, expect) in others {
            let world = World { early, ..World::new(&both(), "no stream", &[]) };
            assert_eq!(world.run(Some(Stop { point: Point::Commit, after: true, batch: at(2) })), Ended::Stopped);
            let world = World { text: both().replace(what, other), ..world };
            let before = world.log();
            let foreseen = world.foresee().map(drop).expect_err("a run is refused").to_string();
            match world.open().and_then(|mut run| run.run()) {
                Err(RunError::Undeliverable { output, batch, why }) => {
                    assert_eq!((output.as_str(), batch, why), ("more", at(2), expect), "{early}");
                    assert_eq!(foreseen, RunError::Undeliverable { output, batch, why }.to_string());
                    assert!(world.log() == before, "{early}, {expect}: it takes nothing over");
                }
                other => panic!("{early}, {expect}: {other:?}"),
            }
            assert_eq!(texts(&world, "more"), ["10"], "{early}, {expect}");
            let world = World { text: both(), ..world };
            assert_eq!(world.run(None), Ended::Done);
            assert_eq!(texts(&world, "more"), ["10", "20", "30", "40"], "{early}, {expect}");
            assert_eq!(texts(&world, "in"), ["1", "2", "3", "4", "5", "6", "7", "8"], "{early}, {expect}");
        }
    }
}
