//! A storage that fails, at every call of a run in turn: before it has done anything, after it has done it, or for good, with
//! the machine. The run goes on or ends with an error of the checkpoint, and the next one completes what it has left.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Arc, Mutex},
};

use tidemill_checkpoint::Fault;
use tidemill_engine::RunError;

use super::{
    check_like,
    world::{AtOnce, Ended, World},
};

/// The same calls in every run, and a peer that keeps its words until they are acknowledged.
fn world(early: bool) -> World {
    World { early, acknowledged: Some(Arc::new(Mutex::new(0))), workers: 1, spawn: Arc::new(AtOnce), ..super::world() }
}

/// Runs over a storage that fails at one call, and then over one that does not; gives whether the first run went on.
fn check(fault: Fault, number: u64, expect: &World) -> bool {
    let world = world(expect.early);
    world.storage.set_faults(move |call| if call.number == number { fault } else { Fault::None });
    let ran = world.open().and_then(|mut run| run.run());
    world.storage.clear_faults();
    if world.storage.is_down() {
        world.lose_power();
    }
    let went_on = match ran {
        Ok(_) => true,
        Err(RunError::Checkpoint(_) | RunError::Restore(_)) => false,
        Err(error) => panic!("{fault:?} at call {number}: {error}"),
    };
    assert_eq!(world.run(None), Ended::Done);
    check_like(&world, expect, &format!("{fault:?} at call {number}"));
    went_on
}

#[test]
fn any_call_of_the_storage_may_fail() {
    check_all(false);
}

#[test]
fn any_call_of_the_storage_may_fail_where_rows_lie_beside_their_commit() {
    check_all(true);
}

fn check_all(early: bool) {
    let expect = world(early);
    assert_eq!(expect.run(None), Ended::Done);
    let calls = expect.storage.calls();
    let held = world(false);
    assert_eq!(held.run(None), Ended::Done);
    check_like(&expect, &held, "without faults");
    let mut counts: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for fault in [Fault::Before, Fault::After, Fault::CrashBefore, Fault::CrashAfter] {
        for number in 0..calls {
            counts.entry(format!("{fault:?}")).or_default()[usize::from(check(fault, number, &expect))] += 1;
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "each of {calls} calls of a storage failed in 4 ways, lost 0, duplicated 0 (runs that [ended, went on]: {counts:?})"
    );
    assert!(calls > 50 && counts.values().all(|[ended, _]| *ended > 0), "{calls} {counts:?}");
}
