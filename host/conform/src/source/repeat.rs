//! Of a source that can be read again: whatever batch a run stops at, the next one gives that batch again, and goes on behind it,
//! as if nothing had been.

use arrow_select::concat::concat_batches;
use tidemill_model::ports::Source;

use super::{
    Feed, Walk,
    drive::{Batch, Given, PATTERNS, Pinned, begin, repeatable},
};

/// Calls of a batch behind which a run is killed, at most.
const KILLS_MAX: usize = 10;

/// How a batch of this number is taken, the first time and where it is gone on with.
fn pattern(number: usize) -> (usize, usize) {
    PATTERNS[number % PATTERNS.len()]
}

/// A run that nobody stopped.
struct Run {
    /// Where it began, of a source with a table.
    start: Option<Pinned>,
    batches: Vec<(Given, Pinned)>,
}

impl Run {
    /// What the log has behind a batch, or before the first one.
    fn behind(&self, batch: Option<usize>) -> Option<&Pinned> {
        batch.map_or(self.start.as_ref(), |batch| Some(&self.batches[batch].1))
    }
}

pub(super) fn walk(walk: &Walk<'_>) {
    let expect = uninterrupted(walk);
    for stop in 0..walk.sample.batches {
        goes_on(walk, &expect, stop);
        repeats(walk, &expect, stop);
        is_killed(walk, &expect, stop);
    }
}

/// The batches of a run that nobody stops, with their pins.
fn uninterrupted(walk: &Walk<'_>) -> Run {
    let (sample, name) = (walk.sample, walk.sample.name);
    let mut feed = (sample.feed)();
    let mut source = walk.open(&*feed);
    let start = repeatable(&mut *source).table().map(|_| Pinned::default().next(&mut *source));
    begin(&mut *source);
    let mut given: Vec<(Given, Pinned)> = Vec::new();
    for number in 0..sample.batches {
        feed.come(number);
        let batch = Batch::default().end(&*feed, &mut *source, pattern(number));
        let before = given.last().map(|(_, pinned)| pinned).or(start.as_ref()).cloned().unwrap_or_default();
        given.push((batch, before.next(&mut *source)));
    }
    let schema = source.schema().clone();
    if let Some(rows) = feed.rows() {
        let all: Vec<_> = given.iter().flat_map(|(batch, _)| batch.rows(&schema)).collect();
        assert_eq!(all, rows, "{name}: the rows");
    }
    let partitions = walk.settings(&*feed).partitions();
    for (_, (partition, _)) in given.iter().flat_map(|(batch, _)| batch.chunks.iter().map(move |chunk| (batch, chunk)))
    {
        let is_right = partition.is_none_or(|partition| partitions.is_some_and(|partitions| partition < partitions));
        assert!(is_right, "{name}: a chunk of the partition {partition:?} of {partitions:?}");
    }
    let first_last = given.iter().position(|(batch, _)| batch.last);
    assert_eq!(first_last.is_some(), sample.ends, "{name}: whether it ends");
    for (batch, _) in given.iter().skip(first_last.map_or(given.len(), |last| last + 1)) {
        assert!(batch.last && batch.chunks.is_empty(), "{name}: something comes behind the end");
    }
    source.stop();
    source.stop();
    Run { start, batches: given }
}

/// A feed as it is behind the batch `stop`.
fn past(walk: &Walk<'_>, stop: usize) -> Box<dyn Feed> {
    let mut feed = (walk.sample.feed)();
    (0..=stop).for_each(|number| feed.come(number));
    feed
}

/// The batches from number `first` on are those of the run that nobody stopped.
#[track_caller]
fn check_rest(walk: &Walk<'_>, feed: &mut dyn Feed, source: &mut dyn Source, expect: &Run, first: usize, when: &str) {
    let mut pinned = expect.behind(first.checked_sub(1)).cloned().unwrap_or_default();
    for (number, (expect, _)) in expect.batches.iter().enumerate().skip(first) {
        feed.come(number);
        let given = Batch::default().end(feed, source, pattern(number));
        check_same(walk, &given, expect, &format!("batch {number}, {when}"));
        pinned = pinned.next(source);
    }
}

/// The rows from number `first` on, whose input has come, are those of the run that nobody stopped. Where nothing says what a
/// batch is made of, it may have other ones of them: what is made by the clock goes on when it begins.
#[track_caller]
fn check_rows(walk: &Walk<'_>, feed: &mut dyn Feed, source: &mut dyn Source, expect: &Run, first: usize, when: &str) {
    let arrow = source.schema().to_arrow();
    let all = |batches: &mut dyn Iterator<Item = Given>| {
        let chunks: Vec<_> = batches.flat_map(|given| given.chunks).map(|(_, rows)| rows).collect();
        concat_batches(&arrow, &chunks).expect("chunks of the schema")
    };
    let expect = all(&mut expect.batches[first..].iter().map(|(given, _)| given.clone()));
    let given = all(&mut (first..walk.sample.batches).map(|number| {
        if number > first {
            feed.come(number);
        }
        Batch::default().end(feed, source, pattern(number))
    }));
    let (name, both) = (walk.sample.name, given.num_rows().min(expect.num_rows()));
    assert!(given.slice(0, both) == expect.slice(0, both), "{name}: {when}: the rows differ");
    if feed.rows().is_some() {
        assert_eq!(given.num_rows(), expect.num_rows(), "{name}: {when}: how many rows");
    }
}

/// Says what is small about batches that differ: they may have many rows.
#[track_caller]
fn check_same(walk: &Walk<'_>, given: &Given, expect: &Given, when: &str) {
    let small = |given: &Given| {
        let rows: usize = given.chunks.iter().map(|(_, rows)| rows.num_rows()).sum();
        (given.present, given.last, given.chunks.len(), rows)
    };
    let name = walk.sample.name;
    assert_eq!(small(given), small(expect), "{name}: {when}: present, last, chunks and rows");
    assert!(given == expect, "{name}: {when}: the rows differ");
}

fn resume(walk: &Walk<'_>, feed: &dyn Feed, expect: &Run, behind: Option<usize>) -> Box<dyn Source> {
    let mut source = walk.open(feed);
    if let Some(pinned) = expect.behind(behind) {
        let resumed = pinned.restore(&mut *source);
        let resumed = resumed.and_then(|()| repeatable(&mut *source).resume_after(&pinned.pin));
        resumed.unwrap_or_else(|error| panic!("{}: it does not go on: {error}", walk.sample.name));
    }
    begin(&mut *source);
    source
}

fn goes_on(walk: &Walk<'_>, expect: &Run, stop: usize) {
    let mut feed = past(walk, stop);
    let mut source = resume(walk, &*feed, expect, Some(stop));
    check_rest(walk, &mut *feed, &mut *source, expect, stop + 1, &format!("gone on behind {stop}"));
}

/// A batch is itself again, whatever is taken ahead of it and however much at a time; and what comes behind it is the rest.
fn repeats(walk: &Walk<'_>, expect: &Run, stop: usize) {
    for pattern in PATTERNS {
        let mut feed = past(walk, stop);
        let mut source = walk.open(&*feed);
        let (expected, pinned) = &expect.batches[stop];
        let repeated = pinned.restore(&mut *source);
        let repeated = repeated.and_then(|()| repeatable(&mut *source).repeat(&pinned.pin));
        repeated.unwrap_or_else(|error| panic!("{}: it does not repeat: {error}", walk.sample.name));
        begin(&mut *source);
        let given = Batch::default().end(&*feed, &mut *source, pattern);
        check_same(walk, &given, expected, &format!("batch {stop}, repeated with {pattern:?}"));
        let again = pinned.next(&mut *source);
        is_itself_once_more(walk, &*feed, (&again, pattern), expected, stop);
        let when = format!("gone on behind {stop}, repeated with {pattern:?}");
        check_rest(walk, &mut *feed, &mut *source, expect, stop + 1, &when);
    }
}

/// By the pin of a batch that was repeated, before anything else has come or gone.
fn is_itself_once_more(
    walk: &Walk<'_>,
    feed: &dyn Feed,
    (again, pattern): (&Pinned, (usize, usize)),
    expected: &Given,
    stop: usize,
) {
    let mut source = walk.open(feed);
    again.restore(&mut *source).expect("a table behind a repeated batch");
    repeatable(&mut *source).repeat(&again.pin).expect("a pin of a repeated batch");
    begin(&mut *source);
    let given = Batch::default().end(feed, &mut *source, pattern);
    check_same(walk, &given, expected, &format!("batch {stop}, repeated twice"));
}

/// A run that ends between any two calls has left nothing behind: the next one gives what it would have given.
fn is_killed(walk: &Walk<'_>, expect: &Run, number: usize) {
    for calls in 0..KILLS_MAX {
        let mut feed = past(walk, number);
        let before = number.checked_sub(1);
        let mut source = resume(walk, &*feed, expect, before);
        let mut batch = Batch::default();
        let ended = (0..calls).any(|_| batch.step(&*feed, &mut *source, pattern(number)).is_some());
        if ended && calls % 2 == 0 {
            expect.behind(before).cloned().unwrap_or_default().next(&mut *source);
        }
        if calls % 3 == 0 {
            source.stop();
        }
        drop(source);
        let mut source = resume(walk, &*feed, expect, before);
        let when = format!("killed behind {calls} calls");
        check_rows(walk, &mut *feed, &mut *source, expect, number, &when);
        if ended {
            return;
        }
    }
}
