//! Whether a pipeline can go on with a checkpoint's states, asked before it is taken over: a run that is refused must not
//! have stopped the host that is at work there.
//!
//! It is all asked again when the states are loaded, from what there is then.

use tidemill_checkpoint::{Glance, Number, SectionKind, StateSchema};

use super::{
    Renames, RestoreError,
    lineage::newest,
    restore::{check_keys, evolution, other_version, states_of},
};

/// Refuses states that the streams `wanted` cannot take over. A migration may still fail: it is a guest's.
pub(super) fn check(glance: &Glance, wanted: &[StateSchema], renames: Renames) -> Result<(), RestoreError> {
    let recovery = &glance.recovery;
    let numbers: Vec<Number> = recovery.snapshot.iter().chain(&recovery.deltas).copied().collect();
    let history: Vec<&[StateSchema]> =
        numbers.iter().filter_map(|&number| states_of(&glance.records, number)).collect();
    let renames = renames.learn(history.iter().rev().copied());
    if let Some((old, now)) = renames.taken {
        return Err(RestoreError::NameTaken { old, now });
    }
    for wanted in wanted {
        if let Some(stored) = newest(&history, &renames, &wanted.stream) {
            check_stream(&stored, wanted)?;
        }
    }
    let is_gone = |stream: &str| !wanted.iter().any(|wanted| wanted.stream == renames.now(stream));
    if history.iter().any(|states| states.iter().any(|state| is_gone(&state.stream)))
        && let Some(stream) = find_state(glance, &is_gone)
    {
        return Err(RestoreError::NoStream { stream });
    }
    Ok(())
}

fn check_stream(stored: &StateSchema, wanted: &StateSchema) -> Result<(), RestoreError> {
    check_keys(stored, wanted)?;
    if stored.version > wanted.version {
        return Err(other_version(stored, wanted));
    }
    if stored.version == wanted.version {
        evolution(&wanted.stream, &stored.state, &wanted.state)?;
    }
    Ok(())
}

/// A stream that is gone and has state: if nothing was ever kept for it, it does not matter. What cannot be read is
/// another's concern.
fn find_state(glance: &Glance, is_gone: &dyn Fn(&str) -> bool) -> Option<String> {
    let Glance { recovery, archive, .. } = glance;
    let snapshot = recovery.snapshot.iter().map(|&number| archive.read_snapshot(number));
    let commits = recovery.deltas.iter().map(|&number| archive.sections(number));
    let sections = snapshot.chain(commits).filter_map(Result::ok).flatten().filter_map(Result::ok);
    let mut with_state = sections
        .filter(|section| section.kind == SectionKind::State && section.batches.iter().any(|rows| rows.num_rows() > 0));
    with_state.find(|section| is_gone(&section.stream)).map(|section| section.stream)
}
