//! When a snapshot is made, over several runs.

use std::sync::Arc;

use tidemill_engine::checkpoint::SnapshotAfter;

use super::{
    world as new_world,
    world::{AtOnce, World},
};

const NEVER: SnapshotAfter = SnapshotAfter { bytes_min: u64::MAX, commits_max: usize::MAX };

fn snapshots(world: &World) -> usize {
    world.storage.files().keys().filter(|name| name.starts_with("state/")).count()
}

/// A world in which so many batches were committed and no snapshot was made; the bytes of the commits.
fn committed(batches: u64) -> (World, u64) {
    let world = World { snapshot_after: NEVER, workers: 1, spawn: Arc::new(AtOnce), ..new_world() };
    assert_eq!(world.run_batches(batches).unwrap().batches, batches);
    assert_eq!(snapshots(&world), 0);
    let history = world.history();
    let commits: Vec<u64> = history.batches().iter().filter_map(|batch| Some(batch.commit?.0)).collect();
    assert_eq!(commits.len() as u64, batches);
    let files = world.storage.files();
    let is_one = |name: &str| commits.iter().any(|number| name.trim_start_matches("log/").parse() == Ok(*number));
    let bytes = files.iter().filter(|(name, _)| name.starts_with("log/") && is_one(name));
    let bytes = bytes.map(|(_, content)| content.len() as u64).sum();
    (world, bytes)
}

/// A pipeline that is restarted often is not to go without snapshots: what earlier runs have committed counts.
#[test]
fn commits_of_earlier_runs_count_by_their_bytes_and_their_number() {
    let (world, bytes) = committed(3);
    let enough = SnapshotAfter { bytes_min: bytes, ..NEVER };
    let world = World { snapshot_after: enough, ..world };
    world.run_batches(1).unwrap();
    assert_eq!(snapshots(&world), 1);

    let (world, bytes) = committed(3);
    let too_much = SnapshotAfter { bytes_min: bytes * 2, ..NEVER };
    let world = World { snapshot_after: too_much, ..world };
    world.run_batches(1).unwrap();
    assert_eq!(snapshots(&world), 0);

    for (commits_max, expect) in [(4, 1), (5, 0)] {
        let (world, _) = committed(3);
        let world = World { snapshot_after: SnapshotAfter { commits_max, ..NEVER }, ..world };
        world.run_batches(1).unwrap();
        assert_eq!(snapshots(&world), expect, "{commits_max}");
    }
}
