//! The repository's plugins, built and loaded when a pipeline first names them.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, OnceLock, PoisonError},
};

use tidemill_guest::{Plugin, Runtime, RuntimeSettings, build::build_component};
use tidemill_model::{
    function::{Binding, Description, Signature},
    limits::Limits,
};
use tidemill_plan::{Functions, PluginEntry};
use tidemill_tests::repository;

/// All tests run in one process, each with some instances for each partition.
const INSTANCES_MAX: u32 = 2_000;

/// No plugin of the examples needs more.
const MEMORY_BYTES_MAX: usize = 64 << 20;

/// The plugins of one pipeline, by the names that it gives them.
pub struct Plugins(pub HashMap<String, Plugin>);

impl Plugins {
    /// Those that a pipeline names: `NAME.wasm` is what plugins/NAME builds.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a PluginEntry>) -> Plugins {
        Plugins(entries.into_iter().map(|entry| (entry.name.clone(), loaded(entry))).collect())
    }
}

fn loaded(entry: &PluginEntry) -> Plugin {
    static LOADED: Mutex<Option<HashMap<String, Plugin>>> = Mutex::new(None);
    let project = Path::new(&entry.path).file_stem().unwrap().to_string_lossy().into_owned();
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = loaded.get_or_insert_default();
    let load = || {
        let folder = repository().join("plugins").join(&project);
        let component = std::fs::read(build_component(&folder, &guests_folder()).unwrap()).unwrap();
        runtime().load(&project, &component, &Limits::default()).unwrap()
    };
    loaded.entry(project.clone()).or_insert_with(load).clone()
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let settings = RuntimeSettings {
            cache: Some(guests_folder().join("compiled")),
            instances_max: INSTANCES_MAX,
            memory_bytes_max: MEMORY_BYTES_MAX,
            ..RuntimeSettings::default()
        };
        Runtime::try_new(&settings).unwrap()
    })
}

/// Where cargo builds guests for tests: beside what it builds for the host.
fn guests_folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("guests")
}

impl Functions for Plugins {
    fn description(&self, plugin: &str) -> Result<&Description, String> {
        self.0.get(plugin).map(Plugin::description).ok_or_else(|| format!("no plugin {plugin}"))
    }

    fn open(&self, plugin: &str, binding: &Binding) -> Result<Signature, String> {
        let instance = self.0.get(plugin).ok_or_else(|| format!("no plugin {plugin}"))?.open(binding);
        instance.map(|instance| instance.signature().clone()).map_err(|verdict| verdict.to_string())
    }
}
