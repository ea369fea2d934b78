//! The whole engine in a world that is made up: time moves when the engine waits, storage and sources fail as a seed says,
//! hosts crash and others take over; the guests are real. The same seed gives the same run, to the byte of its trace.
//!
//! [`Simulator::run`] draws a pipeline, feeds and a row of faults from a seed. It starts the engine again and again on what
//! is durable, until the feeds are used up, and then compares what sinks have got with a model of the pipeline of its own.
//!
//! At any time one thread runs. A host's workers never get a turn, so that the calling thread does their work; a snapshot is
//! made when the seed says so; hosts that are up at once change turns at their calls to the world.
//!
//! It is no part of the program; `make test` and `make soak-sim` run it. What is not simulated: two threads within a batch,
//! how long guests take, and the network.
//!
//! ```
//! use std::collections::HashMap;
//!
//! // The seed's pipeline needs plugins, and there are none.
//! let failure = tidemill_sim::Simulator::new(HashMap::new()).run(7).expect_err("no plugins");
//! assert!(failure.to_string().contains("no plugin `wordcount`"), "{failure}");
//! ```

#![forbid(unsafe_code)]

mod check;
mod connectors;
mod host;
mod plugins;
mod random;
mod rows;
mod scenario;
mod simulation;
mod turns;
mod world;

use std::collections::{BTreeMap, HashMap};

use tidemill_guest::Plugin;

/// Runs simulations.
pub struct Simulator {
    plugins: HashMap<String, Plugin>,
}

/// What came of a simulation that kept all promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Batches that count.
    pub batches: u64,
    /// Lines that they are made of.
    pub lines: u64,
    /// Faults that were injected, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// How often the engine was started, the first time not counted.
    pub restarts: u64,
    /// Everything that happened, an event a line.
    pub trace: String,
}

/// A promise was broken.
#[derive(Clone, Debug, thiserror::Error)]
#[error("seed {seed}: {what}")]
pub struct Failure {
    /// The simulation.
    pub seed: u64,
    /// Which promise, and where.
    pub what: String,
    /// Everything that happened until then, an event a line.
    pub trace: String,
}

impl Simulator {
    /// One with these plugins: `wordcount` and `hostile` of this repository.
    pub fn new(plugins: HashMap<String, Plugin>) -> Simulator {
        Simulator { plugins }
    }

    /// The simulation of a seed.
    ///
    /// # Errors
    /// The engine broke a promise, or a plugin is missing.
    pub fn run(&self, seed: u64) -> Result<Report, Failure> {
        simulation::run(seed, &self.plugins)
    }
}
