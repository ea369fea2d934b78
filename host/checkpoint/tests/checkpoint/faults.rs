//! The storage fails, or the machine stops, at every single call.

use std::io::Write;

use proptest::prelude::*;
use tidemill_checkpoint::Fault;
use tidemill_model::testing::cases;

use crate::scene::World;

const LAST: i64 = 14;
const FAULTS: [Fault; 4] = [Fault::Before, Fault::After, Fault::CrashBefore, Fault::CrashAfter];

/// Runs with these faults at these calls, starting again after every error, and gives how often.
fn survive(faults: Vec<(u64, Fault)>, kept: impl Fn(usize) -> usize) -> usize {
    let mut world = World::default();
    let planned = faults.clone();
    world.storage.set_faults(move |call| {
        planned.iter().find(|(number, _)| *number == call.number).map_or(Fault::None, |(_, fault)| *fault)
    });
    while let Err(error) = world.run(LAST) {
        assert!(world.openings <= faults.len() + 1, "{error}: {error:?}");
        if world.storage.is_down() {
            world.storage.restart(|_, unsynced| kept(unsynced));
        }
    }
    world.storage.clear_faults();
    world.check(LAST);
    world.openings - 1
}

#[test]
fn every_call_may_fail_before_and_after_its_effect() {
    let mut world = World::default();
    world.run(LAST).unwrap();
    world.check(LAST);
    let calls = world.storage.calls();
    assert_eq!(world.deliveries, world.sink.len());
    let mut restarts = 0;
    for call in 0..calls {
        for fault in FAULTS {
            for kept in [0, 1, 2] {
                restarts += survive(vec![(call, fault)], |unsynced| unsynced * kept / 2);
            }
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "{calls} calls, {} faults, {restarts} restarts, nothing lost, nothing twice",
        calls * 12
    );
    assert!(calls > 100 && restarts as u64 > calls * 6);
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn many_faults_in_one_run(faults in prop::collection::vec((0..400_u64, 0..4_usize), 1..12), kept in 0..4_usize) {
        survive(faults.into_iter().map(|(call, fault)| (call, FAULTS[fault])).collect(), |bytes| bytes * kept / 3);
    }
}
