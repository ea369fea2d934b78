//! Every setting of a checkpoint does something that can be seen.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tidemill_checkpoint::{Budget, Fault, History, Keep, Operation, PluginDigest, Record};
use tidemill_engine::checkpoint::{Checkpoint, SnapshotAfter};
use tidemill_plan::Manifest;

use super::{
    room::many,
    world::{AtOnce, Ended, World},
};

const NEVER: SnapshotAfter = SnapshotAfter { bytes_min: u64::MAX, commits_max: usize::MAX };
const EVERY: SnapshotAfter = SnapshotAfter { bytes_min: u64::MAX, commits_max: 1 };
const ALL: Keep = Keep { batches: usize::MAX, bytes: u64::MAX };

/// The same in every run.
fn world() -> World {
    World { workers: 1, spawn: Arc::new(AtOnce), partitions: 2, ..many() }
}

fn done(world: World) -> History {
    assert_eq!(world.run(None), Ended::Done);
    world.history()
}

/// How many batches can be run again.
fn past(history: &History) -> usize {
    history.batches().iter().filter(|found| history.has_past(found)).count()
}

fn bytes_since(history: &History, number: u64) -> u64 {
    let records = history.records.iter().filter(|record| record.number >= number).map(|record| record.bytes);
    let snapshots =
        history.snapshots.iter().filter(|snapshot| snapshot.commit >= number).map(|snapshot| snapshot.bytes);
    records.sum::<u64>() + snapshots.sum::<u64>()
}

fn records(history: &History) -> usize {
    history.records.len()
}

/// How many commits there were when snapshots were begun, and the bytes of all of them up to then.
fn begun(world: World) -> Vec<(u64, u64)> {
    let begun: Arc<Mutex<Vec<(u64, u64)>>> = Arc::default();
    let (seen, storage, mut records) = (begun.clone(), world.storage.clone(), BTreeMap::new());
    world.storage.set_faults(move |call| {
        let files = storage.files().into_iter();
        let numbered =
            files.filter_map(|(name, bytes)| Some((name.strip_prefix("log/")?.parse().ok()?, bytes.len() as u64)));
        records.extend(numbered);
        if call.operation == Operation::Draft {
            // After the claim and the start of the source plans and commits take turns.
            let commits = records.iter().filter(|(number, _): &(&u64, &u64)| **number > 2 && **number % 2 == 0);
            let (count, bytes) = commits.fold((0, 0), |(count, all), (_, bytes)| (count + 1, all + bytes));
            seen.lock().unwrap().push((count, bytes));
        }
        Fault::None
    });
    assert_eq!(world.run(None), Ended::Done);
    let begun = begun.lock().unwrap();
    begun.clone()
}

/// A new setting does not compile here before it has a test below.
#[test]
fn there_are_no_others() {
    let Checkpoint { storage: _, host: _, plugins: _, keep, budget, snapshot_after, failpoints: _ } =
        Checkpoint::new(world().storage, "host".to_owned(), Vec::new());
    let Keep { batches, bytes } = keep;
    let Budget { bytes_max, free_bytes_min } = budget;
    let SnapshotAfter { bytes_min, commits_max } = snapshot_after;
    // As CHECKPOINT.md and PIPELINE.md say.
    assert_eq!((batches, bytes), (100, 1 << 30));
    assert_eq!((bytes_max, free_bytes_min), (None, 256 << 20));
    assert_eq!((bytes_min, commits_max), (64 << 20, 1_000));
}

/// What a pipeline asks for, and nothing else, is other than usual.
#[test]
fn a_pipeline_says_them() {
    let of = |keys: &str| {
        let text = format!("[pipeline]\nname = \"p\"\ncheckpoint = {{ folder = \"c\"{keys} }}\n");
        let (manifest, diagnostics) = Manifest::read("pipeline.toml", &text, &[], tidemill_connect::CONNECTORS);
        let entry = manifest.checkpoint().cloned().unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
        let Checkpoint { keep, budget, .. } =
            Checkpoint::new(world().storage, "host".to_owned(), Vec::new()).as_written(&entry);
        (keep.batches, keep.bytes, budget.bytes_max, budget.free_bytes_min)
    };
    let (batches, bytes, budget, free) = of("");
    assert_eq!((batches, bytes, budget, free), (100, 1 << 30, None, 256 << 20));
    assert_eq!(of(", keep-batches = 7"), (7, bytes, budget, free));
    assert_eq!(of(", keep-batches = 0"), (0, bytes, budget, free));
    assert_eq!(of(", keep-bytes = \"3MiB\""), (batches, 3 << 20, budget, free));
    assert_eq!(of(", budget = \"5MiB\""), (batches, bytes, Some(5 << 20), free));
    assert_eq!(of(", free-space = 0"), (batches, bytes, budget, 0));
    assert_eq!(of(", free-space = \"9GiB\""), (batches, bytes, budget, 9 << 30));
}

#[test]
fn so_many_batches_are_kept() {
    for batches in [1, 5, 20] {
        let keep = Keep { batches, bytes: u64::MAX };
        let kept = past(&done(World { keep, snapshot_after: EVERY, ..world() }));
        // Those since the last cleaning come on top.
        assert!((batches..=batches + 1).contains(&kept), "{kept} of {batches}");
    }
    let all = done(World { keep: ALL, snapshot_after: EVERY, ..world() });
    assert_eq!(past(&all), all.batches().len());
}

#[test]
fn history_has_so_many_bytes() {
    let all = bytes_since(&done(World { keep: ALL, snapshot_after: EVERY, ..world() }), 1);
    let least = done(World { keep: Keep { batches: 0, bytes: 0 }, snapshot_after: EVERY, ..world() });
    let mut before = records(&least);
    // What came since the last cleaning is on top.
    let slack = bytes_since(&least, 1);
    for bytes in [all / 8, all / 4, all / 2] {
        let history = done(World { keep: Keep { batches: usize::MAX, bytes }, snapshot_after: EVERY, ..world() });
        let kept = records(&history);
        assert!(kept > before, "{kept} records in {bytes} of {all} bytes, {before} in fewer");
        before = kept;
        let oldest = history.records.iter().map(|record| record.number).find(|&number| number > 1).unwrap();
        let bytes_kept = bytes_since(&history, oldest);
        assert!((bytes - slack..bytes + slack).contains(&bytes_kept), "{bytes_kept} of {bytes}");
    }
}

#[test]
fn a_snapshot_is_made_after_so_many_commits() {
    for commits_max in [1, 2, 7] {
        let begun = begun(World { snapshot_after: SnapshotAfter { bytes_min: u64::MAX, commits_max }, ..world() });
        let commits: Vec<u64> = begun.iter().map(|(commits, _)| *commits).collect();
        let expect: Vec<u64> = (1..=60).filter(|commits| commits % commits_max as u64 == 0).collect();
        assert_eq!(commits[..expect.len().min(commits.len())], expect, "{commits_max}");
    }
    assert_eq!(begun(World { snapshot_after: NEVER, ..world() }), []);
}

#[test]
fn a_snapshot_is_made_after_so_many_bytes() {
    for bytes_min in [20_000, 50_000] {
        let snapshot_after = SnapshotAfter { bytes_min, commits_max: usize::MAX };
        let begun = begun(World { snapshot_after, ..world() });
        assert!(begun.len() >= 2, "{begun:?}");
        let mut before = 0;
        for (_, bytes) in begun {
            assert!((bytes_min..bytes_min + 5_000).contains(&(bytes - before)), "{bytes} after {before}, {bytes_min}");
            before = bytes;
        }
    }
}

/// An eighth of a budget is what happens before a snapshot, a quarter is history.
#[test]
fn a_budget_is_shared() {
    for bytes_max in [400_000, 800_000] {
        let budget = Budget { bytes_max: Some(bytes_max), free_bytes_min: 0 };
        let snapshot_after = SnapshotAfter { bytes_min: u64::MAX, commits_max: usize::MAX };
        let begun = begun(World { budget, snapshot_after, ..world() });
        let first = begun.first().map(|(_, bytes)| *bytes);
        assert!(first.is_some_and(|first| (bytes_max / 8..bytes_max / 8 + 5_000).contains(&first)), "{begun:?}");
        let history = done(World { budget, keep: ALL, snapshot_after: EVERY, ..world() });
        let oldest = history.records.iter().map(|record| record.number).find(|&number| number > 1).unwrap();
        let kept = bytes_since(&history, oldest);
        assert!((bytes_max / 4 - 20_000..bytes_max / 4 + 20_000).contains(&kept), "{kept} of {bytes_max}");
    }
}

#[test]
fn hosts_and_plugins_are_written_down() {
    let world = world();
    let plugins = vec![PluginDigest { name: "wordcount".to_owned(), sha256: [9; 32] }];
    assert_eq!(World { plugins: plugins.clone(), ..world.copy() }.run(None), Ended::Done);
    let world = World { plugins: plugins.clone(), ..world };
    let history = done(world);
    let (mut hosts, mut plans) = (Vec::new(), 0);
    for record in &history.records {
        match &record.found.as_ref().unwrap().record {
            Record::Claim { host, .. } => hosts.push(host.clone()),
            Record::Plan(plan) => {
                assert_eq!(plan.plugins, plugins);
                plans += 1;
            }
            _ => {}
        }
    }
    assert_eq!(hosts, ["run 1"]);
    assert!(plans > 0);
}
