//! What a crash would keep, at any time.

use std::{collections::BTreeMap, sync::Arc};

use tidemill_checkpoint::{Log, MemoryStorage, Storage};

use crate::{
    scenario::{ACKNOWLEDGED, PIPELINE},
    world::World,
};

/// So many lines of the acknowledged stream would not be wanted again after a crash, also if the newest record turned out
/// damaged.
pub(crate) fn kept_lines(storage: &MemoryStorage, world: &World) -> usize {
    let mut files = storage.files();
    files.retain(|name, _| !name.starts_with("input/") && !world.unsettled.contains(name));
    let kept = pinned_lines(&files).unwrap_or(0);
    // A damaged one is passed over, as if it were not there.
    if let Some(newest) = files.keys().rfind(|name| name.starts_with("log/")).cloned() {
        files.remove(&newest);
    }
    pinned_lines(&files).unwrap_or(0).min(kept)
}

/// What a host would go on from; `None`: from nothing.
fn pinned_lines(files: &BTreeMap<String, Vec<u8>>) -> Option<usize> {
    let copy = MemoryStorage::new();
    files.iter().for_each(|(name, content)| copy.overwrite(name, content.clone()));
    let storage: Arc<dyn Storage> = Arc::new(copy);
    let recovery = Log::glance(&storage, PIPELINE)?.recovery;
    let planned = recovery.planned.map(|planned| planned.plan);
    // One that has gone from the pipeline goes on there if it comes back, and where it was last if that is not known yet.
    let plans = planned.into_iter().chain(recovery.last.map(|last| last.plan));
    let sources = plans.flat_map(|plan| [plan.sources, plan.away].concat());
    let pin = sources.filter(|source| source.stream.starts_with(ACKNOWLEDGED)).map(|source| source.pin).next();
    let pin: serde_json::Value = serde_json::from_str(&pin.unwrap_or_default()).unwrap_or_default();
    Some(pin["lines"].as_u64().unwrap_or(0) as usize)
}
