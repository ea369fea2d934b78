//! A window that is edited between two runs goes on with what it has, or is refused before the checkpoint is taken over.

use std::sync::Arc;

use tidemill_checkpoint::Keep;
use tidemill_engine::{checkpoint::Point, replay::BatchRows};

use super::{
    at,
    world::{AtOnce, Ended, Stop, World},
};

/// No snapshot comes behind the end of a run.
pub fn world(text: &str) -> World {
    World { workers: 1, spawn: Arc::new(AtOnce), ..World::new(text, "no stream", &[]) }
}

/// Six batches of a number, through a window behind `before`.
fn text(window: &str, before: &str, interval: &str) -> String {
    format!(
        "[pipeline]\nname = \"test\"\ninterval = \"{interval}\"\npartitions = 2\n\
         [streams.in]\nqueue = {{ schema = \"n: integer\", batches = [[1], [2], [3], [4], [5], [6]] }}\n\
         {before}\n[streams.recent]\nfrom = \"{}\"\n{window}\n\
         [streams.out]\nfrom = \"recent\"\nsort = \"n\"\n[outputs.out]\nfrom = \"out\"\nprint = true\n",
        if before.is_empty() { "in" } else { "before" }
    )
}

/// What was delivered behind the third batch, where the window was `first` until then and is `then` from there on.
fn edited(first: &str, then: &str) -> Vec<(i64, String)> {
    let world = world(&text(first, "", "1s"));
    let stop = Stop { point: Point::Deliver, after: true, batch: at(3) };
    assert_eq!(world.run(Some(stop)), Ended::Stopped, "{first}");
    let world = World { text: text(then, "", "1s"), ..world };
    assert_eq!(world.run(None), Ended::Done, "{then}");
    let behind = world.delivered_until(at(6)).into_iter().filter(|((_, time), _)| *time > at(3));
    behind.map(|((_, time), rows)| (time.0 / 1_000_000, rows.concat().concat())).collect()
}

#[test]
fn another_length_or_slide_goes_on_with_the_batches_that_are_there() {
    let batches =
        |batches: &[(i64, &str)]| batches.iter().map(|(at, rows)| (*at, (*rows).to_owned())).collect::<Vec<_>>();
    // Shorter: what is too old goes. Longer: it fills up, with what the old one still had.
    let three = "window = \"3s\"";
    assert_eq!(edited(three, three), batches(&[(4, "234"), (5, "345"), (6, "456")]));
    assert_eq!(edited(three, "window = \"2s\""), batches(&[(4, "34"), (5, "45"), (6, "56")]));
    assert_eq!(edited(three, "window = \"5s\""), batches(&[(4, "234"), (5, "2345"), (6, "23456")]));
    assert_eq!(edited(three, "window = \"3s\"\nslide = \"2s\""), batches(&[(4, "234"), (6, "456")]));
    assert_eq!(
        edited("window = \"4s\"\nslide = \"2s\"", "window = \"2s\""),
        batches(&[(4, "34"), (5, "45"), (6, "56")])
    );
    // A gap keeps nothing that it does not need.
    assert_eq!(edited("window = \"1s\"\nslide = \"2s\"", three), batches(&[(4, "4"), (5, "45"), (6, "456")]));
}

#[test]
fn rows_of_other_fields_and_batches_of_other_times_are_refused_before_the_claim() {
    let named = "[streams.before]\nfrom = \"in\"\nmap = \"hostile/anything\"\nas = \"n\"";
    let other = "[streams.before]\nfrom = \"in\"\nmap = \"hostile/anything\"\nfields = { value = \"n\" }\nkeep = [\"n\"]\nas = \"m\"";
    let window = "window = \"3s\"";
    for (then, said) in [
        (text(window, other, "1s"), "every 1s: m: integer, n: integer (order of 2)"),
        (text("window = \"4s\"", named, "2s"), "every 2s: n: integer (order of 2)"),
    ] {
        let world = world(&text(window, named, "1s"));
        let stop = Stop { point: Point::Deliver, after: true, batch: at(3) };
        assert_eq!(world.run(Some(stop)), Ended::Stopped);
        let before = world.storage.files();
        let changed = World { text: then, ..world };
        let error = changed.open().err().unwrap().to_string();
        assert!(error.contains("the state of stream `recent` was kept as") && error.contains(said), "{error}");
        assert_eq!(changed.storage.files(), before, "{said}");
        let world = World { text: text(window, named, "1s"), ..changed };
        assert_eq!(world.run(None), Ended::Done);
        let newest = world.delivered_until(at(6)).into_values().map(|rows| rows.concat().concat()).next_back();
        assert_eq!(newest.as_deref(), Some("456"));
    }
}

/// Of accumulators as of rows; those of another reducer are refused.
#[test]
fn a_reduce_over_a_window_goes_on_with_its_accumulators() {
    let text = |reduce: &str| {
        format!(
            "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = 2\n\
             [streams.in]\nqueue = {{ schema = \"n: integer\", batches = [[1], [2], [3], [4], [5], [6]] }}\n\
             [streams.out]\nfrom = \"in\"\n{reduce}\n[outputs.out]\nfrom = \"out\"\nprint = true\n"
        )
    };
    let sum = |window: &str| text(&format!("reduce = \"sum\"\n{window}"));
    let world = world(&sum("window = \"3s\""));
    assert_eq!(world.run(Some(Stop { point: Point::Deliver, after: true, batch: at(3) })), Ended::Stopped);
    let before = world.storage.files();
    let changed = World { text: text("reduce = \"max\"\nwindow = \"3s\""), ..world };
    let error = changed.open().err().unwrap().to_string();
    assert!(error.contains("every 1s: sum n: high: integer, low: integer"), "{error}");
    assert!(error.contains("every 1s: max n: value: integer"), "{error}");
    assert_eq!(changed.storage.files(), before);
    let world = World { text: sum("window = \"4s\"\nslide = \"2s\""), partitions: 5, ..changed };
    assert_eq!(world.run(None), Ended::Done);
    let rows =
        world.delivered_until(at(6)).into_iter().map(|((_, time), rows)| (time.0 / 1_000_000, rows.concat().concat()));
    let expect = [(1, "1"), (2, "3"), (3, "6"), (4, "9"), (6, "18")].map(|(at, sum)| (at, sum.to_owned()));
    assert_eq!(rows.collect::<Vec<_>>(), expect, "the first batch had gone when the window became longer");
}

/// A function's sum over three batches of six; `function` names it.
fn summed(function: &str) -> String {
    format!(
        "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = 2\n\
         [streams.in]\nqueue = {{ schema = \"n: integer\", batches = [[1, 1], [2], [3], [4], [5], [6]] }}\n\
         [streams.out]\nfrom = \"in\"\nreduce = \"hostile/{function}\"\nas = \"sum\"\nwindow = \"3s\"\n\
         [outputs.out]\nfrom = \"out\"\nprint = true\n"
    )
}

#[test]
fn accumulators_of_an_older_version_are_migrated_before_the_first_batch() {
    for point in Point::ALL {
        for (after, batch, partitions) in [(false, 4, 2), (true, 4, 5), (false, 5, 1), (true, 5, 2)] {
            let world = world(&summed("sum"));
            let stop = Stop { point: Point::Deliver, after: true, batch: at(3) };
            assert_eq!(world.run(Some(stop)), Ended::Stopped);
            let world = World { text: summed("sum-thousandfold"), partitions, ..world };
            world.run(Some(Stop { point, after, batch: at(batch) }));
            assert_eq!(world.run(None), Ended::Done);
            let rows = world.delivered_until(at(6)).into_values().map(|rows| rows.concat().concat());
            let expect = ["2", "4", "7", "5004", "3009", "15"].map(str::to_owned);
            assert_eq!(rows.collect::<Vec<_>>(), expect, "{point:?}, after {after}, batch {batch}");
        }
    }
}

#[test]
fn accumulators_that_cannot_be_taken_over_are_left_as_they_are() {
    let world = world(&summed("sum"));
    assert_eq!(world.run(Some(Stop { point: Point::Deliver, after: true, batch: at(3) })), Ended::Stopped);
    let before = world.storage.files();
    let changed = World { text: summed("last"), ..world };
    let error = changed.open().err().unwrap().to_string();
    let said =
        "was kept as `every 1s: n by hostile/sum`, and the pipeline would keep it as `every 1s: n by hostile/last`";
    assert!(error.contains(said), "{error}");
    assert_eq!(changed.storage.files(), before);
    let changed = World { text: summed("migrate-sum-fails"), ..changed };
    let error = changed.open().and_then(|mut run| run.run()).unwrap_err().to_string();
    assert!(error.contains("no way from version 1 of total: integer"), "{error}");
    let world = World { text: summed("sum"), ..changed };
    assert_eq!(world.run(Some(Stop { point: Point::Deliver, after: true, batch: at(4) })), Ended::Stopped);
    let world = World { text: summed("sum-thousandfold"), ..world };
    assert_eq!(world.run(Some(Stop { point: Point::Deliver, after: true, batch: at(5) })), Ended::Stopped);
    let older = World { text: summed("sum"), ..world };
    let error = older.open().and_then(|mut run| run.run()).unwrap_err().to_string();
    assert!(error.contains("is of version 2 (`total: integer`), and the plugin's function has version 1"), "{error}");
    let world = World { text: summed("sum-thousandfold"), ..older };
    assert_eq!(world.run(None), Ended::Done);
    let rows = world.delivered_until(at(6)).into_values().map(|rows| rows.concat().concat());
    assert_eq!(rows.collect::<Vec<_>>(), ["2", "4", "7", "9", "7005", "4011"].map(str::to_owned));
}

/// Where the rows of a window are decides in which order others make rows of them, and that is the same wherever a run stops.
const ORDERED: &str = "[streams.in]\nqueue = { schema = \"n: float\", partitions = 2, batches = [[0.1, 0.2, 0.3, 0.4, 0.6, 0.7], [], [0.5, 0.1, 0.9], [], [0.8]] }\n\
    [streams.recent]\nfrom = \"in\"\nwindow = \"3s\"\n[streams.different]\nfrom = \"recent\"\ndistinct = true\n\
    [streams.out]\nfrom = \"different\"\nlimit = 2\n[streams.sum]\nfrom = \"recent\"\nreduce = \"sum\"\n\
    [streams.counts]\nfrom = \"in\"\nby = \"n\"\nreduce = \"count\"\nwindow = \"2s\"\n\
    [outputs.out]\nfrom = \"out\"\nprint = true\n[outputs.different]\nfrom = \"different\"\nprint = true\n\
    [outputs.sum]\nfrom = \"sum\"\nprint = true\n[outputs.counts]\nfrom = \"counts\"\nprint = true\n";

#[test]
fn rows_are_where_they_were_when_a_run_goes_on() {
    for partitions in [1, 2, 5] {
        let straight = World { partitions, ..world(ORDERED) };
        assert_eq!(straight.run(None), Ended::Done);
        for batch in 1..5 {
            let world = World { partitions, ..world(ORDERED) };
            let stop = Stop { point: Point::Deliver, after: true, batch: at(batch) };
            assert_eq!(world.run(Some(stop)), Ended::Stopped);
            assert_eq!(world.run(None), Ended::Done);
            let (all, expect) = (world.delivered_until(at(5)), straight.delivered_until(at(5)));
            assert_eq!(all, expect, "{partitions} partitions, stopped at {batch}");
        }
    }
}

/// A table, a pane, whether it is a row, whether it went, and the key.
type Change = (String, Option<i64>, bool, bool, Vec<u8>);

/// What a batch changed in the tables, each row and mark as often as it is there.
fn changed(rows: &BatchRows) -> Vec<Change> {
    let blocks = rows.states.iter().flat_map(|(stream, blocks)| blocks.iter().map(move |block| (stream, block)));
    let rows = blocks.flat_map(|(stream, block)| (0..block.len()).map(move |row| (stream, block, row)));
    let mut changed: Vec<_> = rows
        .map(|(stream, block, row)| {
            let key = block.key_bytes(row).to_vec();
            (stream.to_string(), block.pane(row), block.has_row(row), block.is_deleted(row), key)
        })
        .collect();
    changed.sort();
    changed
}

#[test]
fn a_batch_of_a_window_that_is_run_again_changes_what_it_changed() {
    for partitions in [1, 2, 5] {
        let keep = Keep { batches: 100, bytes: 1 << 30 };
        let world = World { partitions, keep, ..world(ORDERED) };
        assert_eq!(world.run(None), Ended::Done);
        let history = world.history();
        let mut replayed_count = 0;
        for found in history.batches().iter().filter(|found| history.has_past(found)) {
            let replayed = world.replay(&history, &history.past(found.time).unwrap()).unwrap();
            assert_eq!(changed(&replayed.now), changed(&replayed.then.unwrap()), "{partitions}, batch {}", found.time);
            replayed_count += 1;
        }
        assert!(replayed_count >= 5);
    }
}
