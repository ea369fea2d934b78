//! What a source has received that is new to the pipeline, when its first run fails before a batch of it was planned.

use std::sync::Arc;

use tidemill_engine::checkpoint::Point;

use super::{
    at,
    world::{Broken, Ended, Stop, World, feed_of, heard},
};

const LINES: &str = "[streams.in]\nqueue = { schema = \"line: text\", batches = [[\"a\"], [\"panic\"], [\"c\"], [\"d\"]] }\n\
                     [streams.mapped]\nfrom = \"in\"\nmap = \"hostile/identity\"\n\
                     [outputs.mapped]\nfrom = \"mapped\"\nprint = true\n";

const COMES: &str = "[streams.live]\nqueue = { schema = \"word: text, n: integer\", batches = [] }\n\
                     [outputs.live]\nfrom = \"live\"\nprint = true\n";

const OTHER: &str = "[streams.other]\nqueue = { schema = \"n: integer\", batches = [[1], [2], [3]] }\n\
                     [outputs.other]\nfrom = \"other\"\nprint = true\n";

/// What keeps a run from its first new batch.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fails {
    /// The batch that is run again.
    Again,
    /// A batch that is delivered, again or at last.
    Delivery,
    /// An output does not begin.
    Begin,
}

/// The pipeline with a source that is fed, whose words come as soon as it begins.
fn with(world: World, fails: Option<Fails>, words: &[&str]) -> World {
    let text = format!("{LINES}{COMES}");
    let text = if fails == Some(Fails::Again) { text.replace("identity", "touchy") } else { text };
    let broken = |batch| Broken { output: "mapped", is_prepared: false, batch };
    *world.broken.lock().unwrap() = match fails {
        Some(Fails::Delivery) => Some(broken(at(2))),
        Some(Fails::Begin) => Some(broken(Broken::BEGINS)),
        _ => None,
    };
    world.feed.lock().unwrap().extend(feed_of(&[(0, words)]).lock().unwrap().drain(..));
    World { text, live: "live".to_owned(), ..world }
}

/// The words that came of the source that is fed.
fn words(world: &World) -> Vec<String> {
    let delivered = world.delivered_until(at(100)).into_iter().filter(|((output, _), _)| output == "live");
    delivered.flat_map(|(_, parts)| parts.concat()).collect()
}

/// A world that was stopped at a point of its second batch.
fn stopped(text: &str, point: Point) -> World {
    let world = World::new(text, "no stream", &[]);
    assert_eq!(world.run(Some(Stop { point, after: true, batch: at(2) })), Ended::Stopped);
    world
}

/// It is kept, and nothing is said to be dropped, however often a run fails, and whatever the one before left undone.
#[test]
fn what_it_has_received_is_kept() {
    let fails = [
        (Point::Plan, Fails::Again),
        (Point::Plan, Fails::Delivery),
        (Point::Plan, Fails::Begin),
        (Point::Commit, Fails::Delivery),
        (Point::Commit, Fails::Begin),
        (Point::Finish, Fails::Begin),
    ];
    for ((point, fails), is_acknowledged) in fails.into_iter().flat_map(|fails| [(fails, false), (fails, true)]) {
        let what = format!("{point:?} {fails:?} {is_acknowledged}");
        let mut world = match point {
            Point::Finish => World::new(LINES, "no stream", &[]),
            point => stopped(LINES, point),
        };
        if point == Point::Finish {
            world.run_batches(2).unwrap();
        }
        world.acknowledged = is_acknowledged.then(Arc::default);
        let said = heard(|| {
            for new in [&["a", "b"][..], &["c"]] {
                world = with(std::mem::replace(&mut world, World::new("", "", &[])), Some(fails), new);
                world.open().and_then(|mut run| run.run()).expect_err("it fails");
            }
            world = with(std::mem::replace(&mut world, World::new("", "", &[])), None, &["d"]);
            assert_eq!(world.run(None), Ended::Done);
        });
        let dropped: Vec<&String> = said.iter().filter(|line| line.contains("dropped")).collect();
        assert!(dropped.is_empty(), "{what}: {dropped:?}");
        assert_eq!(words(&world), ["a 1", "b 1", "c 1", "d 1"], "{what}");
    }
}

/// The plan of a batch is written anew where another source has gone since: the newcomer is not taken for one that has gone.
#[test]
fn a_plan_that_is_written_anew_does_not_forget_it() {
    let world = World::new(&format!("{LINES}{COMES}{OTHER}"), "live", &[]);
    world.run_batches(1).unwrap();
    let world = World { text: format!("{LINES}{OTHER}"), live: "no stream".to_owned(), ..world };
    assert_eq!(world.run(Some(Stop { point: Point::Plan, after: true, batch: at(2) })), Ended::Stopped);
    let world = with(world, Some(Fails::Again), &["a", "b"]);
    let world = World { text: format!("{}{OTHER}", world.text), ..world };
    world.open().and_then(|mut run| run.run()).expect_err("it fails");
    let world = with(world, None, &[]);
    for point in [Point::Plan, Point::Commit] {
        assert_eq!(world.run(Some(Stop { point, after: true, batch: at(2) })), Ended::Stopped);
    }
    let world = with(world, None, &["c"]);
    assert_eq!(world.run(None), Ended::Done);
    assert_eq!(words(&world), ["a 1", "b 1", "c 1"]);
}

/// If the source goes before a batch has what it received, that is said, with how much it is.
#[test]
fn what_goes_with_it_is_said() {
    let world = with(stopped(LINES, Point::Plan), Some(Fails::Again), &["a", "b"]);
    world.open().and_then(|mut run| run.run()).expect_err("it fails");
    // Another logged source: what nobody logs nobody reads.
    let text = format!("{LINES}{}", COMES.replace("live", "fed"));
    let text = text.replace("[streams.fed]", "[streams.fed]\npreviously = \"never\"");
    let world = World { text, live: "fed".to_owned(), ..with(world, None, &[]) };
    let said = heard(|| assert_eq!(world.run(None), Ended::Done));
    let dropped: Vec<&String> = said.iter().filter(|line| line.contains("dropped")).collect();
    assert!(dropped.len() == 1 && dropped[0].contains("2 rows") && dropped[0].contains("live"), "{said:#?}");
}
