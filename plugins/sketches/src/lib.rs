//! Sketches: what a small, mergeable summary says of a stream, to be compared with what is exact. Each is a reduce in three
//! phases: rows are added to a sketch, sketches of partitions and batches are merged, and a result is read out of the whole.

use tidemill_sdk::prelude::*;

mod count_min;
mod hyper_log_log;

use count_min::CountMin;
use hyper_log_log::Registers;

/// A value that comes often, and how often: never less than it really does.
#[derive(Clone, Debug, PartialEq, Eq, Record)]
struct Hitter {
    value: String,
    count: i64,
}

/// The values that are one of a hundred rows or more, by a count-min sketch; the most frequent first.
#[reduce(create = CountMin::of, merge = |a, b| a.merge(&b), finish = |sketch| hitters(&sketch))]
fn heavy_hitters(sketch: &mut CountMin, value: &str) {
    sketch.add(value);
}

fn hitters(sketch: &CountMin) -> Hitters {
    let hitters = sketch.hitters().into_iter().map(|(value, count)| Hitter { value, count });
    Hitters { rows: sketch.rows, hitters: hitters.collect() }
}

/// The rows that there were, and the values among them that come often.
#[derive(Clone, Debug, PartialEq, Eq, Record)]
struct Hitters {
    rows: i64,
    hitters: Vec<Hitter>,
}

/// The hitters, a row each.
#[map]
fn each(hitters: Vec<Hitter>) -> Vec<Hitter> {
    hitters
}

/// About how many different values there are, by HyperLogLog.
#[reduce(create = Registers::of, merge = |a, b| a.merge(&b), finish = |all| all.estimate())]
fn different(all: &mut Registers, value: &str) {
    all.add(value);
}

/// A number of 64 bits for a value, the same on every machine: FNV-1a, then mixed by splitmix64's finisher.
fn hash(value: &str, seed: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed;
    let fnv = value.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let first = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let second = (first ^ (first >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    second ^ (second >> 31)
}

plugin!(heavy_hitters, each, different);

#[cfg(test)]
mod tests {
    use tidemill_sdk::testing;

    use super::*;

    #[test]
    fn sketches_of_parts_are_merged() {
        let words = (0..2_000).map(|n| ("all", if n % 5 == 0 { "often".to_owned() } else { format!("word {n}") }));
        let words: Vec<(&str, String)> = words.collect();
        let rows = || words.iter().map(|(all, word)| (*all, word.as_str()));
        let hitters = testing::reduce::<heavy_hitters, _>(rows()).rows::<Hitters>();
        assert_eq!(hitters[0].1.rows, 2_000);
        assert_eq!(hitters[0].1.hitters[0], Hitter { value: "often".to_owned(), count: 400 });
        let different = testing::reduce::<different, _>(rows()).rows::<i64>();
        assert!((1_550..1_650).contains(&different[0].1), "{different:?}");
    }
}
