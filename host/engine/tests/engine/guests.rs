//! Real plugins, built and loaded once for all tests.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use tidemill_guest::{Plugin, Runtime, RuntimeSettings, build::build_component};
use tidemill_model::{
    function::{Binding, Description, Signature},
    limits::Limits,
};
use tidemill_plan::Functions;

/// All tests run in one process, each with some instances for each partition.
const INSTANCES_MAX: u32 = 4_000;

/// No plugin of these tests needs more, and so many instances need less address space.
const MEMORY_BYTES_MAX: usize = 64 << 20;

/// What one call of plugin `frugal` may return, which is `wordcount` else, and of `frugal-hostile`.
pub const FRUGAL_RESULT_BYTES: usize = 64 << 10;

/// The plugins of the tests by name.
pub struct Guests(HashMap<String, Plugin>);

/// The plugins, built with the first test that asks.
pub fn guests() -> &'static Guests {
    static GUESTS: OnceLock<Guests> = OnceLock::new();
    GUESTS.get_or_init(|| {
        let cache = Some(guests_folder().join("compiled"));
        let settings = RuntimeSettings {
            cache,
            instances_max: INSTANCES_MAX,
            memory_bytes_max: MEMORY_BYTES_MAX,
            ..RuntimeSettings::default()
        };
        let runtime = Runtime::try_new(&settings).unwrap();
        let frugal = Limits { result_bytes: FRUGAL_RESULT_BYTES, ..Limits::default() };
        let plugins = [
            ("wordcount", "wordcount", Limits::default()),
            ("hostile", "hostile", Limits::default()),
            ("frugal", "wordcount", frugal.clone()),
            ("frugal-hostile", "hostile", frugal),
            ("forms", "../sdk/rust/tests/forms", Limits::default()),
        ];
        Guests(plugins.map(|(name, project, limits)| (name.to_owned(), load(&runtime, name, project, &limits))).into())
    })
}

fn load(runtime: &Runtime, name: &str, project: &str, limits: &Limits) -> Plugin {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(project);
    let component = std::fs::read(build_component(&project, &guests_folder()).unwrap()).unwrap();
    runtime.load(name, &component, limits).unwrap()
}

/// Where cargo builds guests for tests: beside what it builds for the host.
fn guests_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("guests")
}

impl Guests {
    pub fn plugins(&self) -> HashMap<String, Plugin> {
        self.0.clone()
    }
}

impl Functions for Guests {
    fn description(&self, plugin: &str) -> Result<&Description, String> {
        self.0.get(plugin).map(Plugin::description).ok_or_else(|| format!("no plugin {plugin}"))
    }

    fn open(&self, plugin: &str, binding: &Binding) -> Result<Signature, String> {
        let instance = self.0.get(plugin).ok_or_else(|| format!("no plugin {plugin}"))?.open(binding);
        instance.map(|instance| instance.signature().clone()).map_err(|verdict| verdict.to_string())
    }
}
