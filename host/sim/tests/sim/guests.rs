//! Real plugins, built and loaded once for all tests.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use tidemill_guest::{Plugin, Runtime, RuntimeSettings, build::build_component};
use tidemill_model::limits::Limits;
use tidemill_sim::Simulator;

/// The tests run in one process, and in a simulation two hosts at once have some instances for each partition.
const INSTANCES_MAX: u32 = 1_000;

/// No plugin of these tests needs more, and so many instances need less address space.
const MEMORY_BYTES_MAX: usize = 64 << 20;

/// A simulator with the plugins, which are built with the first test that asks.
pub fn simulator() -> &'static Simulator {
    static SIMULATOR: OnceLock<Simulator> = OnceLock::new();
    SIMULATOR.get_or_init(|| {
        let settings = RuntimeSettings {
            cache: Some(folder().join("compiled")),
            instances_max: INSTANCES_MAX,
            memory_bytes_max: MEMORY_BYTES_MAX,
            ..RuntimeSettings::default()
        };
        let runtime = Runtime::try_new(&settings).unwrap();
        Simulator::new(["wordcount", "hostile"].map(|name| (name.to_owned(), load(&runtime, name))).into())
    })
}

fn load(runtime: &Runtime, name: &str) -> Plugin {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(name);
    let component = std::fs::read(build_component(&project, &folder()).unwrap()).unwrap();
    runtime.load(name, &component, &Limits::default()).unwrap()
}

/// Where cargo builds guests for tests: beside what it builds for the host.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("guests")
}
