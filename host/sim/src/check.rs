//! What must hold when a simulation has come to its end, told from what sinks have made visible.

mod model;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use tidemill_checkpoint::MemoryStorage;
use tidemill_model::time::Timestamp;

use crate::{
    scenario::{Content, LIVE, REPEATABLE},
    world::{Feed, LIVE_NUMBERS, Logged, Output, Rows, World},
};
use model::Model;

/// How many batches there are.
pub(crate) fn batches(world: &World) -> u64 {
    lines_output(world).map_or(0, |output| output.batches.len() as u64)
}

/// The first promise that is broken, if one is.
pub(crate) fn check(world: &World, storage: &MemoryStorage) -> Result<(), String> {
    let lines = lines_output(world).ok_or("no output has the lines")?;
    let batches: BTreeMap<Timestamp, Vec<Numbered<'_>>> =
        lines.batches.iter().map(|(&time, rows)| Ok((time, numbered(rows)?))).collect::<Result<_, String>>()?;
    if let Some(feed) = world.feeds.get(REPEATABLE) {
        check_repeatable(feed, &batches)?;
    }
    if let Some(feed) = world.feeds.get(LIVE) {
        check_live(feed, &batches, world)?;
    }
    let mut model = Model::default();
    for time in world.committed.keys() {
        let lines = batches.get(time);
        let words: Vec<&str> = lines.into_iter().flatten().flat_map(|line| line.text.split_whitespace()).collect();
        model.batch(&words);
        for output in &world.outputs {
            check_output(output, *time, &model, lines.is_none())?;
        }
    }
    let times = world.committed.keys().copied().collect();
    world.outputs.iter().try_for_each(|output| check_order(output, &times))?;
    stored::check(storage, world, &model)
}

/// A line as an output has it.
struct Numbered<'a> {
    number: i64,
    text: &'a str,
}

fn lines_output(world: &World) -> Option<&Output> {
    world.outputs.iter().find(|output| output.spec.content == Content::Lines)
}

/// The lines of a batch; those of a partition are in order.
fn numbered(rows: &Rows) -> Result<Vec<Numbered<'_>>, String> {
    let mut all = Vec::new();
    for partition in rows {
        let mut last = BTreeMap::new();
        for row in partition {
            let (number, text) = row.split_once(' ').ok_or_else(|| format!("`{row}` is no line"))?;
            let number: i64 = number.parse().map_err(|_| format!("`{row}` has no number"))?;
            if last.insert(number >= LIVE_NUMBERS, number) >= Some(number) {
                return Err(format!("line {number} is out of order in its partition"));
            }
            all.push(Numbered { number, text });
        }
    }
    all.sort_by_key(|line| line.number);
    Ok(all)
}

/// Every line once, and in order from batch to batch.
fn check_repeatable(feed: &Feed, batches: &BTreeMap<Timestamp, Vec<Numbered<'_>>>) -> Result<(), String> {
    let mut lines = feed.lines.iter();
    for (time, batch) in batches {
        for got in batch.iter().filter(|line| line.number < LIVE_NUMBERS) {
            let expect = lines.next().ok_or_else(|| format!("batch {time} has line {}, which is none", got.number))?;
            if (expect.number, &*expect.text) != (got.number, got.text) {
                return Err(format!("batch {time} has line {}, and {} comes next", got.number, expect.number));
            }
        }
    }
    lines.next().map_or(Ok(()), |line| Err(format!("line {} and those behind it are lost", line.number)))
}

/// Every line at most once and in order; of what a host has taken only the end may be lost, and nothing that was durable.
fn check_live(feed: &Feed, batches: &BTreeMap<Timestamp, Vec<Numbered<'_>>>, world: &World) -> Result<(), String> {
    let mut delivered = BTreeSet::new();
    for (time, batch) in batches {
        for got in batch.iter().filter(|line| line.number >= LIVE_NUMBERS) {
            if delivered.last() >= Some(&got.number) {
                return Err(format!("batch {time} has line {}, and a later one came before", got.number));
            }
            let line = usize::try_from(got.number - LIVE_NUMBERS).ok().and_then(|place| feed.lines.get(place));
            if line.is_none_or(|line| line.text != got.text) {
                return Err(format!("batch {time} has line {} `{}`, which is none", got.number, got.text));
            }
            delivered.insert(got.number);
        }
    }
    let mut ended = BTreeSet::new();
    let last = world.hosts.len() - 1;
    for given in &feed.given {
        let is_delivered = delivered.remove(&given.number);
        if is_delivered && ended.contains(&given.host) {
            return Err(format!("line {} came, and an earlier one of host {} is lost", given.number, given.host));
        }
        if !is_delivered && (given.log == Logged::Durable || given.host == last) {
            return Err(format!("line {}, which host {} had logged, is lost", given.number, given.host));
        }
        if !is_delivered {
            ended.insert(given.host);
        }
    }
    delivered.first().map_or(Ok(()), |number| Err(format!("line {number} came, and nobody has taken it")))
}

/// What an output has of a batch is what the model has. `is_absent`: the sources have none at its tick, and then only
/// streams with state have one.
fn check_output(output: &Output, time: Timestamp, model: &Model, is_absent: bool) -> Result<(), String> {
    let name = output.spec.name;
    let Some(expect) = model.rows(output.spec.content) else { return Ok(()) };
    let of_time = output.deliveries.iter().filter(|delivery| delivery.time == time).map(|delivery| &delivery.rows);
    let all: Vec<&Rows> = output.batches.get(&time).into_iter().chain(of_time).collect();
    if is_absent && model.states(output.spec.content).is_none() {
        return match all.is_empty() {
            true => Ok(()),
            false => Err(format!("output `{name}` has the batch {time}, and its source has none")),
        };
    }
    if all.is_empty() {
        return Err(format!("output `{name}` lacks the batch {time}"));
    }
    for rows in all {
        let mut got = rows.concat();
        got.sort();
        if got != expect {
            return Err(format!("output `{name}`, batch {time}: {got:?}, and {expect:?} is right"));
        }
    }
    Ok(())
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
