//! Each promise is broken once by hand, and found out.

mod counts;
mod kept;
mod outputs;

use std::collections::BTreeMap;

use tidemill_model::time::Timestamp;

use super::{check_acknowledged, check_live, check_repeatable, check_skipped, numbered, skipped};
use crate::{
    scenario::{ACKNOWLEDGED, Edition, FILES, LIVE, Passing, REPEATABLE, Scenario, Trouble, first_number},
    world::{Committed, HostState, Line, Logged, Rows, World},
};

fn scenario(stream: &'static str) -> Scenario {
    Scenario { streams: vec![stream], passing: None, trouble: Trouble::None, ..Scenario::of(1) }
}

/// A batch of the only host, with these lines of a feed that can be read again.
fn committed(stream: &'static str, lines: std::ops::Range<usize>) -> Committed {
    let lines = if matches!(stream, LIVE | ACKNOWLEDGED) { BTreeMap::new() } else { [(stream, lines)].into() };
    Committed { record: String::new(), edition: Edition::FIRST, planned: Edition::FIRST, host: 0, lines }
}

/// Four lines have arrived, `w0 w0`, `w1 w0` and so on; those of the live feed were taken by the only host.
fn world(stream: &'static str) -> World {
    let mut world = World::new(1, &scenario(stream));
    world.hosts.extend([HostState::new(Edition::FIRST), HostState::new(Edition::FIRST)]);
    let feed = world.feeds.get_mut(stream).expect("the scenario has it");
    let first = first_number(stream);
    let line = |number| Line { number: first + number, value: 1, text: format!("w{number} w0"), at: Timestamp(number) };
    feed.lines = (0..4).map(line).collect();
    feed.close();
    feed.take(0, 0..2);
    feed.take(0, 2..4);
    for (time, lines) in [(1, 0..2), (2, 2..4)] {
        world.committed.insert(Timestamp(time), committed(stream, lines));
    }
    world
}

/// What is said when the batches 1 and 2 have these lines, each in one part; nothing, if all is well.
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
    let stream = world.feeds.keys().next().copied().unwrap_or(LIVE);
    let skipped = skipped(world, &scenario(stream), &read);
    let checked = match stream {
        REPEATABLE | FILES => check_repeatable(stream, world, &read, &skipped),
        ACKNOWLEDGED => check_acknowledged(&world.feeds[stream], &read, true, &skipped),
        _ => check_live(&world.feeds[LIVE], &read, world.hosts.len(), &skipped),
    };
    let checked = checked.and_then(|()| match world.trouble {
        Trouble::Skip => check_skipped(world, &read, &skipped),
        _ => Ok(()),
    });
    undated(checked)
}

/// What is said, without the dates of batches: they are of 1970, a microsecond each.
fn undated(checked: Result<(), String>) -> String {
    let said = checked.err().unwrap_or_default();
    (1..=9).fold(said, |said, micros| said.replace(&format!(" (1970-01-01T00:00:00.00000{micros}Z)"), ""))
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
    check(&["1 1 w1 w0", "0 1 w0 w0"], &[], "line 0 is out of order");
    check(&["0 1 w0", "1 1 w1 w0"], &[], "batch 0 ms has the lines [Numbered { number: 0, value: 1, text: \"w0\"");
    check(&["0 2 w0 w0", "1 1 w1 w0"], &[], "batch 0 ms has the lines [Numbered { number: 0, value: 2");
    check(&["0 w0 w0"], &[], "`0 w0 w0` is no line");
}

#[test]
fn batches_are_taken_over_one_behind_the_other() {
    let right: [&[&str]; 2] = [&["0 1 w0 w0", "1 1 w1 w0"], &["2 1 w2 w0", "3 1 w3 w0"]];
    let check = |lines, expect: &str| {
        let mut world = world(REPEATABLE);
        world.committed.insert(Timestamp(2), committed(REPEATABLE, lines));
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
    for stream in [REPEATABLE, LIVE, ACKNOWLEDGED, FILES] {
        let first = first_number(stream);
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

/// It was planned before a source came to the pipeline, and the host that runs it again has that.
#[test]
fn a_batch_that_was_planned_without_a_source_is_not_skipped() {
    let passing = Some(Passing { stream: FILES, is_there_first: false });
    let scenario = Scenario { streams: vec![REPEATABLE, FILES], passing, ..scenario(REPEATABLE) };
    let mut world = world(REPEATABLE);
    world.trouble = Trouble::Skip;
    for has_passing_source in [false, true] {
        let planned = Edition { has_passing_source, ..Edition::FIRST };
        let edition = Edition { has_passing_source: true, ..Edition::FIRST };
        world.committed = [(Timestamp(1), Committed { planned, edition, ..committed(REPEATABLE, 0..0) })].into();
        assert_eq!(skipped(&world, &scenario, &BTreeMap::new()).len(), usize::from(has_passing_source));
    }
}

#[test]
fn of_lines_that_cannot_only_the_end_of_what_was_not_logged_is_lost() {
    let mut world = world(LIVE);
    let [zero, one, two, three] = [0, 1, 2, 3].map(|number| format!("{} 1 w{number} w0", first_number(LIVE) + number));
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
    let appended = feed.appended(0);
    feed.synced_by(0, &appended);
    let logged: Vec<Logged> = feed.given.iter().map(|given| given.log).collect();
    let (begins, goes_on) = (Logged::No { begins_chunk: true }, Logged::No { begins_chunk: false });
    assert_eq!(logged, [Logged::Durable, Logged::Durable, begins, goes_on], "a chunk at a time");
    check(&world, &[&zero, &one], &[], "");
    check(&world, &[&zero], &[], "line 1000001, which host 0 had logged, is lost");
}

#[test]
fn a_source_that_was_away_begins_at_its_beginning() {
    let mut world = world(REPEATABLE);
    let none = Committed { lines: BTreeMap::new(), ..committed(REPEATABLE, 0..0) };
    world.committed.insert(Timestamp(3), none.clone());
    let right: [&[&str]; 2] = [&["0 1 w0 w0", "1 1 w1 w0"], &["2 1 w2 w0", "3 1 w3 w0"]];
    assert_eq!(said(&world, right), "", "lines that come while it is away are not missed");
    world.committed.insert(Timestamp(2), none);
    assert_ne!(said(&world, right), "", "nor do any come");
    assert_eq!(said(&world, [right[0], &[]]), "");
    world.committed.insert(Timestamp(3), committed(REPEATABLE, 2..4));
    assert_eq!(said(&world, [right[0], &[]]), "batch 0 ms begins with line 2, and 0 comes next");
}

#[test]
fn lines_whose_peer_sends_them_again_come_once() {
    let mut world = world(ACKNOWLEDGED);
    let first = first_number(ACKNOWLEDGED);
    let [zero, one, two, three] = [0, 1, 2, 3].map(|number| format!("{} 1 w{number} w0", first + number));
    assert_eq!(said(&world, [&[&zero, &one], &[&two, &three]]), "");
    assert_eq!(
        said(&world, [&[&zero, &one], &[&one, &two]]),
        "batch 0 ms has line 2000001, and a later one came before"
    );
    assert_eq!(said(&world, [&[&zero], &[&two, &three]]), "line 2000001 is lost, and 0 were acknowledged");
    assert_eq!(said(&world, [&[&zero, &one], &[&two]]), "line 2000003 is lost, and 0 were acknowledged");
    world.feeds.get_mut(ACKNOWLEDGED).expect("it is there").peer.acknowledged = 2;
    let rows: Rows = vec![vec![zero, one]];
    let read = |rows| [(Timestamp(1), numbered(rows).expect("they are lines"))].into();
    let gone = |rows| check_acknowledged(&world.feeds[ACKNOWLEDGED], &read(rows), false, &[].into());
    assert_eq!(gone(&rows), Ok(()), "the pipeline has the source no more");
    let lost = undated(gone(&vec![vec![rows[0][0].clone()]]));
    assert_eq!(lost, "line 2000001 is lost, and 2 were acknowledged");
}
