//! `tidemill inspect`: what is in a component, or in a checkpoint.

mod checkpoint;
mod json;
mod keys;
mod text;

use std::path::Path;

use tidemill_guest::read_component;
use tidemill_model::{limits::Limits, object_url::ObjectUrl};

use crate::{
    arguments,
    failure::Failure,
    pipeline, plugin_limits, plugin_text, stdout,
    storage::{self, CheckpointPlace},
};

/// What a component begins with, and a core module too.
const WASM_MAGIC: &[u8] = b"\0asm";

pub fn run(arguments: &arguments::Inspect) -> Result<(), Failure> {
    let path = &arguments.path;
    if let Some(place) = checkpoint_place(path)? {
        return checkpoint::run(arguments, &storage::to_look_at(&place, Path::new(""))?);
    }
    if arguments.keys.is_some() {
        return Err(Failure::input(format!("`{}` is no folder of a checkpoint: only those have keys", path.display())));
    }
    let all = Limits { component_bytes: Limits::host_max().component_bytes, ..Limits::default() };
    let limits = plugin_limits::changed(all, &arguments.limits)?;
    let bytes = read(arguments)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let plugin = pipeline::runtime(arguments.cache, 1)?.load(&name, &bytes, &limits)?;
    let sha256 = pipeline::sha256(&bytes);
    if arguments.json {
        return stdout::write_json(&plugin_text::json(&plugin, bytes.len(), &sha256));
    }
    stdout::write_text(&plugin_text::long(&plugin, bytes.len(), &sha256))
}

/// Where a checkpoint is that is to be looked at; nothing if a component is.
fn checkpoint_place(path: &Path) -> Result<Option<CheckpointPlace>, Failure> {
    match path.to_str() {
        Some(text) if ObjectUrl::is_meant(text) => {
            let url = ObjectUrl::parse(text).map_err(|error| Failure::input(error.to_string()))?;
            Ok(Some(CheckpointPlace::Objects(url)))
        }
        _ => Ok(path.is_dir().then(|| CheckpointPlace::Folder(path.to_owned()))),
    }
}

/// The file, unless it is longer than any component.
fn read(arguments: &arguments::Inspect) -> Result<Vec<u8>, Failure> {
    let path = &arguments.path;
    let bytes = read_component(path, Limits::host_max().component_bytes)
        .map_err(|error| Failure::unreadable("component", path, &error))?;
    if !bytes.starts_with(WASM_MAGIC) {
        let failure = Failure::input(format!("`{}` is no Wasm component", path.display()));
        return Err(match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => failure.hint("`tidemill check` shows what is in a pipeline"),
            _ => failure.hint("`tidemill build` makes NAME.wasm of a plugin project"),
        });
    }
    Ok(bytes)
}
