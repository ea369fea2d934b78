//! The plugin with the named functions, built and loaded once.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tidemill_guest::{Plugin, Runtime, RuntimeSettings, build::build_component};
use tidemill_model::{
    function::{Binding, Description, Signature},
    limits::Limits,
};
use tidemill_plan::Functions;

/// A case has some instances for each partition, and is run alone.
const INSTANCES_MAX: u32 = 500;

/// No case needs more.
const MEMORY_BYTES_MAX: usize = 64 << 20;

/// The plugin, by the name that pipelines give it.
pub struct Named(Plugin);

impl Named {
    /// Builds and loads it.
    pub fn load() -> Result<Named> {
        let guests = guests_folder()?;
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("functions");
        let component = std::fs::read(build_component(&project, &guests)?)?;
        let settings = RuntimeSettings {
            cache: Some(guests.join("compiled")),
            instances_max: INSTANCES_MAX,
            memory_bytes_max: MEMORY_BYTES_MAX,
            ..RuntimeSettings::default()
        };
        let runtime = Runtime::try_new(&settings)?;
        Ok(Named(runtime.load("functions", &component, &Limits::default())?))
    }

    /// For a run.
    pub fn plugins(&self) -> HashMap<String, Plugin> {
        HashMap::from([("functions".to_owned(), self.0.clone())])
    }
}

/// Where cargo builds guests: beside what it builds for the host.
fn guests_folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.parent().filter(|folder| folder.ends_with("deps")).or(Some(&program));
    let profile = folder.and_then(Path::parent).and_then(Path::parent);
    Ok(profile.context("the program lies in no folder of cargo's")?.join("guests"))
}

impl Functions for Named {
    fn description(&self, _plugin: &str) -> Result<&Description, String> {
        Ok(self.0.description())
    }

    fn open(&self, _plugin: &str, binding: &Binding) -> Result<Signature, String> {
        let instance = self.0.open(binding).map_err(|verdict| verdict.to_string())?;
        Ok(instance.signature().clone())
    }
}
