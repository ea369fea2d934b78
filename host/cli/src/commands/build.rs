//! `tidemill build`: a plugin project to its component, checked and ready to load.

mod project;

use std::{fs, path::Path};

use tidemill_connect::system::SystemClock;
use tidemill_guest::{LoadError, build::build_component};
use tidemill_model::{
    limits::Limits,
    ports::{Clock, Wake},
    time::Timestamp,
};

use crate::{
    arguments,
    failure::{Failure, chain, more_for_compiling},
    pipeline, plugin_limits, plugin_text,
    sources::{hash_of, sources},
    stdout,
};
use project::Project;

/// How often sources are looked at.
const LOOK_MICROS: i64 = 300_000;

pub fn run(arguments: &arguments::Build) -> Result<(), Failure> {
    if !arguments.watch {
        return build(arguments);
    }
    let (clock, wake) = (SystemClock, Wake::default());
    loop {
        let seen = sources(&arguments.folder);
        // What is wrong is told, and may be mended.
        if let Err(failure) = build(arguments) {
            failure.report();
        }
        tracing::info!("waiting for a change of the sources; Ctrl-C ends it");
        while sources(&arguments.folder) == seen {
            clock.wait(Timestamp(clock.now().0.saturating_add(LOOK_MICROS)), &wake);
        }
    }
}

fn build(arguments: &arguments::Build) -> Result<(), Failure> {
    let limits = plugin_limits::changed(Limits::default(), &arguments.limits)?;
    let project = Project::of(&arguments.folder)?;
    // What is edited while it is compiled may be in it or not: then it is said to be another source.
    let hash = hash_of(&arguments.folder);
    let built = build_component(&arguments.folder, &project.target_folder)?;
    let mut component = fs::read(&built).map_err(|error| Failure::unreadable("component", &built, &error))?;
    if let Some(hash) = hash {
        hash.add_to(&mut component);
    }
    // What loads here loads in a pipeline too, and finds its code in the cache.
    let runtime = pipeline::runtime(arguments.cache, 1)?;
    let plugin = runtime.load(&project.name, &component, &limits).map_err(not_a_plugin)?;
    let path = arguments.output.clone().unwrap_or_else(|| arguments.folder.join(format!("{}.wasm", project.name)));
    write_whole(&path, &component)?;
    let text = format!("{}: {}", path.display(), plugin_text::short(&plugin, component.len()));
    stdout::write_text(&text)
}

/// It compiled, and yet it is none.
fn not_a_plugin(error: LoadError) -> Failure {
    let failure = Failure::run(chain(&error));
    match error {
        LoadError::Exports { .. } => failure.hint("list its functions at the end of src/lib.rs: plugin!(split, sum);"),
        LoadError::Imports { .. } => failure.hint("a dependency reaches for the system; find it with `cargo tree`"),
        LoadError::CompileLimit { key, .. } => failure.hint(more_for_compiling(key)),
        _ => failure,
    }
}

/// Writes the file so that nobody ever sees half of it: a pipeline may be starting.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let staged = path.with_extension(format!("wasm.{}", std::process::id()));
    let written = fs::write(&staged, bytes).and_then(|()| fs::rename(&staged, path));
    written.map_err(|error| {
        // It may not even have been made; what counts is the first error.
        let _ = fs::remove_file(&staged);
        Failure::unwritable(path, &error)
    })
}
