//! Which lines batches have: every one that had to come, once and in order; and which batches were rightly skipped.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_model::time::Timestamp;

use crate::{
    scenario::{ACKNOWLEDGED, LIVE, POISON, Trouble, first_number, stream_of_number},
    world::{Feed, Logged, Rows, World},
};

/// A line as an output has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) struct Numbered<'a> {
    pub number: i64,
    pub value: i64,
    pub text: &'a str,
}

/// The lines of batches, in the order of the output.
pub(super) type Batches<'a> = BTreeMap<Timestamp, Vec<Numbered<'a>>>;

impl Numbered<'_> {
    /// Whether a batch with this line is skipped, if batches are.
    fn is_poison(&self) -> bool {
        POISON.contains(&self.text)
    }
}

/// The lines of a batch; those of each feed are in order.
pub(super) fn numbered(rows: &Rows) -> Result<Vec<Numbered<'_>>, String> {
    let mut all = Vec::new();
    let mut last = BTreeMap::new();
    for part in rows {
        for row in part {
            let mut fields = row.splitn(3, ' ');
            let mut number = || fields.next().and_then(|number| number.parse().ok());
            let (Some(number), Some(value)) = (number(), number()) else { return Err(format!("`{row}` is no line")) };
            let text = fields.next().ok_or_else(|| format!("`{row}` is no line"))?;
            if last.insert(stream_of_number(number), number) >= Some(number) {
                return Err(format!("line {number} is out of order"));
            }
            all.push(Numbered { number, value, text });
        }
    }
    Ok(all)
}

/// Of one feed.
fn of_feed<'a>(batch: &[Numbered<'a>], stream: &str) -> Vec<Numbered<'a>> {
    batch.iter().copied().filter(|line| stream_of_number(line.number) == stream).collect()
}

/// The place of a line in its feed.
fn place(line: &Numbered<'_>) -> usize {
    (line.number - first_number(stream_of_number(line.number))).unsigned_abs() as usize
}

/// Every line once, and in order from batch to batch: in the very batch that had it when the source was sealed. A source that
/// was not in the pipeline is forgotten, and begins again.
pub(super) fn check_repeatable(
    stream: &str,
    world: &World,
    batches: &Batches<'_>,
    skipped: &BTreeSet<Timestamp>,
) -> Result<(), String> {
    let feed = &world.feeds[stream];
    let (mut next, mut is_there) = (0, false);
    for (time, committed) in &world.committed {
        let of_batch = batches.get(time).map(|batch| of_feed(batch, stream)).unwrap_or_default();
        let places = committed.lines.get(stream).cloned();
        is_there = places.is_some();
        let places = places.unwrap_or(0..0);
        if !places.is_empty() && places.start != next {
            return Err(format!("batch {time} begins with line {}, and {next} comes next", places.start));
        }
        next = if is_there { next.max(places.end) } else { 0 };
        let lines = &feed.lines[places];
        let expect = lines.iter().map(|line| Numbered { number: line.number, value: line.value, text: &line.text });
        if skipped.contains(time) {
            continue;
        }
        let expect: Vec<_> = expect.collect();
        if of_batch != expect {
            return Err(format!("batch {time} has the lines {of_batch:?}, and {expect:?} is right"));
        }
    }
    let left = feed.lines.get(next).filter(|_| is_there);
    left.map_or(Ok(()), |line| Err(format!("line {} and those behind it are lost", line.number)))
}

/// The batches that lines of a feed are in: each line once, in order, and as it is.
fn delivered(stream: &str, feed: &Feed, batches: &Batches<'_>) -> Result<BTreeMap<i64, Timestamp>, String> {
    let mut delivered = BTreeMap::new();
    for (time, batch) in batches {
        for got in of_feed(batch, stream) {
            if delivered.last_key_value().is_some_and(|(&last, _)| last >= got.number) {
                return Err(format!("batch {time} has line {}, and a later one came before", got.number));
            }
            let line = feed.lines.get(place(&got));
            if line.is_none_or(|line| (line.value, line.text.as_str()) != (got.value, got.text)) {
                return Err(format!("batch {time} has line {} `{}`, which is none", got.number, got.text));
            }
            delivered.insert(got.number, *time);
        }
    }
    Ok(delivered)
}

/// Every line once and in order, but for what was skipped. If the pipeline has the source no more: those at least that its
/// peer was told of.
pub(super) fn check_acknowledged(
    feed: &Feed,
    batches: &Batches<'_>,
    is_there: bool,
    skipped: &BTreeSet<Timestamp>,
) -> Result<(), String> {
    let delivered = delivered(ACKNOWLEDGED, feed, batches)?;
    let all = if is_there { feed.lines.len() } else { feed.peer.acknowledged };
    let is_lost = |number: &i64| !delivered.contains_key(number) && !may_be_skipped(*number, &delivered, skipped);
    let lost = feed.lines[..all].iter().map(|line| line.number).find(is_lost);
    lost.map_or(Ok(()), |number| {
        Err(format!("line {number} is lost, and {} were acknowledged", feed.peer.acknowledged))
    })
}

/// Every line at most once and in order; of what a host has taken only the end may be lost, and nothing that was durable,
/// but for what was skipped.
pub(super) fn check_live(
    feed: &Feed,
    batches: &Batches<'_>,
    hosts: usize,
    skipped: &BTreeSet<Timestamp>,
) -> Result<(), String> {
    let delivered = delivered(LIVE, feed, batches)?;
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

/// A batch is skipped if it has poison, and no other one is; and only where the pipeline says so.
pub(super) fn check_skipped(world: &World, batches: &Batches<'_>, skipped: &BTreeSet<Timestamp>) -> Result<(), String> {
    if let Some((time, _)) = batches.iter().find(|(_, batch)| batch.iter().any(Numbered::is_poison)) {
        return Err(format!("batch {time} has a line that no function takes, and was not skipped"));
    }
    for &time in skipped {
        let committed = &world.committed[&time];
        if world.trouble == Trouble::Stop && !committed.edition.skips {
            return Err(format!("batch {time} was skipped, and its pipeline says that the run stops"));
        }
        let of_repeatable = committed.lines.iter().map(|(stream, lines)| &world.feeds[stream].lines[lines.clone()]);
        let logged = [LIVE, ACKNOWLEDGED].into_iter().filter_map(|stream| Some((stream, world.feeds.get(stream)?)));
        let of_logged = logged.map(|(stream, feed)| {
            let before = batches.range(..time).rev().find_map(|(_, batch)| of_feed(batch, stream).last().map(place));
            let behind = batches.range(time..).find_map(|(_, batch)| of_feed(batch, stream).first().map(place));
            &feed.lines[before.map_or(0, |before| before + 1)..behind.unwrap_or(feed.lines.len())]
        });
        let mut lines = of_repeatable.chain(of_logged).flatten();
        if !lines.any(|line| POISON.contains(&line.text.as_str())) {
            return Err(format!("batch {time} was skipped for nothing"));
        }
    }
    Ok(())
}
