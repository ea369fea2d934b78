//! The contract of sources and sinks (`tidemill_model::ports`) as a suite: whoever writes a connector walks it through.
//!
//! A **sample** is what the suite needs of a source or a sink: what stands in a pipeline, and a peer that the suite can make as
//! often as it wants, always the same. [`walk_source`] and [`walk_sink`] panic with what is wrong; [`check_samples`] holds that a
//! table's connectors all have one. Part of tests: it panics, and nothing in it is fast.
//!
//! It does not hold a connector to its own page (which lines are cut how, what a file looks like), to speed, or to what happens
//! when the power goes.

#![allow(clippy::panic, reason = "part of tests, and no part of a pipeline")]

mod opened;
mod sink;
mod source;

use tidemill_plan::connector::Connectors;

pub use opened::{rows_of, sink_settings, source_settings};
pub use sink::{Kept, Place, SinkSample, walk_sink};
pub use source::{Feed, SourceSample, walk_source};

/// Holds that every source and every sink of a table has a sample.
///
/// # Panics
/// One has none.
pub fn check_samples(connectors: Connectors, sources: &[SourceSample], sinks: &[SinkSample]) {
    for connector in connectors {
        let key = connector.key;
        let (is_source, is_sink) = (connector.source.is_some(), connector.sink.is_some());
        assert!(!is_source || sources.iter().any(|sample| sample.key == key), "the source `{key}` has no sample");
        assert!(!is_sink || sinks.iter().any(|sample| sample.key == key), "the sink `{key}` has no sample");
    }
}
