//! The files with rows for sinks that are too many for a record.

use std::collections::BTreeMap;

use super::History;
use crate::{
    error::CheckpointError,
    log::numbered,
    outbox::{outbox_of, verify_outbox},
    record::Number,
};

/// A file that a commit names, or that none does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxFound {
    /// Its number.
    pub number: Number,
    /// The commit that it belongs to; without one it is of a batch that did not come to count, or not yet.
    pub commit: Option<Number>,
    /// Its length; 0 if it is missing.
    pub bytes: u64,
    /// How it is damaged, if it is. One that nobody names is not looked at.
    pub damaged: Option<String>,
}

/// All that are there, or named, by number; every byte checked.
pub(super) fn of(history: &History) -> Result<Vec<OutboxFound>, CheckpointError> {
    // Looked for first: what comes to be named meanwhile is not missing for that.
    let mut found = BTreeMap::new();
    for record in &history.records {
        let Some(outbox) = outbox_of(record) else { continue };
        let damaged = verify_outbox(&*history.storage, &history.pipeline, outbox)?;
        let (number, commit) = (outbox.number, Some(record.number));
        found.insert(number, OutboxFound { number, commit, bytes: 0, damaged });
    }
    for (number, entry) in numbered(&*history.storage, "outbox")? {
        let unnamed = OutboxFound { number, commit: None, bytes: 0, damaged: None };
        found.entry(number).or_insert(unnamed).bytes = entry.bytes;
    }
    Ok(found.into_values().collect())
}
