//! Time-outs that come, change and go between two runs, and first states over a restart.

use std::sync::Arc;

use tidemill_engine::checkpoint::Point;

use super::{
    at,
    world::{AtOnce, Ended, Stop, World},
};

/// Six batches: `a` has rows in the first, `b` in the first two, `c` in the fourth, and each has a first state in the first.
fn text(beside: &str) -> String {
    let batch = |keys: &[&str]| {
        let rows = keys.iter().map(|k| format!("{{ k = \"{k}\", n = 1 }}"));
        format!("[{}]", rows.collect::<Vec<_>>().join(", "))
    };
    let batches = [batch(&["a", "b"]), batch(&["b"]), batch(&[]), batch(&["c"]), batch(&[]), batch(&[])].join(", ");
    format!(
        "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = 2\n\
         [streams.in]\nqueue = {{ schema = \"k: text, n: integer\", batches = [{batches}] }}\n\
         [streams.first]\nqueue = {{ schema = \"k: text, total: integer\", batches = [[{{ k = \"a\", total = 10 }}, {{ k = \"d\", total = 40 }}]] }}\n\
         [streams.out]\nfrom = \"in\"\nby = \"k\"\nupdate-state = \"hostile/farewell\"\nfields = {{ value = \"n\" }}\n\
         initial = \"first\"\n{beside}\n[streams.kept]\nfrom = \"out.state\"\nsort = \"k\"\n[outputs.kept]\nfrom = \"kept\"\nprint = true\n"
    )
}

/// The states behind each batch, where what stands beside the function was `first` until the third batch and is `then` from
/// there on.
fn states(first: &str, then: &str, partitions: (u32, u32)) -> Vec<String> {
    let world = World {
        workers: 1,
        spawn: Arc::new(AtOnce),
        partitions: partitions.0,
        ..World::new(&text(first), "no stream", &[])
    };
    let stop = Stop { point: Point::Deliver, after: true, batch: at(3) };
    assert_eq!(world.run(Some(stop)), Ended::Stopped, "{first}");
    let world = World { text: text(then), partitions: partitions.1, ..world };
    assert_eq!(world.run(None), Ended::Done, "{then}");
    let mut states = vec![String::new(); 6];
    for ((_, time), parts) in world.delivered_until(at(6)) {
        states[(time.0 / 1_000_000) as usize - 1] = parts.concat().join(" ");
    }
    states
}

#[test]
fn a_time_out_may_come_change_and_go() {
    let all = "a 11 b 2 d 40";
    for partitions in [(1, 1), (1, 4), (3, 2)] {
        let check = |first: &str, then: &str, expect: [&str; 6]| {
            assert_eq!(states(first, then, partitions), expect, "{first:?} {then:?} {partitions:?}");
        };
        let (one, three) = ("idle-timeout = \"1s\"", "idle-timeout = \"3s\"");
        check("", "", ["a 11 b 1 d 40", all, all, "a 11 b 2 c 1 d 40", "a 11 b 2 c 1 d 40", "a 11 b 2 c 1 d 40"]);
        check(one, one, ["a 11 b 1 d 40", all, "b 2", "c 1", "c 1", ""]);
        // With a longer one what had rows when is known all the same.
        check(three, one, ["a 11 b 1 d 40", all, all, "c 1", "c 1", ""]);
        check(one, three, ["a 11 b 1 d 40", all, "b 2", "b 2 c 1", "b 2 c 1", "c 1"]);
        // Keys of which it is not known have had rows in the first batch with a time-out.
        check("", one, ["a 11 b 1 d 40", all, all, "a 11 b 2 c 1 d 40", "a 11 b 2 c 1 d 40", ""]);
        check(one, "", ["a 11 b 1 d 40", all, "b 2", "b 2 c 1", "b 2 c 1", "b 2 c 1"]);
    }
}

/// Where a time-out has gone, what was known of it goes with it: when it comes back, keys begin anew.
#[test]
fn a_time_out_that_comes_back_begins_anew() {
    let world =
        World { workers: 1, spawn: Arc::new(AtOnce), ..World::new(&text("idle-timeout = \"1s\""), "no stream", &[]) };
    let stop = |batch| Some(Stop { point: Point::Deliver, after: true, batch: at(batch) });
    assert_eq!(world.run(stop(1)), Ended::Stopped);
    let world = World { text: text(""), ..world };
    assert_eq!(world.run(stop(4)), Ended::Stopped);
    let world = World { text: text("idle-timeout = \"1s\""), ..world };
    assert_eq!(world.run(None), Ended::Done);
    let newest: Vec<String> =
        world.delivered_until(at(6)).into_values().map(|parts| parts.concat().join(" ")).collect();
    assert_eq!(newest[3..], ["a 11 b 2 c 1 d 40"; 3], "not one of them has been idle for long enough");
}
