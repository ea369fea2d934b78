//! What is in a checkpoint: looked at without claiming it, so a run may be at work in it.

use std::sync::Arc;

use tidemill_checkpoint::{CheckpointError, Consequence, Damage, Recovery, Storage, StorageError, Survey};
use tidemill_engine::checkpoint::{RestoreError, StoredStates};
use tidemill_model::text::counted;

use super::{json, keys, text};
use crate::{
    arguments,
    failure::{Failure, chain},
    stdout,
};

/// How often it is looked again when a run cleans away what is being read.
const LOOKS_MAX: usize = 8;

/// What was found.
pub struct Looked {
    /// Where.
    pub place: String,
    pub survey: Survey,
    /// The state after the last batch, if a run could go on from it.
    pub states: Option<StoredStates>,
}

pub fn run(arguments: &arguments::Inspect, storage: &Arc<dyn Storage>) -> Result<(), Failure> {
    let mut looked = look(storage)?;
    match &arguments.keys {
        Some(stream) => keys::write(&mut looked, stream.as_deref())?,
        None if arguments.json => stdout::write_json(&json::of(&mut looked))?,
        None => stdout::write_text(&text::of(&mut looked))?,
    }
    verdict(&looked.survey)
}

fn look(storage: &Arc<dyn Storage>) -> Result<Looked, Failure> {
    let survey = Survey::of(storage)?.ok_or_else(|| {
        Failure::input(format!("`{}` is the place of a checkpoint, and no run has begun in it", storage.place()))
    })?;
    let states = survey.recovery.as_ref().ok().map(|recovery| states(&survey, recovery)).transpose()?;
    Ok(Looked { place: storage.place(), survey, states })
}

/// The state that a run would go on with; if a run at work has cleaned that away meanwhile, the one by now.
fn states(survey: &Survey, recovery: &Recovery) -> Result<StoredStates, Failure> {
    let archive = survey.history.archive();
    let mut states = StoredStates::load(archive, &survey.history.records, recovery);
    let mut looks = 1;
    while let Err(error) = &states
        && looks < LOOKS_MAX
        && is_gone(error)
    {
        let (records, recovery) = survey.decide_again()?;
        states = StoredStates::load(archive, &records, &recovery);
        looks += 1;
    }
    Ok(states?)
}

/// Whether what failed is that a file has gone since it was listed.
fn is_gone(error: &RestoreError) -> bool {
    matches!(error, RestoreError::Checkpoint(CheckpointError::Storage(StorageError::NotFound { .. })))
}

/// Fails if anything is damaged.
fn verdict(survey: &Survey) -> Result<(), Failure> {
    let refused = survey.recovery.as_ref().err().map(|error| chain(error));
    let mut failure = match (survey.damage.len(), &refused) {
        (0, None) => return Ok(()),
        (0, Some(refused)) => Failure::run(refused),
        (1, _) => Failure::run("the checkpoint is damaged"),
        (places, _) => Failure::run(format!("the checkpoint is damaged in {}", counted(places, "place"))),
    };
    for damage in &survey.damage {
        failure = failure.hint(format!("{}: {}; {}", damage.name, damage.what, advice(damage)));
    }
    Err(match refused.filter(|_| !survey.damage.is_empty()) {
        Some(refused) => failure.hint(format!("a run would be refused: {refused}")),
        None => failure,
    })
}

/// What a damaged file means, and what to do.
pub fn advice(damage: &Damage) -> &'static str {
    match damage.consequence {
        Consequence::Refused => "bring it back from a copy of the folder",
        Consequence::PassedOver => {
            "a run passes over it and goes on from what was before; to keep what it says, bring it back from a copy first"
        }
        Consequence::NotNeeded => "a run does not need it; batches that do cannot be replayed",
    }
}
