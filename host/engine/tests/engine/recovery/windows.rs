//! A window that is edited between two runs goes on with what it has, or is refused before the checkpoint is taken over.

use std::sync::Arc;

use tidemill_engine::checkpoint::Point;

use super::{
    at,
    world::{AtOnce, Ended, Stop, World},
};

/// No snapshot comes behind the end of a run.
fn world(text: &str) -> World {
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
        (text(window, other, "1s"), "every 1s: m: integer, n: integer"),
        (text("window = \"4s\"", named, "2s"), "every 2s: n: integer"),
    ] {
        let world = world(&text(window, named, "1s"));
        let stop = Stop { point: Point::Deliver, after: true, batch: at(3) };
        assert_eq!(world.run(Some(stop)), Ended::Stopped);
        let before = world.storage.files();
        let changed = World { text: then, ..world };
        let error = changed.open().err().unwrap().to_string();
        assert!(error.contains("the state of stream `recent` was kept with") && error.contains(said), "{error}");
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
    assert!(error.contains("every 1s: sum of high: integer, low: integer"), "{error}");
    assert!(error.contains("every 1s: max of value: integer"), "{error}");
    assert_eq!(changed.storage.files(), before);
    let world = World { text: sum("window = \"4s\"\nslide = \"2s\""), partitions: 5, ..changed };
    assert_eq!(world.run(None), Ended::Done);
    let rows =
        world.delivered_until(at(6)).into_iter().map(|((_, time), rows)| (time.0 / 1_000_000, rows.concat().concat()));
    let expect = [(1, "1"), (2, "3"), (3, "6"), (4, "9"), (6, "18")].map(|(at, sum)| (at, sum.to_owned()));
    assert_eq!(rows.collect::<Vec<_>>(), expect, "the first batch had gone when the window became longer");
}
