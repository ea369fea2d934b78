//! What the checkpoint itself holds in the end.

use std::sync::Arc;

use tidemill_checkpoint::{History, MemoryStorage, Record, Storage, Survey};
use tidemill_engine::checkpoint::{RestoreError, StoredStates, TableId};

use super::{
    last_edition,
    model::Model,
    tallies::{Tallies, known},
};
use crate::{
    rows,
    scenario::{Scenario, state_stream_of},
    world::{Output, World},
};

/// A checkpoint that may have files of so many bytes in all keeps what it was told to.
const KEEP_BYTES: u64 = 1 << 20;

/// A run could go on from the checkpoint, with nothing left to do, and with the states and counters that the model has.
pub(super) fn check(
    storage: &MemoryStorage,
    world: &World,
    scenario: &Scenario,
    model: &Model,
    tallies: &Tallies,
) -> Result<(), String> {
    let bytes: usize = storage.files().values().map(Vec::len).sum();
    let storage: Arc<dyn Storage> = Arc::new(storage.clone());
    let unusable = |error: &dyn std::error::Error| format!("the checkpoint cannot be read in the end: {error}");
    let survey = Survey::of(&storage).map_err(|error| unusable(&error))?.ok_or("the checkpoint has no files")?;
    let recovery = survey.recovery.as_ref().map_err(|error| unusable(error))?;
    if let Some(unnamed) = survey.outboxes.iter().find(|outbox| outbox.commit.is_none()) {
        return Err(format!("the outbox {} is left, and no commit names it", unnamed.number));
    }
    if recovery.planned.is_some() || !recovery.undelivered.is_empty() {
        return Err("the checkpoint says that something is left to do".to_owned());
    }
    let newest = world.committed.keys().next_back();
    if recovery.last.as_ref().map(|last| &last.commit.batch) != newest {
        return Err(format!("the checkpoint does not end with the batch {newest:?}"));
    }
    let mut stored = StoredStates::load(survey.history.archive(), &survey.history.records, recovery)
        .map_err(|error| unusable(&error))?;
    check_counters(&survey.history, tallies)?;
    let was_short = world.faults.counts.contains_key("full disk") || scenario.budget_bytes.is_some();
    if !was_short && (bytes as u64) < KEEP_BYTES {
        check_kept(&survey.history, world, scenario.keep_batches)?;
    }
    let edition = last_edition(world, scenario);
    let stream = |output: &Output| state_stream_of(&output.spec, edition);
    world.outputs.iter().try_for_each(|output| check_stream(&mut stored, &stream(output), output, model))
}

/// Every commit has the counters behind its batch.
fn check_counters(history: &History, tallies: &Tallies) -> Result<(), String> {
    let headers = history.records.iter().filter_map(|record| record.found.as_ref().ok());
    for header in headers {
        let Record::Commit(commit) = &header.record else { continue };
        let (found, expect) = (known(&commit.counters), tallies.counters.get(&commit.batch));
        if Some(&found) != expect {
            let batch = commit.batch;
            return Err(format!(
                "the commit of the batch {batch} has the counters {found:?}, and {expect:?} are right"
            ));
        }
    }
    Ok(())
}

/// The last batches can be run again, as many as were to be kept.
fn check_kept(history: &History, world: &World, batches: usize) -> Result<(), String> {
    world.committed.keys().rev().take(batches).try_for_each(|&batch| match history.past(batch) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("of {batches} batches that are kept one cannot be run again: {error}")),
    })
}

/// The states of the stream of an output, if it has any.
fn check_stream(stored: &mut StoredStates, stream: &str, output: &Output, model: &Model) -> Result<(), String> {
    let Some(mut expect) = model.states(output.spec.content) else { return Ok(()) };
    expect.sort();
    let mut found = Vec::new();
    let table = TableId { stream: stream.to_owned(), table: String::new() };
    let read = stored.each_block(&table, |block| {
        let keys = rows::texts(&block.key_schema, &block.keys);
        let states = rows::texts(&block.state_schema, &block.states);
        found.extend(keys.iter().zip(states).map(|(key, state)| format!("{key} {state}")));
        Ok::<(), RestoreError>(())
    });
    read.map_err(|error| format!("the states of `{}`: {error}", output.spec.name))?;
    found.sort();
    if found == expect {
        return Ok(());
    }
    Err(format!("the checkpoint has the states {found:?} of `{}`, and {expect:?} is right", output.spec.name))
}
