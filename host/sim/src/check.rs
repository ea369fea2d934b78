//! What must hold when a simulation has come to its end, told from what sinks have made visible.

mod kept;
mod lines;
mod model;
mod stored;
mod tallies;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use tidemill_checkpoint::MemoryStorage;
use tidemill_model::{testing::without_source_lines, time::Timestamp};

use crate::{
    scenario::{ACKNOWLEDGED, Content, Edition, LIVE, REPEATABLE, Scenario, SinkKind},
    world::{Committed, Output, Rows, World},
};
pub(crate) use kept::kept_lines;
use lines::{Batches, check_acknowledged, check_live, check_repeatable, check_skipped, numbered};
use model::Model;
use tallies::Tallies;

/// How many batches there are.
pub(crate) fn batches(world: &World) -> u64 {
    lines_output(world).map_or(0, |output| output.batches.len() as u64)
}

/// The first promise that is broken, if one is.
pub(crate) fn check(world: &World, scenario: &Scenario, storage: &MemoryStorage) -> Result<(), String> {
    let lines = lines_output(world).ok_or("no output has the lines")?;
    let batches: Batches<'_> =
        lines.batches.iter().map(|(&time, rows)| Ok((time, numbered(rows)?))).collect::<Result<_, String>>()?;
    let skipped = skipped(world, scenario, &batches);
    check_lines(world, scenario, &batches, &skipped)?;
    let mut model = Model::new(scenario.single, scenario.interval_micros);
    let mut tallies = Tallies::default();
    for (time, committed) in &world.committed {
        model.begin(committed.edition);
        let (lines, is_skipped) = (batches.get(time), skipped.contains(time));
        if !is_skipped {
            model.batch(*time, lines.map_or(&[][..], |lines| lines));
        }
        for output in &world.outputs {
            if is_skipped || !has_output(output, committed.edition) {
                check_nothing(output, *time, is_skipped)?;
            } else {
                check_output(output, *time, &model, lines.is_none())?;
            }
        }
        let lines = (!is_skipped).then(|| lines.map_or(0, Vec::len));
        tallies.add(*time, committed, &model, world, lines);
    }
    tallies.check(world)?;
    let times = world.committed.keys().copied().collect();
    world.outputs.iter().try_for_each(|output| check_order(output, &times))?;
    stored::check(storage, world, scenario, &model, &tallies)
}

fn check_lines(
    world: &World,
    scenario: &Scenario,
    batches: &Batches<'_>,
    skipped: &BTreeSet<Timestamp>,
) -> Result<(), String> {
    if world.trouble.skips() {
        check_skipped(world, batches, skipped)?;
    }
    let edition = last_edition(world, scenario);
    world.feeds.iter().try_for_each(|(stream, feed)| match *stream {
        LIVE => check_live(feed, batches, world.hosts.len(), skipped),
        ACKNOWLEDGED => {
            let is_there = scenario.sources(edition).any(|source| source == ACKNOWLEDGED);
            check_acknowledged(feed, batches, is_there, skipped)
        }
        stream => check_repeatable(stream, world, batches, skipped),
    })
}

/// Of the last batch.
fn last_edition(world: &World, scenario: &Scenario) -> Edition {
    world.committed.last_key_value().map_or(scenario.first_edition(), |(_, committed)| committed.edition)
}

fn has_output(output: &Output, edition: Edition) -> bool {
    edition.has_passing_outputs || !output.spec.is_passing
}

/// Batches that count and have nothing, though sources had a batch.
fn skipped(world: &World, scenario: &Scenario, batches: &Batches<'_>) -> BTreeSet<Timestamp> {
    let skips = world.trouble.skips();
    // Only a feed that can be read again from any place may have none at a tick.
    let is_present = |committed: &Committed| {
        let is_empty = committed.lines.get(REPEATABLE).is_none_or(|lines| lines.is_empty());
        !is_empty || scenario.sources(committed.planned).any(|stream| stream != REPEATABLE)
    };
    let skipped = world
        .committed
        .iter()
        .filter(|(time, committed)| skips && !batches.contains_key(time) && is_present(committed));
    skipped.map(|(time, _)| *time).collect()
}

fn lines_output(world: &World) -> Option<&Output> {
    world.outputs.iter().find(|output| output.spec.content == Content::Lines)
}

/// Of a skipped batch no output has anything, nor has one of a batch whose pipeline does not have it.
fn check_nothing(output: &Output, time: Timestamp, is_skipped: bool) -> Result<(), String> {
    let has_it = output.batches.contains_key(&time) || output.deliveries.iter().any(|delivery| delivery.time == time);
    let why = if is_skipped { "was skipped" } else { "was run without it" };
    if has_it { Err(format!("output `{}` has the batch {time}, which {why}", output.spec.name)) } else { Ok(()) }
}

/// What an output has of a batch is what the model has. `is_absent`: the sources have none at its tick, and then only
/// streams with state have one.
fn check_output(output: &Output, time: Timestamp, model: &Model, is_absent: bool) -> Result<(), String> {
    let name = output.spec.name;
    let Some(expect) = model.rows(output.spec.content) else { return Ok(()) };
    let of_time = output.deliveries.iter().filter(|delivery| delivery.time == time).map(|delivery| &delivery.rows);
    let all: Vec<&Rows> = output.batches.get(&time).into_iter().chain(of_time).collect();
    if !model.can_be_there(output.spec.content) {
        let is_right = all.iter().all(|rows| rows.iter().all(Vec::is_empty));
        return if is_right {
            Ok(())
        } else {
            Err(format!("output `{name}` has the batch {time}, and does not slide then"))
        };
    }
    if is_absent && !model.is_always_there(output.spec.content) {
        return match all.is_empty() {
            true => Ok(()),
            false => Err(format!("output `{name}` has the batch {time}, and its source has none")),
        };
    }
    let shows_rows_only = matches!(output.spec.content, Content::Letters(_)) || output.spec.sink == SinkKind::Folder;
    if all.is_empty() && shows_rows_only && expect.is_empty() {
        return Ok(());
    }
    if all.is_empty() {
        return Err(format!("output `{name}` lacks the batch {time}"));
    }
    for rows in all {
        let mut got = rows.concat();
        if let Content::Letters(_) = output.spec.content {
            got.iter_mut().for_each(|letter| *letter = without_source_lines(&without_place(letter)));
        }
        got.sort();
        if got != expect {
            return Err(format!("output `{name}`, batch {time}: {got:?}, and {expect:?} is right"));
        }
    }
    Ok(())
}

/// A dead letter without the partition, and the number of its row there, which are no part of the model.
fn without_place(letter: &str) -> String {
    let fields: Vec<&str> = letter.splitn(6, ' ').collect();
    let place = 3..5.min(fields.len());
    fields
        .iter()
        .enumerate()
        .filter(|(at, _)| !place.contains(at))
        .map(|(_, field)| *field)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Batches come in order and none beside those that count; a sink that does not know its batches may get the newest one
/// again, as it was.
fn check_order(output: &Output, times: &BTreeSet<Timestamp>) -> Result<(), String> {
    let name = output.spec.name;
    let of_sink = output.batches.keys().chain(output.deliveries.iter().map(|delivery| &delivery.time));
    if let Some(time) = of_sink.into_iter().find(|time| !times.contains(time)) {
        return Err(format!("output `{name}` has the batch {time}, which does not count"));
    }
    let mut newest = None;
    let mut rows = BTreeMap::new();
    for delivery in &output.deliveries {
        if *rows.entry(delivery.time).or_insert(&delivery.rows) != &delivery.rows {
            return Err(format!("output `{name}` gets the batch {} again with other rows", delivery.time));
        }
        // A host that was overtaken in the middle of a delivery may come late.
        if delivery.by_owner && Some(delivery.time) < newest {
            return Err(format!("output `{name}` gets the batch {} after a later one", delivery.time));
        }
        newest = newest.max(Some(delivery.time));
    }
    Ok(())
}
