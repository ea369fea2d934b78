//! What a commit's file holds, counted.

use std::collections::BTreeMap;

use super::{History, unless_gone};
use crate::{
    error::CheckpointError,
    format::{Section, SectionKind},
    log::Archive,
    outbox::outbox_of,
    record::{Number, Outbox, OutboxParts, Record},
    recover::Scanned,
    storage::StorageError,
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
        let contents = unless_gone(of_commit(history.archive(), record)).transpose()?;
        Some(contents.map(|contents| (record.number, contents)))
    });
    contents.collect()
}

fn of_commit(archive: &Archive, commit: &Scanned) -> Result<Contents, CheckpointError> {
    let mut contents = Contents::default();
    for section in archive.sections(commit.number)? {
        contents.count(section?);
    }
    if let Some(outbox) = outbox_of(commit) {
        count_outbox(archive, outbox, &mut contents)?;
    }
    Ok(contents)
}

/// Of an outbox that is damaged, or gone, nothing is known.
fn count_outbox(archive: &Archive, outbox: &Outbox, contents: &mut Contents) -> Result<(), CheckpointError> {
    let before = contents.clone();
    outbox.outputs.iter().for_each(|output| {
        contents.outputs.entry(output.output.clone()).or_default();
    });
    let counted = archive.outbox(outbox).and_then(|sections| {
        for section in sections {
            let section = section?;
            let is_wanted =
                |output: &OutboxParts| output.output == section.stream && output.parts.contains(&section.partition);
            if outbox.outputs.iter().any(is_wanted) {
                contents.count(section);
            }
        }
        Ok(())
    });
    match counted {
        Err(CheckpointError::File { source, .. }) if source.is_damage() => *contents = before,
        Err(CheckpointError::Storage(StorageError::NotFound { .. })) => *contents = before,
        counted => counted?,
    }
    Ok(())
}

impl Contents {
    fn count(&mut self, section: Section) {
        let counted = match section.kind {
            SectionKind::Output => &mut self.outputs,
            SectionKind::State => &mut self.states,
        };
        let rows: u64 = section.batches.iter().map(|batch| batch.num_rows() as u64).sum();
        *counted.entry(section.stream).or_default() += rows;
    }
}
