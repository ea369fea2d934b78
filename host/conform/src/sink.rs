//! Sinks.

mod batches;
mod trial;
mod walks;

use std::sync::Arc;

use tidemill_model::{
    connector::{SinkSettings, World},
    time::Timestamp,
};
use tidemill_plan::connector::Connectors;

use crate::sink_settings;

/// A sink with a place to write to.
pub struct SinkSample {
    /// The key of its connector.
    pub key: &'static str,
    /// What it shows.
    pub name: &'static str,
    /// Where it writes to, made anew.
    pub place: fn() -> Box<dyn Place>,
}

/// What a sink writes to, as others see it.
pub trait Place {
    /// The value of the connector's key in a pipeline.
    fn written(&self) -> String;

    /// What a run of this number gives to the sink.
    fn world(&self, run: u64) -> World;

    /// The batches that a reader sees, in the order in which they have come. Batches without rows may be missing.
    fn seen(&self) -> Vec<Kept>;

    /// All that is there, what no reader looks at as well.
    fn whole(&self) -> String;

    /// A reader takes away what it has seen. Whether there are any that do.
    fn take_away(&mut self) -> bool;
}

/// A batch as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its time.
    pub batch: Timestamp,
    /// What its rows look like there, part by part.
    pub rows: String,
}

/// Walks a sink through its contract: it has no effect before it begins; nothing of a batch is seen before it is delivered, and
/// then all of it; killed between any two calls, and given the batch again, it is as if nothing had been; what was written and
/// is not wanted leaves nothing behind. Of one that knows its batches ([`Sink::newest`](tidemill_model::ports::Sink::newest))
/// no batch is seen twice, also where a reader has taken it away, and an older owner that wakes up changes nothing.
///
/// # Panics
/// It does not keep it.
pub fn walk_sink(connectors: Connectors, sample: &SinkSample) {
    let walk = Walk { connectors, sample };
    walks::keeps_still(&walk);
    let expect = walks::uninterrupted(&walk);
    walks::is_killed(&walk, &expect);
    walks::is_not_wanted(&walk, &expect);
    walks::is_given_again(&walk, &expect);
    walks::is_taken_away(&walk, &expect);
    walks::is_overtaken(&walk, &expect);
}

/// The walk of a sample.
struct Walk<'a> {
    connectors: Connectors,
    sample: &'a SinkSample,
}

impl Walk<'_> {
    fn settings(&self, place: &dyn Place) -> Arc<dyn SinkSettings> {
        sink_settings(self.connectors, self.sample.key, &place.written())
    }
}
