//! A pipeline in this process: what the benchmarks time.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use anyhow::{Context, bail};
use tidemill_checkpoint::LocalFolder;
use tidemill_connect::{CONNECTORS, system::Threads};
use tidemill_engine::{Parts, Run, Settings, Until, checkpoint::Checkpoint, open_sources};
use tidemill_guest::{Plugin, Runtime, RuntimeSettings};
use tidemill_model::{
    connector::World,
    function::{Binding, Description, Signature},
    limits::Limits,
    ports::{Clock, Sink, Source, Wake},
};
use tidemill_plan::{
    Functions, Manifest,
    graph::{NodeId, Plan},
};

/// What is added for a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// 1.
    One,
    /// Its length in bytes.
    Length,
}

/// The plugins that benchmarks use, compiled.
pub struct Plugins {
    /// By name.
    pub loaded: HashMap<String, Plugin>,
    files: HashMap<String, PathBuf>,
}

impl Plugins {
    /// Builds and loads plugins, each from its folder.
    pub fn build(names: &[&str], target: &Path) -> anyhow::Result<Plugins> {
        let runtime = Runtime::try_new(&RuntimeSettings::default())?;
        let (mut loaded, mut files) = (HashMap::new(), HashMap::new());
        for name in names {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(name);
            let component: PathBuf = tidemill_guest::build::build_component(&folder, target)?;
            let bytes = std::fs::read(&component)?;
            loaded.insert((*name).to_owned(), runtime.load(name, &bytes, &Limits::default())?);
            files.insert((*name).to_owned(), component);
        }
        Ok(Plugins { loaded, files })
    }

    /// The file of a plugin's component.
    pub fn component(&self, name: &str) -> anyhow::Result<PathBuf> {
        self.files.get(name).cloned().with_context(|| format!("plugin {name} was not built"))
    }
}

impl Functions for Plugins {
    fn description(&self, plugin: &str) -> Result<&Description, String> {
        self.loaded.get(plugin).map(Plugin::description).ok_or_else(|| "not built".to_owned())
    }

    fn open(&self, plugin: &str, binding: &Binding) -> Result<Signature, String> {
        let plugin = self.loaded.get(plugin).ok_or_else(|| "not built".to_owned())?;
        plugin.open(binding).map(|instance| instance.signature().clone()).map_err(|verdict| verdict.to_string())
    }
}

/// The plan of a pipeline given as TOML.
pub fn plan(toml: &str, plugins: &Plugins) -> anyhow::Result<Plan> {
    let (manifest, mut diagnostics) = Manifest::read("bench.toml", toml, &[], CONNECTORS);
    match manifest.resolve(plugins, &mut diagnostics) {
        Some(plan) => Ok(plan),
        None => bail!("{}", diagnostics.render(false)),
    }
}

/// A run of a plan whose one source is opened as the plan says, with a checkpoint in a folder or without one.
pub fn run(
    plan: Plan,
    plugins: &Plugins,
    sinks: Vec<Box<dyn Sink>>,
    clock: Arc<dyn Clock>,
    settings: &Settings,
    folder: Option<&Path>,
) -> anyhow::Result<Run> {
    let stdout = Arc::new(Mutex::new(std::io::sink()));
    let world = World::new(clock.clone(), Arc::new(Threads), PathBuf::from("."), stdout);
    let mut parts = parts(plan, plugins, sinks, clock);
    let world = World { wake: parts.wake.clone(), ..world };
    parts.sources = open_sources(&parts.plan, &world).context("the source cannot be opened")?;
    parts.checkpoint = folder.map(checkpoint).transpose()?;
    Ok(Run::try_new(parts, settings)?)
}

/// A run of a plan with a source of the benchmark's own, with a checkpoint in a folder or without one.
pub fn run_with(
    plan: Plan,
    plugins: &Plugins,
    source: Box<dyn Source>,
    sinks: Vec<Box<dyn Sink>>,
    clock: Arc<dyn Clock>,
    settings: &Settings,
    folder: Option<&Path>,
) -> anyhow::Result<Run> {
    let checkpoint = folder.map(checkpoint).transpose()?;
    let parts = Parts { sources: vec![(NodeId(0), source)], checkpoint, ..parts(plan, plugins, sinks, clock) };
    Ok(Run::try_new(parts, settings)?)
}

fn checkpoint(folder: &Path) -> anyhow::Result<Checkpoint> {
    Ok(Checkpoint::new(Arc::new(LocalFolder::open(folder, 0)?), "bench".to_owned(), Vec::new()))
}

/// All but the source.
fn parts(plan: Plan, plugins: &Plugins, sinks: Vec<Box<dyn Sink>>, clock: Arc<dyn Clock>) -> Parts {
    let (plugins, wake) = (plugins.loaded.clone(), Wake::default());
    Parts { plan, plugins, sources: Vec::new(), sinks, clock, wake, spawn: Arc::new(Threads), checkpoint: None }
}

/// Two workers, until something happens.
pub fn settings(until: Until) -> Settings {
    Settings { workers: 2, seed: 0x5eed, fresh_instances: false, until }
}
