//! A storage that fails when state is written: whatever of it there is then, the next run goes on from the same tables.

use std::sync::{Arc, Mutex};

use tidemill_checkpoint::{Call, Fault, Operation, Storage, Survey};
use tidemill_engine::{
    RunError,
    checkpoint::{RestoreError, StoredStates, TableRows},
};

use super::{BATCHES, delivered, expected, feed::feed, samples::SAMPLES, world};
use crate::{
    harness,
    recovery::world::{AtOnce, Ended, World},
};

/// What is in the tables of a checkpoint, as text.
fn tables(world: &World) -> Vec<String> {
    let storage: Arc<dyn Storage> = world.storage.clone();
    let survey = Survey::of(&storage).unwrap().unwrap();
    let recovery = survey.recovery.as_ref().unwrap();
    let mut stored = StoredStates::load(survey.history.archive(), &survey.history.records, recovery).unwrap();
    let ids: Vec<_> = stored.tables().into_iter().map(|(id, ..)| id).collect();
    let mut shown = Vec::new();
    for id in ids {
        let show = |rows: &TableRows| {
            shown.push(format!("{id}: {:?} {:?}", rows.keys, rows.states));
            Ok::<_, RestoreError>(())
        };
        stored.each_block(&id, show).unwrap();
    }
    shown
}

/// Whether a call writes what a record or a snapshot has.
fn writes(call: &Call) -> bool {
    matches!(call.operation, Operation::Create | Operation::Draft | Operation::Write | Operation::Publish)
}

/// Every write in turn fails, before it has done anything or after it has done it, or for good, with the machine: of a record,
/// of a snapshot's beginning, of each single table's partition in it, of its end, and when it appears.
#[test]
fn any_write_of_state_may_fail() {
    let mut snapshots = 0;
    for (number, sample) in SAMPLES.iter().enumerate() {
        if harness::plan(&sample.pipeline(None), 1).nodes.iter().all(|node| node.tables().count() == 0) {
            continue;
        }
        let feed = feed(number as u64, 4);
        let expect = expected(sample, &feed);
        // The same calls in every run.
        let world = || World { workers: 1, spawn: Arc::new(AtOnce), partitions: 2, ..world(sample, &feed) };
        let (whole, calls) = (world(), Arc::new(Mutex::new(Vec::new())));
        let heard = calls.clone();
        whole.storage.set_faults(move |call| {
            heard.lock().unwrap().push(call.clone());
            Fault::None
        });
        assert_eq!(whole.run(None), Ended::Done);
        whole.storage.clear_faults();
        let kept = tables(&whole);
        assert_eq!(delivered(sample, &whole), expect, "{}", sample.name);
        let calls: Vec<Call> = calls.lock().unwrap().iter().filter(|call| writes(call)).cloned().collect();
        let commits = calls.iter().filter(|call| call.operation == Operation::Create).count();
        assert!(commits >= 2 * BATCHES, "a plan and a commit a batch: {calls:?}");
        snapshots += calls.iter().filter(|call| call.operation == Operation::Write).count();
        for Call { number, name, .. } in calls {
            for fault in [Fault::Before, Fault::After, Fault::CrashBefore, Fault::CrashAfter] {
                let what = format!("{}: {fault:?} at call {number}, of {name}", sample.name);
                let world = world();
                world.storage.set_faults(move |call| if call.number == number { fault } else { Fault::None });
                match world.open().and_then(|mut run| run.run()) {
                    Ok(_) | Err(RunError::Checkpoint(_) | RunError::Restore(_)) => {}
                    Err(error) => panic!("{what}: {error}"),
                }
                world.storage.clear_faults();
                if world.storage.is_down() {
                    world.lose_power();
                }
                assert_eq!(world.run(None), Ended::Done, "{what}");
                assert_eq!(delivered(sample, &world), expect, "{what}");
                // What a window keeps hangs on when the last batch was, and that may be an empty one more.
                assert!(sample.hangs_on_time() || tables(&world) == kept, "{what}");
            }
        }
    }
    assert!(snapshots > 0, "state is written section by section");
}
