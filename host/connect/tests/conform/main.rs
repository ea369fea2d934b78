//! Every source and sink of this crate keeps the contract of its port: one without a sample fails.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end at what it does not expect")]

mod files;
mod given;
mod print;
mod sockets;

use std::{path::Path, sync::Arc};

use tidemill_conform::{SinkSample, SourceSample, check_samples, walk_sink, walk_source};
use tidemill_connect::{CONNECTORS, system::Threads};
use tidemill_model::{
    connector::World,
    ports::Clock,
    testing::{Value, within},
};

fn sources() -> Vec<SourceSample> {
    [given::sources(), files::sources(), sockets::sources()].into_iter().flatten().collect()
}

fn sinks() -> Vec<SinkSample> {
    [print::sinks(), files::sinks()].into_iter().flatten().collect()
}

/// A world in a folder, with a clock.
fn world(clock: Arc<dyn Clock>, folder: &Path) -> World {
    World::new(clock, Arc::new(Threads), folder.to_owned(), Arc::new(std::sync::Mutex::new(Vec::<u8>::new())))
}

/// Lines as rows.
fn rows(lines: &[String]) -> Vec<Vec<Value>> {
    lines.iter().map(|line| vec![Value::text(line)]).collect()
}

#[test]
fn every_connector_has_a_sample() {
    check_samples(CONNECTORS, &sources(), &sinks());
}

#[test]
fn sources_keep_the_contract() {
    for sample in sources() {
        let name = sample.name;
        within(name, move || walk_source(CONNECTORS, &sample));
    }
}

#[test]
fn sinks_keep_the_contract() {
    for sample in sinks() {
        let name = sample.name;
        within(name, move || walk_sink(CONNECTORS, &sample));
    }
}
