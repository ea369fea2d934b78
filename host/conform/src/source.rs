//! Sources.

mod drive;
mod live;
mod pins;
mod repeat;

use std::sync::Arc;

use tidemill_model::{
    connector::{SourceSettings, World},
    ports::Source,
    testing::Value,
};
use tidemill_plan::connector::Connectors;

use crate::source_settings;

/// A source with something to read.
pub struct SourceSample {
    /// The key of its connector.
    pub key: &'static str,
    /// What it shows.
    pub name: &'static str,
    /// How often something comes, once a batch. A source that can be read again has that very input each time.
    pub batches: usize,
    /// It says within these batches that it has no more.
    pub ends: bool,
    /// What it reads from, made anew.
    pub feed: fn() -> Box<dyn Feed>,
}

/// What a source reads from, and what happens to it. Of a source that can be read again two feeds that were made and have seen
/// the same batches are the same to it; of one that receives, one feed outlives it.
pub trait Feed {
    /// The value of the connector's key in a pipeline.
    fn written(&self) -> String;

    /// What a run gives to the source. Of one that can be read again the clock stands at the time of the last batch.
    fn world(&self) -> World;

    /// Lets the input of a batch come, from 0 on, and sets the clock to when the batch is sealed. Of a source that receives it
    /// is enough that it is on its way.
    fn come(&mut self, batch: usize);

    /// All rows that have come, in order; `None`: it cannot say.
    fn rows(&self) -> Option<Vec<Vec<Value>>>;

    /// Does what a peer does besides: connects again, sends, hears what is durable. It is asked again and again while rows are
    /// waited for, and does not wait itself.
    fn turn(&mut self) {}

    /// Whether anybody has connected to it, or has taken what it may take.
    fn is_touched(&mut self) -> bool {
        false
    }
}

/// Walks a source through its contract: it has no effect before it begins; it can be stopped at any point; what it says of itself
/// is so; its batches can be repeated and gone on behind, wherever it was killed and whatever was taken ahead, or else its rows
/// come in order, and those that are not durable again if its peer keeps them; it refuses pins that are not its own by name.
///
/// # Panics
/// It does not keep it.
pub fn walk_source(connectors: Connectors, sample: &SourceSample) {
    let walk = Walk { connectors, sample };
    walk.keeps_still();
    let settings = walk.settings(&*(sample.feed)());
    let is_endless = settings.endless().is_some();
    assert!(!(is_endless && sample.ends), "{}: a source without end does not end", sample.name);
    match (settings.logged(), settings.acknowledges()) {
        (None, None) => {
            repeat::walk(&walk);
            pins::walk(&walk);
        }
        (Some(_), None) => live::walk(&walk),
        (Some(_), Some(_)) => {
            live::walk_acknowledging(&walk);
            live::walk_ahead(&walk);
            pins::walk(&walk);
        }
        (None, Some(_)) => panic!("{}: only a source that is logged acknowledges", sample.name),
    }
}

/// The walk of a sample.
struct Walk<'a> {
    connectors: Connectors,
    sample: &'a SourceSample,
}

/// The stream's name.
const STREAM: &str = "lines";

impl Walk<'_> {
    fn settings(&self, feed: &dyn Feed) -> Arc<dyn SourceSettings> {
        source_settings(self.connectors, self.sample.key, &feed.written())
    }

    /// Opens the source of a feed, and looks whether it is what its settings say.
    fn open(&self, feed: &dyn Feed) -> Box<dyn Source> {
        let (settings, name) = (self.settings(feed), self.sample.name);
        let opened = settings.open(STREAM, &feed.world());
        let mut source = opened.unwrap_or_else(|error| panic!("{name}: it cannot be opened: {error}"));
        assert_eq!(source.schema(), &settings.schema(), "{name}: the schema");
        assert_eq!(source.repeatable().is_some(), settings.logged().is_none(), "{name}: repeatable or logged");
        let acknowledges = settings.acknowledges().is_some();
        assert_eq!(source.acknowledging().is_some(), acknowledges, "{name}: acknowledging");
        source
    }

    /// It has no effect before it begins, whatever it is asked.
    fn keeps_still(&self) {
        let mut feed = (self.sample.feed)();
        for calls in 0..4 {
            let mut source = self.open(&*feed);
            if calls > 0 {
                source.repeatable();
                source.acknowledging();
            }
            if calls > 1 {
                source.irregularities();
            }
            if calls > 2 {
                source.stop();
            }
            drop(source);
            assert!(!feed.is_touched(), "{}: it has an effect before it begins", self.sample.name);
        }
    }
}
