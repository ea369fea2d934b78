//! The object store fails, or the host ends, at every single call.

use std::{
    io::Write,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
};

use tidemill_checkpoint::Storage;

use crate::{
    object_store::{Store, Trouble},
    scene::World,
};

const LAST: i64 = 6;

fn world(store: &Store, part_bytes: usize) -> World {
    let (store, writers) = (store.clone(), AtomicU64::new(1));
    let opened = move || {
        let writer = writers.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(store.open(writer, part_bytes)?) as Arc<dyn Storage>)
    };
    World { opened: Some(Box::new(opened)), ..World::default() }
}

/// Runs with trouble from one call on, for so many calls, and starts again after every error; gives how often.
fn survive(call: u64, calls: u64, trouble: Trouble, part_bytes: usize) -> usize {
    let store = Store::default();
    let mut world = world(&store, part_bytes);
    store.set_trouble(call..call.saturating_add(calls), trouble);
    while let Err(error) = world.run(LAST) {
        assert!(world.openings <= 3, "call {call}, {calls} with trouble {trouble:?}: {error}: {error:?}");
        // The host has ended, and the store is well again.
        store.set_trouble(0..0, trouble);
    }
    store.set_trouble(0..0, trouble);
    world.check(LAST);
    world.openings - 1
}

#[test]
fn every_call_may_fail_before_and_after_its_effect() {
    let store = Store::default();
    let mut first = world(&store, 200);
    first.run(LAST).unwrap();
    first.check(LAST);
    let calls = store.calls();
    let (mut faults, mut restarts) = (0, 0);
    for call in 0..calls {
        // One is hidden by another try; two are not; and one after the other is the end of the host.
        let troubled = [1, 2, u64::MAX][call as usize % 3];
        for trouble in [Trouble::Before, Trouble::After] {
            faults += 1;
            restarts += survive(call, troubled, trouble, 200);
        }
    }
    let _ =
        writeln!(std::io::stderr(), "{calls} calls, {faults} faults, {restarts} restarts, nothing lost, nothing twice");
    assert!(calls > 100 && restarts as u64 > calls / 2);
}

#[test]
fn files_may_lie_in_parts_of_any_length() {
    for part_bytes in [1, 50, 8 << 20] {
        let store = Store::default();
        let mut world = world(&store, part_bytes);
        world.run(LAST).unwrap();
        world.check(LAST);
    }
}
