//! What a run says of the checkpoint that it goes on from: each thing when it is so, of what it is so, and not else.

use tidemill_engine::checkpoint::Point;

use super::{
    at, migrate,
    world::{Ended, Stop, World, feed_of, heard},
};

/// All that may be said. Of each batch its time is told in figures.
const SAYINGS: [&str; 10] = [
    "going on behind the batch",
    "running the batch",
    "delivering the batch",
    "the pipeline has no more: it is forgotten",
    "the pipeline has no more: its place is kept",
    "in the input log of a source that has gone, and that no batch has, are dropped",
    "is damaged and passed over",
    "the end of the input log was not whole and is cut off",
    "the states were migrated from version",
    "are dropped, fields that are new begin empty",
];

const IN: &str = "[streams.in]\nqueue = { schema = \"n: integer\", batches = [[1], [2], [3], [4], [5], [6]] }\n\
                  [outputs.in]\nfrom = \"in\"\nprint = true\n";

const LIVE: &str = "[streams.live]\nqueue = { schema = \"word: text, n: integer\", batches = [] }\n\
                    [outputs.live]\nfrom = \"live\"\nprint = true\n";

fn words(text: &str) -> World {
    World::new(text, "live", &[(1, &["a"]), (2, &["b"]), (3, &["c"]), (4, &["d"])])
}

/// A world whose second batch has come to a point.
fn stopped(world: World, point: Point) -> World {
    assert_eq!(world.run(Some(Stop { point, after: true, batch: at(2) })), Ended::Stopped);
    world
}

/// What a run says of these things, each by the beginning of its saying and by the stream or batch that it names.
fn told(world: &World) -> Vec<(&'static str, String)> {
    let lines = heard(|| assert_eq!(world.run(None), Ended::Done));
    let saying = |line: String| {
        let saying = SAYINGS.into_iter().find(|saying| line.contains(saying))?;
        let value = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}: "))?;
            Some(rest.split([',', ' ', '}']).next()?.trim_matches('"').to_owned())
        };
        Some((saying, value("said.batch").or_else(|| value(" stream")).unwrap_or_default()))
    };
    lines.into_iter().filter_map(saying).collect()
}

#[track_caller]
fn check(what: &str, world: &World, expect: &[(usize, &str)]) {
    let expect: Vec<_> = expect.iter().map(|&(saying, of)| (SAYINGS[saying], of.to_owned())).collect();
    assert_eq!(told(world), expect, "{what}");
}

#[test]
fn batches_that_are_gone_on_behind_run_again_or_delivered_again() {
    let both = format!("{IN}{LIVE}");
    check("a first run", &words(&both), &[]);
    for (point, expect) in [
        (Point::Log, &[(0, "1000"), (2, "1000")][..]),
        (Point::Plan, &[(0, "1000"), (1, "2000")]),
        (Point::Commit, &[(0, "2000"), (2, "2000")]),
        (Point::Deliver, &[(0, "2000"), (2, "2000")]),
    ] {
        check(&format!("{point:?}"), &stopped(words(&both), point), expect);
    }
    let world = words(&both);
    world.run_batches(2).unwrap();
    check("a run that came to its end", &world, &[(0, "2000")]);
    check("one behind the last", &world, &[(0, "6000")]);
}

#[test]
fn sources_that_the_pipeline_has_no_more() {
    let gone = |world: World| World { text: IN.to_owned(), ..world };
    let both = format!("{IN}{LIVE}");
    let world = words(&both);
    world.run_batches(2).unwrap();
    let world = gone(world);
    check("it has gone", &world, &[(3, "live"), (0, "2000")]);
    check("it had gone before", &world, &[(0, "6000")]);
    let world = World { acknowledged: Some(Default::default()), ..words(&both) };
    world.run_batches(2).unwrap();
    let world = gone(world);
    check("its peer counts on what it was told", &world, &[(4, "live"), (0, "2000")]);
    // It is said again by nobody: the newest plan names it among those that are away.
    check("it had gone before", &world, &[(0, "6000")]);
    let renamed = LIVE.replace("[streams.live]", "[streams.other]\npreviously = \"live\"");
    let world = words(&both);
    world.run_batches(2).unwrap();
    let text = format!("{IN}{}", renamed.replace("from = \"live\"", "from = \"other\""));
    check("it has another name", &World { text, live: "other".to_owned(), ..world }, &[(0, "2000")]);
}

#[test]
fn input_that_nobody_has_and_records_that_are_not_whole() {
    let both = format!("{IN}{LIVE}");
    // What was logged behind the last batch is of a stream that has gone, and another one is logged on.
    let second = "[streams.second]\nqueue = { schema = \"word: text, n: integer\", batches = [] }\n\
                  [outputs.second]\nfrom = \"second\"\nprint = true\n";
    let feed = feed_of(&[(1, &["x"]), (2, &["y"])]);
    let world = World { second: Some(("second".to_owned(), feed, None)), ..words(&format!("{both}{second}")) };
    let output = "[outputs.live]\nfrom = \"second\"\nprint = true\n";
    let world = World { text: format!("{IN}{second}{output}"), ..stopped(world, Point::Log) };
    check("a stream has gone", &world, &[(3, "live"), (5, "live"), (0, "1000"), (2, "1000")]);
    // The newest record.
    let world = stopped(words(&both), Point::Commit);
    let (name, bytes) = world.storage.files().into_iter().rfind(|(file, _)| file.starts_with("log/")).unwrap();
    world.storage.overwrite(&name, vec![0; bytes.len()]);
    check("a damaged record", &world, &[(6, ""), (0, "1000"), (1, "2000")]);
    // The log of input.
    let world = stopped(words(&both), Point::Log);
    let (name, mut bytes) = world.storage.files().into_iter().rfind(|(file, _)| file.starts_with("input/")).unwrap();
    bytes.pop();
    world.storage.overwrite(&name, bytes);
    world.feed.lock().unwrap().clear();
    check("the end of the input log", &world, &[(7, ""), (0, "1000"), (2, "1000")]);
}

#[test]
fn states_that_are_migrated() {
    let world = migrate::world();
    world.run_batches(2).unwrap();
    let world = migrate::with_version(world, 2);
    check("to the second version", &world, &[(8, "totals"), (8, "alarms"), (0, "2000")]);
    check("of that version already", &world, &[(0, "8000")]);
    // Of one version, but with other fields.
    let with = |world: World, function: &str| {
        let text = world.text.replace("update-state = \"hostile/sum-migrated\"", function);
        World { text, ..world }
    };
    let world = migrate::with_version(migrate::world(), 2);
    world.run_batches(2).unwrap();
    let world = with(world, "update-state = \"hostile/alarm-migrated\"");
    check("fields that have gone", &world, &[(9, "totals"), (0, "2000")]);
}
