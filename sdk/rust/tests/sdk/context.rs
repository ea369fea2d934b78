//! What a function sees of its surroundings, and what it can tell.

use tidemill_sdk::{log::Level, prelude::*, testing::Kit};

#[map]
fn surroundings(context: &Context, _word: &str) -> String {
    let watermark = context.watermark().map_or(-1, |time| time.millis());
    format!(
        "{} {} {watermark} {}/{} {:?}",
        context.batch_time().millis(),
        context.interval_micros(),
        context.partition(),
        context.partitions(),
        context.parameter("limit")
    )
}

#[map]
fn noisy(context: &Context, number: i64) -> Option<i64> {
    if number > 9 {
        warn!("{number} is too large");
        context.count("too-large", 1);
        return None;
    }
    context.count("good", number.unsigned_abs());
    info!("one");
    Some(number)
}

#[test]
fn a_function_sees_its_call() {
    let kit = Kit::new();
    assert_eq!(kit.map::<surroundings>(["a"]).unwrap().rows(), ["0 1000000 -1 0/1 None"]);
    let kit = kit.batch_time(Timestamp::from_millis(5_000)).interval_micros(5_000_000).partition(2, 4);
    let kit = kit.watermark(Timestamp::from_millis(-7)).parameter("limit", "8").parameter("a", "b");
    assert_eq!(kit.map::<surroundings>(["a"]).unwrap().rows(), ["5000 5000000 -7 2/4 Some(\"8\")"]);
}

#[test]
fn lines_and_counters_are_kept() {
    let out = Kit::new().map::<noisy>([1, 10, 4]).unwrap();
    assert_eq!(out.rows(), [1, 4]);
    let lines: Vec<_> = out.noted().lines.iter().map(|(level, line)| (*level, line.as_str())).collect();
    assert_eq!(lines, [(Level::Info, "one"), (Level::Warn, "10 is too large"), (Level::Info, "one")]);
    let counters: Vec<_> = out.noted().counters.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counters, [("good", 5), ("too-large", 1)]);
}
