//! A pipeline's text to a run.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tidemill_connect::{
    CONNECTORS,
    system::{ManualClock, Threads},
};
use tidemill_engine::{Parts, Run, RunError, Settings, Summary, Until, open_sources};
use tidemill_guest::Plugin;
use tidemill_model::{
    connector::World,
    ports::{Sink, Source, Wake},
    time::Timestamp,
};
use tidemill_plan::{
    Manifest,
    graph::{NodeId, Plan},
};

use crate::{
    guests::guests,
    mode::Mode,
    sink::{Collect, Delivered, Log},
    source::Chopped,
    spawn::commits,
};

/// Plugins under the names that the tests know them by.
const PLUGINS: &str = "[plugins]\nwordcount = \"wordcount.wasm\"\nhostile = \"hostile.wasm\"\nfrugal = \"frugal.wasm\"\n\
     frugal-hostile = \"frugal-hostile.wasm\"\nforms = \"forms.wasm\"\n";

/// What came of a run.
pub struct Outcome {
    pub delivered: Vec<Delivered>,
    pub result: Result<Summary, RunError>,
}

/// The plan of a pipeline's text. Where it leaves them out it gets an interval of 1 s, the plugins of the tests, and an
/// output `out` of the stream `out`.
pub fn plan(text: &str, partitions: u32) -> Plan {
    try_plan(text, partitions).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The same, or what is wrong with it.
pub fn try_plan(text: &str, partitions: u32) -> Result<Plan, String> {
    let mut text = text.to_owned();
    for (begin, section) in [
        ("[pipeline", format!("[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = {partitions}\n")),
        ("[plugins", PLUGINS.to_owned()),
        ("[outputs", "[outputs.out]\nfrom = \"out\"\nprint = true\n".to_owned()),
    ] {
        if !text.contains(begin) {
            text = format!("{text}\n{section}");
        }
    }
    let (manifest, mut diagnostics) = Manifest::read("pipeline.toml", &text, &[], CONNECTORS);
    manifest.resolve(guests(), &mut diagnostics).ok_or_else(|| diagnostics.render(false))
}

/// Runs a pipeline's text until its sources are used up.
pub fn run(text: &str, mode: Mode) -> Outcome {
    let plan = plan(text, mode.partitions);
    let wake = Wake::default();
    let sources = sources(&plan, &wake, |_, source| Box::new(Chopped::new(source, mode.chunk_rows, mode.ahead)));
    run_with(plan, sources, mode, wake)
}

/// Runs a plan over sources until they are used up.
pub fn run_with(plan: Plan, sources: Vec<(NodeId, Box<dyn Source>)>, mode: Mode, wake: Wake) -> Outcome {
    run_with_plugins(plan, sources, guests().plugins(), mode, wake)
}

/// The same with other plugins.
pub fn run_with_plugins(
    plan: Plan,
    sources: Vec<(NodeId, Box<dyn Source>)>,
    plugins: HashMap<String, Plugin>,
    mode: Mode,
    wake: Wake,
) -> Outcome {
    let log = Log::default();
    let sinks: Vec<Box<dyn Sink>> =
        plan.outputs.iter().map(|output| -> Box<dyn Sink> { Box::new(Collect::new(&output.name, &log)) }).collect();
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let parts = Parts { plan, plugins, sources, sinks, clock, wake, spawn: commits(mode.late), checkpoint: None };
    let settings = Settings { workers: mode.workers, seed: mode.seed, fresh_instances: mode.fresh, until: Until::Done };
    let result = Run::try_new(parts, &settings).and_then(|mut run| {
        mode.set(&mut run);
        run.run()
    });
    let delivered = log.lock().unwrap().clone();
    Outcome { delivered, result }
}

/// The sources of a plan as the pipeline says, each handed through `wrap` with its stream's name.
pub fn sources(
    plan: &Plan,
    wake: &Wake,
    wrap: impl Fn(&str, Box<dyn Source>) -> Box<dyn Source>,
) -> Vec<(NodeId, Box<dyn Source>)> {
    let (clock, stdout) = (Arc::new(ManualClock::new(Timestamp(0))), Arc::new(Mutex::new(Vec::<u8>::new())));
    let world = World::new(clock, Arc::new(Threads), PathBuf::from("."), stdout);
    let sources = open_sources(plan, &World { wake: wake.clone(), ..world }).unwrap();
    sources.into_iter().map(|(id, source)| (id, wrap(&plan.node(id).name, source))).collect()
}

/// The least number that is enough.
pub fn least(is_enough: impl Fn(u64) -> bool) -> u64 {
    let (mut not, mut enough) = (0, 1);
    while !is_enough(enough) {
        (not, enough) = (enough, enough * 2);
    }
    while enough - not > 1 {
        let middle = not + (enough - not) / 2;
        if is_enough(middle) { enough = middle } else { not = middle }
    }
    enough
}
