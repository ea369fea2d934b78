//! The plugins of a pipeline, loaded from its folder.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use tidemill_checkpoint::PluginDigest;
use tidemill_guest::{LoadError, Plugin, Verdict, read_component};
use tidemill_model::function::{Binding, Description, Signature};
use tidemill_plan::{Functions, PluginEntry};

use crate::{
    arguments::{Cache, Replacement},
    failure::{Failure, chain},
    pipeline::runtime,
    sources,
};

/// Instances that there is room for at first: more take longer to start, and few pipelines need them.
const INSTANCES: u32 = 256;

/// Those that could be loaded, and for the others why not.
pub struct LoadedPlugins {
    files: Vec<File>,
    plugins: HashMap<String, Result<Plugin, String>>,
    cache: Cache,
}

/// A plugin's component as it was read.
struct File {
    entry: PluginEntry,
    component: Vec<u8>,
}

impl LoadedPlugins {
    /// Loads `entries`, whose relative paths begin in `folder`; those that are replaced from where their replacement is.
    /// Only what concerns all of them is an error here.
    pub fn load(
        entries: &[PluginEntry],
        folder: &Path,
        replaced: &[Replacement],
        cache: Cache,
    ) -> Result<LoadedPlugins, Failure> {
        if let Some(unknown) = replaced.iter().find(|new| entries.iter().all(|entry| entry.name != new.name)) {
            return Err(no_plugin(&unknown.name, entries));
        }
        let (mut files, mut plugins) = (Vec::new(), HashMap::new());
        for entry in entries {
            let replacement = replaced.iter().rfind(|new| new.name == entry.name);
            let (path, sha256) = match replacement {
                Some(replacement) => (replacement.path.clone(), None),
                None => (folder.join(&entry.path), entry.sha256.as_deref()),
            };
            match read(entry, &path, sha256) {
                Ok(component) => {
                    warn_if_stale(&entry.name, &path, &component);
                    files.push(File { entry: entry.clone(), component });
                }
                Err(reason) => drop(plugins.insert(entry.name.clone(), Err(reason))),
            }
        }
        let mut loaded = LoadedPlugins { files, plugins, cache };
        loaded.compile(INSTANCES)?;
        Ok(loaded)
    }

    fn compile(&mut self, instances_max: u32) -> Result<(), Failure> {
        if self.files.is_empty() {
            return Ok(());
        }
        let runtime = runtime(self.cache, instances_max)?;
        for File { entry, component } in &self.files {
            let plugin = match runtime.load(&entry.name, component, &entry.limits) {
                Err(error @ LoadError::Runtime { .. }) => return Err(error.into()),
                result => result.map_err(|error| reason(&entry.name, &error)),
            };
            self.plugins.insert(entry.name.clone(), plugin);
        }
        Ok(())
    }

    /// What was loaded, for a checkpoint.
    pub fn digests(&self) -> Vec<PluginDigest> {
        let digest = |file: &File| PluginDigest {
            name: file.entry.name.clone(),
            sha256: Sha256::digest(&file.component).into(),
        };
        self.files.iter().map(digest).collect()
    }

    /// The plugins, with room for so many instances of all of them.
    pub fn with_room_for(mut self, instances: u32) -> Result<HashMap<String, Plugin>, Failure> {
        if instances > INSTANCES {
            self.compile(instances)?;
        }
        let plugins = self.plugins.into_iter().filter_map(|(name, plugin)| Some((name, plugin.ok()?)));
        Ok(plugins.collect())
    }
}

fn warn_if_stale(plugin: &str, path: &Path, component: &[u8]) {
    if let Some(newest) = sources::changed(path, component) {
        let (path, newest) = (path.display(), newest.display());
        tracing::warn!(
            plugin,
            %path,
            %newest,
            "the component is older than its source, or made of another one; `tidemill build` makes it anew"
        );
    }
}

/// Why a plugin could not be loaded, for where it has been named already.
fn reason(plugin: &str, error: &LoadError) -> String {
    let said = chain(error);
    match said.strip_prefix(&format!("plugin `{plugin}` ")) {
        Some(of_it) => format!("it {of_it}"),
        None => said,
    }
}

fn no_plugin(name: &str, entries: &[PluginEntry]) -> Failure {
    let failure = Failure::input(format!("the pipeline has no plugin `{name}`"));
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    if names.is_empty() { failure } else { failure.hint(format!("it has: {}", names.join(", "))) }
}

fn read(entry: &PluginEntry, path: &Path, sha256_wanted: Option<&str>) -> Result<Vec<u8>, String> {
    let limit = entry.limits.component_bytes;
    let component = read_component(path, limit).map_err(|error| unreadable(path, &error))?;
    if component.len() > limit {
        return Err(format!("`{}` has more bytes than its limit component-bytes={limit} allows", path.display()));
    }
    if let Some(expected) = sha256_wanted {
        let got = sha256(&component);
        if got != expected {
            return Err(format!("`{}` is not the file that was meant: its sha256 is {got}", path.display()));
        }
    }
    Ok(component)
}

/// A component's digest as pipelines write it.
pub fn sha256(component: &[u8]) -> String {
    hex(&Sha256::digest(component))
}

/// A digest as pipelines write it.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => match project_of(path) {
            Some(project) => format!("there is no file `{shown}`: make it with `tidemill build {}`", project.display()),
            None => format!("there is no file `{shown}`"),
        },
        _ if path.is_dir() => format!("`{shown}` is a folder, and a .wasm file is needed"),
        _ => format!("cannot read `{shown}`: {error}"),
    }
}

/// The plugin project that would write the file.
fn project_of(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    folder.join("Cargo.toml").is_file().then(|| folder.to_owned())
}

impl Functions for LoadedPlugins {
    fn description(&self, plugin: &str) -> Result<&Description, String> {
        match self.plugins.get(plugin) {
            Some(Ok(plugin)) => Ok(plugin.description()),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("it was not loaded".to_owned()),
        }
    }

    fn open(&self, plugin: &str, binding: &Binding) -> Result<Signature, String> {
        match self.plugins.get(plugin) {
            Some(Ok(plugin)) => match plugin.open(binding) {
                Ok(instance) => Ok(instance.signature().clone()),
                // That a call was refused is no news to who reads what for.
                Err(Verdict::OpenFailed { reason, .. }) => Err(reason),
                Err(verdict) => Err(verdict.to_string()),
            },
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("it was not loaded".to_owned()),
        }
    }
}
