//! The checkpoint of a pipeline.

use crate::{
    diagnostics::Diagnostics,
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
    /// The folder, as seen from the pipeline file.
    pub folder: String,
    /// So many of the last batches are kept for a look back,
    pub keep_batches: Option<usize>,
    /// in at most so many bytes.
    pub keep_bytes: Option<u64>,
    /// Bytes of all its files.
    pub budget_bytes: Option<u64>,
    /// Bytes of its disk that stay free.
    pub free_bytes_min: Option<u64>,
}

/// Reads `"FOLDER"`, or a table.
pub(super) fn read(value: &Value, diagnostics: &mut Diagnostics) -> Option<CheckpointEntry> {
    let folder = |value: &Value, diagnostics: &mut Diagnostics| {
        values::filled_text(value, "`checkpoint`", diagnostics).map(|folder| folder.text)
    };
    if matches!(value.kind, ValueKind::Text(_)) || value.typed.is_some() {
        let folder = folder(value, diagnostics)?;
        let (keep_batches, keep_bytes, budget_bytes, free_bytes_min) = (None, None, None, None);
        return Some(CheckpointEntry { folder, keep_batches, keep_bytes, budget_bytes, free_bytes_min });
    }
    if !matches!(value.kind, ValueKind::Table(_)) {
        values::wrong_type(value, "a folder or a table", diagnostics);
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
    let folder = folder(reader.need("folder", "folder = \"checkpoint\"")?, reader.diagnostics)?;
    Some(CheckpointEntry { folder, keep_batches, keep_bytes, budget_bytes, free_bytes_min })
}
