//! A pipeline file, its plugins, and what is wrong with them: for `check` and `run`.

mod places;
mod plugins;

use std::{
    collections::HashMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use tidemill_checkpoint::PluginDigest;
use tidemill_connect::CONNECTORS;
use tidemill_guest::{ChildCompiler, Compiler, Plugin, Runtime, RuntimeSettings};
use tidemill_model::text::counted;
use tidemill_plan::{CheckpointEntry, Manifest, diagnostics::Diagnostics, graph::Plan, stages::Stages};

use crate::{
    arguments::{self, COMPILE, Cache, Replacement},
    environment,
    failure::Failure,
    stderr,
};
use plugins::LoadedPlugins;
pub use plugins::{hex, sha256};

/// What is read of a pipeline file: more than a pipeline can have.
const PIPELINE_BYTES_MAX: u64 = 16 << 20;

/// More threads take memory for their stacks, and one component seldom has work for them.
const COMPILE_THREADS_MAX: usize = 16;

/// A pipeline without mistakes.
pub struct Ready {
    pub plan: Plan,
    pub plugins: HashMap<String, Plugin>,
    /// What relative paths begin in: the pipeline file's folder.
    pub folder: PathBuf,
    /// Where the pipeline keeps what survives a run; its folder is relative to the other one.
    pub checkpoint: Option<CheckpointEntry>,
    /// What the plugins are.
    pub digests: Vec<PluginDigest>,
}

/// Reads the pipeline, loads its plugins and resolves it. All that is wrong has been written to standard error then.
pub fn prepare(arguments: &arguments::Pipeline) -> Result<Ready, Failure> {
    prepare_with(arguments, &[], |_| {})
}

/// The same with other components in place of some plugins. `said` gets what has been written to standard error.
pub fn prepare_with(
    arguments: &arguments::Pipeline,
    replaced: &[Replacement],
    said: impl FnOnce(&Diagnostics),
) -> Result<Ready, Failure> {
    let path = &arguments.pipeline;
    let text = read(path)?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let (manifest, mut diagnostics) =
        Manifest::read(&path.display().to_string(), &text, &arguments.overrides, CONNECTORS);
    let loaded = LoadedPlugins::load(manifest.plugins(), &folder, replaced, arguments.cache)?;
    let plan = manifest.resolve(&loaded, &mut diagnostics);
    stderr::say_diagnostics(&diagnostics);
    said(&diagnostics);
    let plan = plan.ok_or_else(|| mistakes(path, &diagnostics))?;
    places::check(&plan, manifest.checkpoint(), &folder)?;
    // A plan has no more of them than fit into the number.
    let instances = Stages::of(&plan).instances(&plan).try_into().unwrap_or(u32::MAX);
    let digests = loaded.digests();
    let plugins = loaded.with_room_for(instances)?;
    let checkpoint = manifest.checkpoint().cloned();
    Ok(Ready { plan, plugins, folder, checkpoint, digests })
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let file = fs::File::open(path);
    // One that is longer is refused when it is read as a pipeline, and says so there.
    let read = file.and_then(|file| file.take(PIPELINE_BYTES_MAX + 1).read_to_string(&mut text));
    read.map(|_| text).map_err(|error| match error.kind() {
        // What a system says of a folder that is read differs.
        _ if path.is_dir() => {
            let inside = path.join("pipeline.toml");
            let failure = Failure::unreadable("pipeline file", path, &io::ErrorKind::IsADirectory.into());
            if inside.is_file() { failure.hint(format!("is it `{}`?", inside.display())) } else { failure }
        }
        _ if path.extension().is_some_and(|extension| extension == "wasm") => {
            Failure::unreadable("pipeline file", path, &error).hint("`tidemill inspect` shows plugins")
        }
        _ => Failure::unreadable("pipeline file", path, &error),
    })
}

fn mistakes(path: &Path, diagnostics: &Diagnostics) -> Failure {
    Failure::input(format!("`{}` has {}", path.display(), counted(diagnostics.error_count(), "error")))
}

/// A runtime that keeps compiled code where this user's caches are. This process compiles nothing.
pub fn runtime(cache: Cache, instances_max: u32) -> Result<Runtime, Failure> {
    let cache = if cache.no_cache { None } else { environment::compiled_code_folder() };
    let compiler = Compiler::Child(ChildCompiler {
        program: environment::program(),
        arguments: vec![COMPILE.into()],
        variables: environment::own_variables(),
        threads: environment::cores().min(COMPILE_THREADS_MAX),
    });
    Ok(Runtime::try_new(&RuntimeSettings { cache, compiler, instances_max, ..RuntimeSettings::default() })?)
}
