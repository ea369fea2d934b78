//! Of a source that receives: its rows come in order, once; and if its peer keeps what is not durable, each is had once by
//! whoever goes on, wherever a run was killed.

use std::time::Duration;

use tidemill_model::{
    ports::Source,
    testing::{Value, until},
};

use super::{
    Feed, Walk,
    drive::{Batch, Pinned, acknowledging, begin},
};

/// How long it is waited for more, between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// How often it is looked for rows that may not come.
const LOOKS: usize = 40;

/// Calls behind which a source is stopped, at most.
const CALLS: usize = 5;

type RowValues = Vec<Vec<Value>>;

/// One batch, which may have anything.
fn batch(walk: &Walk<'_>, feed: &mut dyn Feed, source: &mut dyn Source, ahead: usize) -> RowValues {
    feed.turn();
    let given = Batch::default().end(feed, source, (ahead, 1 << 10));
    assert!(given.present && !given.last, "{}: a source without end has a batch, and no last one", walk.sample.name);
    given.rows(source.schema())
}

fn all(feed: &dyn Feed) -> RowValues {
    feed.rows().expect("who feeds a source that receives knows its rows")
}

/// Batches until so many rows have come.
fn rows(walk: &Walk<'_>, feed: &mut dyn Feed, source: &mut dyn Source, had: &mut RowValues) {
    until("all rows come", |_| {
        had.extend(batch(walk, feed, source, had.len() % 3));
        let are_there = had.len() >= all(feed).len();
        if !are_there {
            feed.world().wake.wait(Some(PAUSE));
        }
        are_there.then_some(())
    });
    assert_eq!(*had, all(feed), "{}: the rows", walk.sample.name);
}

pub(super) fn walk(walk: &Walk<'_>) {
    let sample = walk.sample;
    let mut feed = (sample.feed)();
    let mut source = walk.open(&*feed);
    begin(&mut *source);
    let mut had = RowValues::new();
    for number in 0..sample.batches {
        feed.come(number);
        rows(walk, &mut *feed, &mut *source, &mut had);
    }
    // Nothing comes of itself.
    assert!(batch(walk, &mut *feed, &mut *source, 1).is_empty(), "{}: rows that nobody sent", sample.name);
    source.stop();
    source.stop();
    for calls in 0..CALLS {
        let mut source = walk.open(&*feed);
        begin(&mut *source);
        let mut batch = Batch::default();
        (0..calls).take_while(|_| batch.step(&*feed, &mut *source, (1, 1)).is_none()).for_each(drop);
        source.stop();
    }
}

/// A batch is committed while the next one is open: peers are told behind rows of that, which were taken and are not durable. They
/// come again if the run is killed.
pub(super) fn walk_ahead(walk: &Walk<'_>) {
    let mut feed = (walk.sample.feed)();
    let (mut durable, mut pinned) = (RowValues::new(), None);
    let mut source = next(walk, &*feed, None);
    commit(walk, &mut *feed, &mut *source, &mut durable, &mut pinned);
    for number in 0..walk.sample.batches {
        durable.extend(batch(walk, &mut *feed, &mut *source, 1));
        let pin = pin_of(&mut *source);
        feed.come(number);
        let mut open = Batch::default();
        // Only chunks that are full are there before a batch ends: of few rows there are none, however long one waits.
        for _ in 0..LOOKS {
            feed.turn();
            assert!(open.step(&*feed, &mut *source, (usize::MAX, 1)).is_none(), "a batch ends that is not sealed");
            if !open.rows(source.schema()).is_empty() {
                break;
            }
            feed.world().wake.wait(Some(PAUSE));
        }
        acknowledging(&mut *source).acknowledge();
        feed.turn();
        drop(source);
        source = next(walk, &*feed, Some(&pin));
        commit_all(walk, &mut *feed, &mut *source, &mut durable, &mut pinned);
        assert_eq!(durable, all(&*feed), "{}: the rows, some of them taken ahead", walk.sample.name);
    }
    source.stop();
}

/// Where a run is killed, in a batch that has rows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kill {
    /// Nowhere.
    Never,
    /// Rows are taken, and it is not sealed.
    Taken,
    /// It has ended.
    Ended,
    /// It has a pin, of which nothing is durable.
    Pinned,
    /// Its pin and its rows are durable, and the peer was not told.
    Durable,
    /// The peer was told.
    Told,
}

const KILLS: [Kill; 6] = [Kill::Never, Kill::Taken, Kill::Ended, Kill::Pinned, Kill::Durable, Kill::Told];

pub(super) fn walk_acknowledging(walk: &Walk<'_>) {
    for kill in KILLS {
        let mut feed = (walk.sample.feed)();
        let (mut durable, mut pinned) = (RowValues::new(), None);
        let mut source = next(walk, &*feed, None);
        for number in 0..walk.sample.batches {
            commit(walk, &mut *feed, &mut *source, &mut durable, &mut pinned);
            feed.come(number);
            killed(walk, &mut *feed, &mut *source, kill, &mut durable, &mut pinned);
            if kill != Kill::Never {
                drop(source);
                source = next(walk, &*feed, pinned.as_deref());
            }
            commit_all(walk, &mut *feed, &mut *source, &mut durable, &mut pinned);
            assert_eq!(durable, all(&*feed), "{}: the rows, killed {kill:?}", walk.sample.name);
        }
        source.stop();
    }
}

/// The source of the next run.
fn next(walk: &Walk<'_>, feed: &dyn Feed, pin: Option<&str>) -> Box<dyn Source> {
    let mut source = walk.open(feed);
    if let Some(pin) = pin {
        acknowledging(&mut *source).resume_after(pin).expect("a pin of its own");
    }
    begin(&mut *source);
    if pin.is_some() {
        acknowledging(&mut *source).acknowledge();
    }
    source
}

/// A batch that counts.
fn commit(
    walk: &Walk<'_>,
    feed: &mut dyn Feed,
    source: &mut dyn Source,
    durable: &mut RowValues,
    pinned: &mut Option<String>,
) {
    durable.extend(batch(walk, feed, source, 1));
    *pinned = Some(pin_of(source));
    acknowledging(source).acknowledge();
}

/// Batches that count, until all rows are durable.
fn commit_all(
    walk: &Walk<'_>,
    feed: &mut dyn Feed,
    source: &mut dyn Source,
    durable: &mut RowValues,
    pinned: &mut Option<String>,
) {
    until("all rows are durable", |_| {
        commit(walk, feed, source, durable, pinned);
        let are_there = durable.len() >= all(feed).len();
        if !are_there {
            feed.world().wake.wait(Some(PAUSE));
        }
        are_there.then_some(())
    });
}

/// Batches until one has rows, and that as far as the run comes.
fn killed(
    walk: &Walk<'_>,
    feed: &mut dyn Feed,
    source: &mut dyn Source,
    kill: Kill,
    durable: &mut RowValues,
    pinned: &mut Option<String>,
) {
    match kill {
        Kill::Never => {}
        Kill::Taken => {
            feed.turn();
            let mut batch = Batch::default();
            (0..2).for_each(|_| assert!(batch.step(feed, source, (usize::MAX, 1)).is_none()));
        }
        Kill::Ended => _ = some(walk, feed, source),
        Kill::Pinned => {
            some(walk, feed, source);
            pin_of(source);
        }
        Kill::Durable | Kill::Told => {
            durable.extend(some(walk, feed, source));
            *pinned = Some(pin_of(source));
            if kill == Kill::Told {
                acknowledging(source).acknowledge();
                feed.turn();
            }
        }
    }
}

/// The rows of a batch that has some; those before it have none, and count as much.
fn some(walk: &Walk<'_>, feed: &mut dyn Feed, source: &mut dyn Source) -> RowValues {
    until("rows come", |_| {
        let rows = batch(walk, feed, source, 0);
        if rows.is_empty() {
            feed.world().wake.wait(Some(PAUSE));
        }
        Some(rows).filter(|rows| !rows.is_empty())
    })
}

fn pin_of(source: &mut dyn Source) -> String {
    Pinned::default().next(source).pin
}
