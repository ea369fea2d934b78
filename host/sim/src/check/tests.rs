//! Each promise is broken once by hand, and found out.

use std::collections::BTreeMap;

use tidemill_model::time::Timestamp;

use super::{check_live, check_order, check_output, check_repeatable, check_skipped, numbered, skipped};
use crate::{
    check::{lines::Numbered, model::Model},
    scenario::{Content, Edition, LIVE, OutputSpec, REPEATABLE, Scenario, Trouble},
    world::{Committed, Delivery, HostState, LIVE_NUMBERS, Line, Logged, Output, Rows, World},
};

/// Four lines have arrived, `w0 w0`, `w1 w0` and so on; those of the live feed were taken by the only host.
fn world(stream: &'static str) -> World {
    let mut scenario = Scenario::of(1);
    scenario.streams = vec![stream];
    scenario.trouble = Trouble::None;
    let mut world = World::new(1, &scenario);
    world.hosts.extend([HostState::new(Edition::FIRST), HostState::new(Edition::FIRST)]);
    let feed = world.feeds.get_mut(stream).expect("the scenario has it");
    let first = if stream == LIVE { LIVE_NUMBERS } else { 0 };
    let line = |number| Line { number: first + number, value: 1, text: format!("w{number} w0"), at: Timestamp(number) };
    feed.lines = (0..4).map(line).collect();
    feed.close();
    feed.take(0, 0..2);
    feed.take(0, 2..4);
    for (time, lines) in [(1, 0..2), (2, 2..4)] {
        world.committed.insert(Timestamp(time), Committed { record: String::new(), edition: Edition::FIRST, lines });
    }
    world
}

/// What is said when the batches 1 and 2 have these lines, each in one partition; nothing, if all is well.
fn said(world: &World, batches: [&[&str]; 2]) -> String {
    let rows = batches.map(|rows| -> Rows { vec![rows.iter().map(|&row| row.to_owned()).collect()] });
    let mut read = BTreeMap::new();
    for (time, rows) in (1..).zip(&rows) {
        match numbered(rows) {
            Ok(lines) => read.insert(Timestamp(time), lines),
            Err(what) => return what,
        };
    }
    if world.trouble == Trouble::Skip {
        read.retain(|_, lines| !lines.is_empty());
    }
    let skipped = skipped(world, &read);
    let checked = match world.feeds.get(REPEATABLE) {
        Some(feed) => check_repeatable(feed, world, &read, &skipped),
        None => check_live(&world.feeds[LIVE], &read, world.hosts.len(), &skipped),
    };
    let checked = checked.and_then(|()| match world.trouble {
        Trouble::Skip => check_skipped(world, &read, &skipped),
        _ => Ok(()),
    });
    checked.err().unwrap_or_default()
}

#[test]
fn lines_that_can_be_read_again_come_once_and_in_order() {
    let world = world(REPEATABLE);
    let check = |first, second, expect: &str| {
        let said = said(&world, [first, second]);
        assert!(said == expect || (!expect.is_empty() && said.starts_with(expect)), "{said}");
    };
    check(&["0 1 w0 w0", "1 1 w1 w0"], &["2 1 w2 w0", "3 1 w3 w0"], "");
    check(&["0 1 w0 w0", "1 1 w1 w0"], &["2 1 w2 w0"], "batch 0 ms has the lines [Numbered { number: 2, ");
    check(&["0 1 w0 w0"], &["1 1 w1 w0", "2 1 w2 w0", "3 1 w3 w0"], "batch 0 ms has the lines [Numbered { number: 0, ");
    check(&["1 1 w1 w0", "0 1 w0 w0"], &[], "line 0 is out of order in its partition");
    check(&["0 1 w0", "1 1 w1 w0"], &[], "batch 0 ms has the lines [Numbered { number: 0, value: 1, text: \"w0\"");
    check(&["0 2 w0 w0", "1 1 w1 w0"], &[], "batch 0 ms has the lines [Numbered { number: 0, value: 2");
    check(&["0 w0 w0"], &[], "`0 w0 w0` is no line");
}

#[test]
fn batches_are_taken_over_one_behind_the_other() {
    let right: [&[&str]; 2] = [&["0 1 w0 w0", "1 1 w1 w0"], &["2 1 w2 w0", "3 1 w3 w0"]];
    let check = |lines, expect: &str| {
        let mut world = world(REPEATABLE);
        world.committed.insert(Timestamp(2), Committed { record: String::new(), edition: Edition::FIRST, lines });
        assert_eq!(said(&world, right), expect);
    };
    check(2..4, "");
    check(3..4, "batch 0 ms begins with line 3, and 2 comes next");
    let mut world = world(REPEATABLE);
    world.committed.remove(&Timestamp(2));
    assert_eq!(said(&world, right), "line 2 and those behind it are lost");
}

#[test]
fn only_batches_with_poison_are_skipped_and_they_as_a_whole() {
    for stream in [REPEATABLE, LIVE] {
        let first = if stream == LIVE { LIVE_NUMBERS } else { 0 };
        let rows: Vec<String> = (0..4).map(|number| format!("{} 1 w{number} w0", first + number)).collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let mut world = world(stream);
        world.trouble = Trouble::Skip;
        assert_eq!(said(&world, [&rows[..2], &[]]), "batch 0 ms was skipped for nothing");
        world.feeds.get_mut(stream).expect("it is there").lines[3].text = "panic".to_owned();
        let panic = format!("{} 1 panic", first + 3);
        assert_eq!(said(&world, [&rows[..2], &[]]), "");
        assert_ne!(said(&world, [&[], &rows[2..3]]), "");
        let unskipped = "batch 0 ms has a line that no function takes, and was not skipped";
        assert_eq!(said(&world, [&rows[..2], &[rows[2], &panic]]), unskipped);
    }
}

#[test]
fn of_lines_that_cannot_only_the_end_of_what_was_not_logged_is_lost() {
    let mut world = world(LIVE);
    let [zero, one, two, three] = [0, 1, 2, 3].map(|number| format!("{} 1 w{number} w0", LIVE_NUMBERS + number));
    let check = |world: &World, first: &[&str], second: &[&str], expect: &str| {
        assert_eq!(said(world, [first, second]), expect);
    };
    check(&world, &[&zero, &one], &[&two, &three], "");
    check(&world, &[&zero], &[&one], "");
    check(&world, &[], &[], "");
    check(&world, &[&zero, &two], &[], "line 1000002 came, and an earlier one of host 0 is lost");
    check(&world, &[&one], &[&zero], "batch 0 ms has line 1000000, and a later one came before");
    check(&world, &[&zero], &["1000001 1 w1"], "batch 0 ms has line 1000001 `w1`, which is none");
    let feed = world.feeds.get_mut(LIVE).expect("it is there");
    feed.appended_by(0);
    feed.synced_by(0);
    let logged: Vec<Logged> = feed.given.iter().map(|given| given.log).collect();
    let (begins, goes_on) = (Logged::No { begins_chunk: true }, Logged::No { begins_chunk: false });
    assert_eq!(logged, [Logged::Durable, Logged::Durable, begins, goes_on], "a chunk at a time");
    check(&world, &[&zero, &one], &[], "");
    check(&world, &[&zero], &[], "line 1000001, which host 0 had logged, is lost");
}

fn delivery(time: i64, rows: &[&str], by_owner: bool) -> Delivery {
    let rows = vec![rows.iter().map(|&row| row.to_owned()).collect()];
    Delivery { time: Timestamp(time), rows, host: 0, by_owner }
}

#[test]
fn batches_have_the_rows_of_the_model() {
    let mut model = Model::default();
    let line = |number, text| Numbered { number, value: 1, text };
    model.batch(Timestamp(1), &[line(0, "a b"), line(1, "a")]);
    let check = |content, deliveries: &[Delivery], is_absent, expect: &str| {
        let mut output = Output::new(&OutputSpec { name: "out", content, is_exact: false });
        output.deliveries = deliveries.to_vec();
        let said = check_output(&output, Timestamp(1), &model, is_absent).err().unwrap_or_default();
        assert_eq!(said, expect);
    };
    let right = delivery(1, &["b 1", "a 2"], true);
    check(Content::Counts, std::slice::from_ref(&right), false, "");
    check(Content::Counts, &[right.clone(), right.clone()], false, "");
    check(Content::Counts, &[delivery(2, &[], true)], false, "output `out` lacks the batch 0 ms");
    let wrong = [delivery(1, &["a 1", "b 1"], true)];
    check(
        Content::Counts,
        &wrong,
        false,
        "output `out`, batch 0 ms: [\"a 1\", \"b 1\"], and [\"a 2\", \"b 1\"] is right",
    );
    let unasked = "output `out` has the batch 0 ms, and its source has none";
    check(Content::Counts, std::slice::from_ref(&right), true, unasked);
    check(Content::Totals, &[right], true, "");
}

#[test]
fn batches_come_in_order_and_are_the_same_again() {
    let check = |deliveries: &[Delivery], expect: &str| {
        let mut output = Output::new(&OutputSpec { name: "out", content: Content::Counts, is_exact: false });
        output.deliveries = deliveries.to_vec();
        let times = [1, 2].map(Timestamp).into();
        assert_eq!(check_order(&output, &times).err().unwrap_or_default(), expect);
    };
    let [first, second] = [delivery(1, &["a"], true), delivery(2, &["b"], true)];
    check(&[first.clone(), first.clone(), second.clone(), second.clone()], "");
    check(&[first.clone(), second.clone(), first.clone()], "output `out` gets the batch 0 ms after a later one");
    check(&[first.clone(), second, delivery(1, &["a"], false)], "");
    let other = delivery(1, &["a", "a"], true);
    check(&[first, other], "output `out` gets the batch 0 ms again with other rows");
    check(&[delivery(3, &[], true)], "output `out` has the batch 0 ms, which does not count");
}
