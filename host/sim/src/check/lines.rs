//! Which lines batches have: every one that had to come, once and in order; and which batches were rightly skipped.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_model::time::Timestamp;

use crate::{
    scenario::{LIVE, POISON, REPEATABLE},
    world::{Feed, LIVE_NUMBERS, Logged, Rows, World},
};

/// A line as an output has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) struct Numbered<'a> {
    pub number: i64,
    pub value: i64,
    pub text: &'a str,
}

/// The lines of batches, in the order of the output's partitions.
pub(super) type Batches<'a> = BTreeMap<Timestamp, Vec<Numbered<'a>>>;

impl Numbered<'_> {
    /// Whether a batch with this line is skipped, if batches are.
    fn is_poison(&self) -> bool {
        POISON.contains(&self.text)
    }
}

/// The lines of a batch; those of a partition are in order.
pub(super) fn numbered(rows: &Rows) -> Result<Vec<Numbered<'_>>, String> {
    let mut all = Vec::new();
    for partition in rows {
        let mut last = BTreeMap::new();
        for row in partition {
            let mut fields = row.splitn(3, ' ');
            let mut number = || fields.next().and_then(|number| number.parse().ok());
            let (Some(number), Some(value)) = (number(), number()) else { return Err(format!("`{row}` is no line")) };
            let text = fields.next().ok_or_else(|| format!("`{row}` is no line"))?;
            if last.insert(number >= LIVE_NUMBERS, number) >= Some(number) {
                return Err(format!("line {number} is out of order in its partition"));
            }
            all.push(Numbered { number, value, text });
        }
    }
    Ok(all)
}

/// Of one feed, in order.
fn of_feed<'a>(batch: &[Numbered<'a>], is_live: bool) -> Vec<Numbered<'a>> {
    let mut lines: Vec<_> = batch.iter().copied().filter(|line| (line.number >= LIVE_NUMBERS) == is_live).collect();
    lines.sort_by_key(|line| line.number);
    lines
}

/// Every line once, and in order from batch to batch: in the very batch that had it when the source was sealed.
pub(super) fn check_repeatable(
    feed: &Feed,
    world: &World,
    batches: &Batches<'_>,
    skipped: &BTreeSet<Timestamp>,
) -> Result<(), String> {
    let mut next = 0;
    for (time, committed) in &world.committed {
        if committed.lines.start != next {
            return Err(format!("batch {time} begins with line {}, and {next} comes next", committed.lines.start));
        }
        next = committed.lines.end;
        let of_batch = batches.get(time).map(|batch| of_feed(batch, false)).unwrap_or_default();
        let lines = &feed.lines[committed.lines.clone()];
        let expect = lines.iter().map(|line| Numbered { number: line.number, value: line.value, text: &line.text });
        if skipped.contains(time) {
            continue;
        }
        let expect: Vec<_> = expect.collect();
        if of_batch != expect {
            return Err(format!("batch {time} has the lines {of_batch:?}, and {expect:?} is right"));
        }
    }
    feed.lines.get(next).map_or(Ok(()), |line| Err(format!("line {} and those behind it are lost", line.number)))
}

/// Every line at most once and in order; of what a host has taken only the end may be lost, and nothing that was durable,
/// but for what was skipped.
pub(super) fn check_live(
    feed: &Feed,
    batches: &Batches<'_>,
    hosts: usize,
    skipped: &BTreeSet<Timestamp>,
) -> Result<(), String> {
    let mut delivered = BTreeMap::new();
    for (time, batch) in batches {
        for got in of_feed(batch, true) {
            if delivered.last_key_value().is_some_and(|(&last, _)| last >= got.number) {
                return Err(format!("batch {time} has line {}, and a later one came before", got.number));
            }
            let line = usize::try_from(got.number - LIVE_NUMBERS).ok().and_then(|place| feed.lines.get(place));
            if line.is_none_or(|line| (line.value, line.text.as_str()) != (got.value, got.text)) {
                return Err(format!("batch {time} has line {} `{}`, which is none", got.number, got.text));
            }
            delivered.insert(got.number, *time);
        }
    }
    let mut ended = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for given in &feed.given {
        taken.insert(given.number);
        let is_delivered = delivered.contains_key(&given.number);
        if is_delivered && ended.contains(&given.host) {
            return Err(format!("line {} came, and an earlier one of host {} is lost", given.number, given.host));
        }
        if is_delivered || may_be_skipped(given.number, &delivered, skipped) {
            continue;
        }
        if given.log == Logged::Durable || given.host == hosts - 1 {
            return Err(format!("line {}, which host {} had logged, is lost", given.number, given.host));
        }
        ended.insert(given.host);
    }
    let untaken = delivered.keys().find(|number| !taken.contains(number));
    untaken.map_or(Ok(()), |number| Err(format!("line {number} came, and nobody has taken it")))
}

/// Whether a skipped batch is between those that have the lines before and behind this one.
fn may_be_skipped(number: i64, delivered: &BTreeMap<i64, Timestamp>, skipped: &BTreeSet<Timestamp>) -> bool {
    let before = delivered.range(..number).next_back().map(|(_, time)| *time);
    let behind = delivered.range(number..).next().map(|(_, time)| *time);
    skipped.iter().any(|&time| Some(time) > before && behind.is_none_or(|behind| time < behind))
}

/// A batch is skipped if it has poison, and no other one is.
pub(super) fn check_skipped(world: &World, batches: &Batches<'_>, skipped: &BTreeSet<Timestamp>) -> Result<(), String> {
    if let Some((time, _)) = batches.iter().find(|(_, batch)| batch.iter().any(Numbered::is_poison)) {
        return Err(format!("batch {time} has a line that no function takes, and was not skipped"));
    }
    for &time in skipped {
        let of_repeatable = world.feeds.get(REPEATABLE).map(|feed| &feed.lines[world.committed[&time].lines.clone()]);
        let of_live = world.feeds.get(LIVE).map(|feed| {
            let place = |line: &Numbered<'_>| (line.number - LIVE_NUMBERS).unsigned_abs() as usize;
            let before = batches.range(..time).rev().find_map(|(_, batch)| of_feed(batch, true).last().map(place));
            let behind = batches.range(time..).find_map(|(_, batch)| of_feed(batch, true).first().map(place));
            &feed.lines[before.map_or(0, |before| before + 1)..behind.unwrap_or(feed.lines.len())]
        });
        let mut lines = of_repeatable.into_iter().chain(of_live).flatten();
        if !lines.any(|line| POISON.contains(&line.text.as_str())) {
            return Err(format!("batch {time} was skipped for nothing"));
        }
    }
    Ok(())
}
