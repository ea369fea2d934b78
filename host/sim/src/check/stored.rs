//! What the checkpoint itself holds in the end.

use std::sync::Arc;

use tidemill_checkpoint::{MemoryStorage, Storage, Survey};
use tidemill_engine::checkpoint::{RestoreError, StoredStates};

use super::model::Model;
use crate::{
    rows,
    scenario::{Edition, stream_of},
    world::{Output, World},
};

/// A run could go on from the checkpoint, with nothing left to do, and with the states that the model has.
pub(super) fn check(storage: &MemoryStorage, world: &World, model: &Model) -> Result<(), String> {
    let storage: Arc<dyn Storage> = Arc::new(storage.clone());
    let unusable = |error: &dyn std::error::Error| format!("the checkpoint cannot be read in the end: {error}");
    let survey = Survey::of(&storage).map_err(|error| unusable(&error))?.ok_or("the checkpoint has no files")?;
    let recovery = survey.recovery.as_ref().map_err(|error| unusable(error))?;
    if recovery.planned.is_some() || !recovery.undelivered.is_empty() {
        return Err("the checkpoint says that something is left to do".to_owned());
    }
    let newest = world.committed.keys().next_back();
    if recovery.last.as_ref().map(|last| &last.commit.batch) != newest {
        return Err(format!("the checkpoint does not end with the batch {newest:?}"));
    }
    let mut stored = StoredStates::load(survey.history.archive(), &survey.history.records, recovery)
        .map_err(|error| unusable(&error))?;
    let edition = world.committed.last_key_value().map_or(Edition::FIRST, |(_, committed)| committed.edition);
    let stream = |output: &Output| stream_of(&output.spec, edition);
    world.outputs.iter().try_for_each(|output| check_stream(&mut stored, &stream(output), output, model))
}

/// The states of the stream of an output, if it has any.
fn check_stream(stored: &mut StoredStates, stream: &str, output: &Output, model: &Model) -> Result<(), String> {
    let Some(mut expect) = model.states(output.spec.content) else { return Ok(()) };
    expect.sort();
    let mut found = Vec::new();
    let read = stored.each_block(stream, |block| {
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
