//! The checkpoint of a pipeline.

use std::path::PathBuf;

use tidemill_model::object_url::{EXAMPLE, ObjectUrl, ObjectUrlError};

use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Value, ValueKind},
    keys,
    reader::{Reader, values},
};

/// No budget is smaller: a few batches would not fit into it.
const BUDGET_BYTES_MIN: usize = 1 << 20;

/// More than any disk has.
const BYTES_MAX: usize = 1 << 50;

/// Where a pipeline keeps what survives it, as it is written. What is `None` is left to whoever keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointEntry {
    /// Where its files are.
    pub place: CheckpointPlace,
    /// So many of the last batches are kept for a look back,
    pub keep_batches: Option<usize>,
    /// in at most so many bytes.
    pub keep_bytes: Option<u64>,
    /// Bytes of all its files.
    pub budget_bytes: Option<u64>,
    /// Bytes of its disk that stay free.
    pub free_bytes_min: Option<u64>,
}

/// Where a checkpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckpointPlace {
    /// In a folder, as seen from the pipeline file.
    Folder(PathBuf),
    /// In an object store.
    Objects(ObjectUrl),
}

/// Reads `"FOLDER"`, `"s3://BUCKET/PREFIX"`, or a table.
pub(super) fn read(value: &Value, diagnostics: &mut Diagnostics) -> Option<CheckpointEntry> {
    if matches!(value.kind, ValueKind::Text(_)) || value.typed.is_some() {
        let place = place(value, diagnostics)?;
        let (keep_batches, keep_bytes, budget_bytes, free_bytes_min) = (None, None, None, None);
        return Some(CheckpointEntry { place, keep_batches, keep_bytes, budget_bytes, free_bytes_min });
    }
    if !matches!(value.kind, ValueKind::Table(_)) {
        values::wrong_type(value, "a folder, a URL or a table", diagnostics);
        return None;
    }
    let mut reader = Reader::try_new("`checkpoint`", value, diagnostics)?;
    reader.check_keys(keys::CHECKPOINT, "pipeline");
    let mut size = |key: &str, min: usize| {
        let read = |value: &Value, diagnostics: &mut Diagnostics| {
            values::size(value, &format!("`{key}`"), min..=BYTES_MAX, diagnostics)
        };
        reader.read(key, read).map(|bytes| bytes as u64)
    };
    let (keep_bytes, budget_bytes) = (size("keep-bytes", 0), size("budget", BUDGET_BYTES_MIN));
    let free_bytes_min = size("free-space", 0);
    let batches = |value: &Value, diagnostics: &mut Diagnostics| {
        values::integer(value, "`keep-batches`", 0..=u64::from(u32::MAX), diagnostics)
    };
    let keep_batches = reader.read("keep-batches", batches).and_then(|batches| usize::try_from(batches).ok());
    let place = place_of_table(&mut reader)?;
    Some(CheckpointEntry { place, keep_batches, keep_bytes, budget_bytes, free_bytes_min })
}

fn place_of_table(reader: &mut Reader<'_, '_>) -> Option<CheckpointPlace> {
    let Some(store) = reader.get("url") else {
        let folder = reader.need("folder", "folder = \"checkpoint\"")?;
        let text = values::filled_text(folder, "`folder`", reader.diagnostics)?;
        if ObjectUrl::is_meant(&text.text) {
            let error = Diagnostic::error(text.span, "`folder` has a URL");
            reader.diagnostics.push(error.help(format!("write it as url = \"{EXAMPLE}\"")));
            return None;
        }
        return Some(CheckpointPlace::Folder(text.text.into()));
    };
    if let Some(space) = reader.get("free-space") {
        let error = Diagnostic::error(space.span, "an object store does not say how much of it is free");
        reader.diagnostics.push(error.help("leave `free-space` out; `budget` bounds the checkpoint itself"));
    }
    if reader.get("folder").is_some() {
        let error = Diagnostic::error(store.span, "a checkpoint is in one place, and this one has `folder` and `url`");
        reader.diagnostics.push(error.help("leave one of them out"));
        return None;
    }
    let text = values::filled_text(store, "`url`", reader.diagnostics)?;
    url(&text.text, store, reader.diagnostics)
}

fn place(value: &Value, diagnostics: &mut Diagnostics) -> Option<CheckpointPlace> {
    let text = values::filled_text(value, "`checkpoint`", diagnostics)?;
    if ObjectUrl::is_meant(&text.text) {
        return url(&text.text, value, diagnostics);
    }
    Some(CheckpointPlace::Folder(text.text.into()))
}

fn url(text: &str, value: &Value, diagnostics: &mut Diagnostics) -> Option<CheckpointPlace> {
    match ObjectUrl::parse(text) {
        Ok(url) => Some(CheckpointPlace::Objects(url)),
        // The line would be shown with them in it.
        Err(error @ ObjectUrlError::Credentials) => {
            diagnostics.push(Diagnostic::whole(format!("`checkpoint`: {error}")));
            None
        }
        Err(error) => {
            diagnostics.push(Diagnostic::error(value.span, error.to_string()));
            None
        }
    }
}
