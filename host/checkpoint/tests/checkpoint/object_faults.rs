//! The object store fails, or the host ends, at every single call.

use std::{
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tidemill_checkpoint::{CheckpointError, FormatError, Log, Storage, StorageError};
use tidemill_model::time::Timestamp;

use crate::{
    object_store::{Store, Trouble},
    scene::{PIPELINE, World, state},
};

const LAST: i64 = 6;

fn world(store: &Store, part_bytes: usize, first_writer: u64) -> World {
    let (store, writers) = (store.clone(), AtomicU64::new(first_writer));
    let opened = move || {
        let writer = writers.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(store.open(writer, part_bytes)?) as Arc<dyn Storage>)
    };
    World { opened: Some(Box::new(opened)), ..World::default() }
}

/// Runs with trouble from one call on, for so many calls, and starts again after every error; gives how often.
fn survive(call: u64, calls: u64, trouble: Trouble, part_bytes: usize) -> usize {
    let store = Store::default();
    let mut world = world(&store, part_bytes, 1);
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
    let mut first = world(&store, 200, 1);
    first.run(LAST).unwrap();
    first.check(LAST);
    let calls = store.calls();
    let (mut faults, mut restarts) = (0, 0);
    for call in 0..calls {
        // One is hidden by another try; three are not; and one after the other is the end of the host.
        let troubled = [1, 3, u64::MAX][call as usize % 3];
        for trouble in [Trouble::Before, Trouble::After] {
            faults += 1;
            restarts += survive(call, troubled, trouble, 200);
        }
    }
    let _ =
        writeln!(std::io::stderr(), "{calls} calls, {faults} faults, {restarts} restarts, nothing lost, nothing twice");
    assert!(calls > 100 && restarts as u64 > calls / 2);
}

/// Whatever is read or made is asked for three times. What there is, which comes first, is asked for once.
#[test]
fn two_failures_in_a_row_are_hidden_and_three_are_not() {
    let store = Store::default();
    // The store that is there already, as a host that comes back finds it.
    store.open(1, 200).unwrap();
    let before = store.calls();
    store.open(2, 200).unwrap();
    let calls = store.calls() - before;
    assert!(calls >= 2, "its marker is read, and tried to be made again: {calls}");
    for call in 1..calls {
        for (troubled, is_opened) in [(1, true), (2, true), (3, false)] {
            let store = store.copy();
            store.set_trouble(call..call + troubled, Trouble::Before);
            let opened = store.open(3, 200);
            assert_eq!(opened.is_ok(), is_opened, "{troubled} failures of the call {call}: {:?}", opened.err());
        }
    }
}

/// While the first host waits for a call, a second one takes over and does `second_last` numbers; then the first one goes on.
fn take_over_at(call: u64, second_last: i64) -> bool {
    let store = Store::default();
    let mut first = world(&store, 200, 1);
    let second = Arc::new(Mutex::new(World { openings: 100, ..world(&store, 200, 1_000) }));
    let taking = second.clone();
    store.set_event(call, move || taking.lock().unwrap().run(second_last).unwrap());
    let result = first.run(LAST);
    let second = second.lock().unwrap();
    let is_ended = result.is_err();
    // It may also miss what the second host has cleaned away.
    let is_expected = match &result {
        Ok(()) | Err(CheckpointError::Fenced { .. } | CheckpointError::InputLost { .. }) => true,
        Err(CheckpointError::Storage(StorageError::NotFound { .. })) => true,
        Err(CheckpointError::File { source: FormatError::Unreadable(error), .. }) => {
            error.kind() == std::io::ErrorKind::NotFound
        }
        Err(_) => false,
    };
    assert!(is_expected, "call {call}: {result:?}");
    assert!(!is_ended || first.acknowledged <= second.found, "call {call}: lost what was acknowledged");
    for (batch, numbers) in &second.sink {
        assert_eq!(first.sink.entry(*batch).or_insert_with(|| numbers.clone()), numbers, "call {call}");
    }
    drop(second);
    first.run(LAST).unwrap();
    first.check(LAST);
    is_ended
}

#[test]
fn a_host_that_wakes_up_after_a_take_over_harms_nothing() {
    let store = Store::default();
    world(&store, 200, 1).run(LAST).unwrap();
    let calls = store.calls();
    let mut ended = 0;
    for call in 0..calls {
        ended += usize::from(take_over_at(call, [1, LAST][call as usize % 2]));
    }
    let _ = writeln!(std::io::stderr(), "{calls} take-overs, {ended} hosts ended, nothing lost, nothing twice");
    assert!(ended > 100);
}

/// What a host makes of a store: the sum and count that it would go on with, if it would.
fn opened(store: &Store) -> Option<(i64, i64)> {
    let storage = Arc::new(store.open(2_000, 200).ok()?);
    let (log, recovered) = Log::open(storage, PIPELINE, "looker", Timestamp(0)).ok()?;
    Some(state(log.archive(), &recovered).unwrap())
}

#[test]
fn objects_that_are_damaged_or_gone_give_no_wrong_state() {
    let store = Store::default();
    let mut world = world(&store, 200, 1);
    world.run(LAST).unwrap();
    // Nothing is cleaned away behind the last snapshot here.
    world.run(LAST + 2).unwrap();
    let (mut tries, mut refused) = (0, 0);
    for name in store.names() {
        let whole = store.get(&name);
        let places = [0, 1, 9, whole.len() / 2, whole.len().saturating_sub(3)];
        let flipped = places.into_iter().filter(|&place| place < whole.len()).map(|place| {
            let mut flipped = whole.clone();
            flipped[place] ^= 4;
            Some(flipped)
        });
        let cut = [None, Some(Vec::new()), Some(whole[..whole.len() / 2].to_vec())];
        let longer = [Some([&whole[..], &whole[..]].concat())];
        for damaged in flipped.chain(cut).chain(longer) {
            let copy = store.copy();
            match damaged {
                Some(content) => copy.put(&name, &content),
                None => copy.delete(&name),
            }
            tries += 1;
            match opened(&copy) {
                Some((sum, count)) => assert_eq!(sum, count * (count + 1) / 2, "{name}"),
                None => refused += 1,
            }
        }
    }
    let _ = writeln!(std::io::stderr(), "{tries} damages, {refused} refused, no wrong state");
    assert!(tries > 100 && (1..tries).contains(&refused));
}

#[test]
fn files_may_lie_in_parts_of_any_length() {
    for part_bytes in [1, 50, 8 << 20] {
        let store = Store::default();
        let mut world = world(&store, part_bytes, 1);
        world.run(LAST).unwrap();
        world.check(LAST);
    }
}
