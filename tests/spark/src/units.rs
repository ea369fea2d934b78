//! Single facts that concern streams. README.md says where the others are.

use serde_json::json;
use tidemill_model::time::{Interval, Timestamp};

use super::*;

fn millis(millis: i64) -> Timestamp {
    Timestamp(millis * 1_000)
}

fn interval(millis: i64) -> Interval {
    Interval::try_new(millis * 1_000).unwrap()
}

#[test]
fn the_first_tick_is_the_next_multiple() {
    assert_eq!(interval(1_000).tick_after(millis(1_250)), millis(2_000));
    assert_eq!(interval(1_000).tick_after(millis(2_000)), millis(3_000));
}

#[test]
fn slides_are_multiples() {
    for (slide, is_tick) in [(5, true), (1_000, true), (1, true), (6, false)] {
        assert_eq!(interval(slide).is_tick(millis(1_000)), is_tick, "{slide}");
    }
}

/// The squares of 1 to 99, as the sum of a batch.
#[test]
fn squares_are_summed() {
    let squares: Vec<u64> = (1..100).map(|v| v * v).collect();
    let case = json!([{
        "id": "squares", "params": { "batch_interval_ms": 1000, "input_partitions": 4 },
        "pipeline": [{ "op": "reduce", "fn": "add" }],
        "input_batches": [squares], "expected_output_batches": [[328_350]],
    }]);
    let (_, case) = case::read(&case.to_string()).unwrap().remove(0);
    check(&case.unwrap(), &modes(), tests::named()).unwrap();
}
