//! What a commit's file holds, counted.

use std::collections::BTreeMap;

use super::{History, unless_gone};
use crate::{
    error::CheckpointError,
    format::SectionKind,
    log::Archive,
    record::{Number, Record},
};

/// What a commit holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// For each output that had a batch its rows.
    pub outputs: BTreeMap<String, u64>,
    /// For each stream whose state changed the keys that did.
    pub states: BTreeMap<String, u64>,
}

/// Of all whole commits.
pub(super) fn of_commits(history: &History) -> Result<BTreeMap<Number, Contents>, CheckpointError> {
    let commits = history
        .records
        .iter()
        .filter(|record| matches!(record.found.as_ref().map(|header| &header.record), Ok(Record::Commit(_))));
    let contents = commits.filter_map(|record| {
        let contents = unless_gone(of_commit(history.archive(), record.number)).transpose()?;
        Some(contents.map(|contents| (record.number, contents)))
    });
    contents.collect()
}

fn of_commit(archive: &Archive, commit: Number) -> Result<Contents, CheckpointError> {
    let mut contents = Contents::default();
    for section in archive.sections(commit)? {
        let section = section?;
        let counted = match section.kind {
            SectionKind::Output => &mut contents.outputs,
            SectionKind::State => &mut contents.states,
        };
        let rows: u64 = section.batches.iter().map(|batch| batch.num_rows() as u64).sum();
        *counted.entry(section.stream).or_default() += rows;
    }
    Ok(contents)
}
