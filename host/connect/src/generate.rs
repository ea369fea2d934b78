//! Made-up lines, the same for the same seed on every machine: for `generate` sources and `tidemill generate`.
//!
//! | kind | a line |
//! |--|--|
//! | words | ten words of a vocabulary of 100,000 whose frequencies follow Zipf's law; about 73 bytes |
//! | orders | `{"order_id": "<32 hex digits>", "status": "PLACED"}`, or INPROGRESS, COMPLETED, CANCELLED |
//! | points | `12.5 -3.07`; some lie on an axis or at the origin, two of a hundred are no points |
//! | activity | `{"user_id": 1000, "activity": "profile.view"}`, users 1000 to 101000 |

mod position;
mod random;
mod records;
mod settings;
mod source;
#[cfg(test)]
mod source_tests;
mod words;

pub use settings::{GENERATE, GenerateKind, GenerateSource};
pub(crate) use source::GeneratedSource;

use random::Random;
use words::Words;

/// How many different words there are, unless it is said.
pub const VOCABULARY: usize = 100_000;

/// The seed, unless it is said: for sources and `tidemill generate` alike.
pub const SEED: u64 = 0;

/// The largest vocabulary: 320 MB.
pub const VOCABULARY_MAX: usize = 10_000_000;

/// Makes lines.
#[derive(Clone, Debug)]
pub struct Generator {
    random: Random,
    lines: Lines,
}

#[derive(Clone, Debug)]
enum Lines {
    Words(Words),
    Orders,
    Points,
    Activity,
}

impl Generator {
    /// Lines of `kind`.
    pub fn new(kind: GenerateKind, seed: u64) -> Generator {
        Generator::with_vocabulary(kind, seed, VOCABULARY)
    }

    /// The same with so many words, at least one and at most [`VOCABULARY_MAX`]; only [`GenerateKind::Words`] has any.
    pub fn with_vocabulary(kind: GenerateKind, seed: u64, words: usize) -> Generator {
        let mut random = Random::new(seed);
        let lines = match kind {
            GenerateKind::Words => Lines::Words(Words::new(words.clamp(1, VOCABULARY_MAX), &mut random)),
            GenerateKind::Orders => Lines::Orders,
            GenerateKind::Points => Lines::Points,
            GenerateKind::Activity => Lines::Activity,
        };
        Generator { random, lines }
    }

    /// Where it stands: the lines to come depend on it, the kind, the vocabulary and the seed.
    fn random_state(&self) -> u64 {
        self.random.state()
    }

    /// Goes to where a generator of the same kind, vocabulary and seed stood.
    fn set_random_state(&mut self, state: u64) {
        self.random = Random::new(state);
    }

    /// Appends the next line and its LF.
    pub fn append_line(&mut self, out: &mut Vec<u8>) {
        match &self.lines {
            Lines::Words(words) => words.append_line(&mut self.random, out),
            Lines::Orders => records::append_order(&mut self.random, out),
            Lines::Points => records::append_point(&mut self.random, out),
            Lines::Activity => records::append_activity(&mut self.random, out),
        }
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use std::collections::HashMap;

    use super::*;

    fn lines(kind: GenerateKind, seed: u64, words: usize, count: usize) -> Vec<String> {
        let mut generator = Generator::with_vocabulary(kind, seed, words);
        let mut out = Vec::new();
        (0..count).for_each(|_| generator.append_line(&mut out));
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    /// These lines are a promise: benchmarks and goldens are made of them.
    #[test]
    fn the_same_seed_gives_the_same_lines_everywhere() {
        use GenerateKind::{Activity, Orders, Points, Words};
        let firsts = [Words, Orders, Points, Activity].map(|kind| lines(kind, 7, 1_000, 2));
        assert_eq!(firsts.concat(), EXPECTED);
        assert_ne!(lines(Words, 8, 1_000, 2), firsts[0]);
    }

    const EXPECTED: [&str; 8] = [
        "ax lgm sbd ax phner lgm pbyf lgm zvy xwwow",
        "tgmcfpsd ax pbyf lgm gaaidyddr xwwow vtsvwf idvalmpl jqf ybkxkz",
        r#"{"order_id": "63cbe1e459320dd7044c3cd7f43c661c", "status": "CANCELLED"}"#,
        r#"{"order_id": "953aeb70673e29cb73d33b666a1e21da", "status": "PLACED"}"#,
        "-1.68 58.3",
        "46.8 13.43",
        r#"{"user_id": 39983, "activity": "profile.picture.like"}"#,
        r#"{"user_id": 91076, "activity": "profile.view"}"#,
    ];

    #[test]
    fn words_follow_zipf() {
        let lines = lines(GenerateKind::Words, 1, 1_000, 20_000);
        let mut counts = HashMap::new();
        for line in &lines {
            assert_eq!(line.split(' ').count(), 10);
            line.split(' ').for_each(|word| *counts.entry(word).or_insert(0_u32) += 1);
        }
        let mut counts: Vec<_> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        // The sum of 1/rank up to 1,000 is 7.485, so the first word has 26,700 of 200,000 places.
        assert!((25_500..28_000).contains(&counts[0]), "{}", counts[0]);
        assert!((2_300..3_100).contains(&counts[9]), "{}", counts[9]);
        assert!(counts.len() > 990, "{}", counts.len());
        for words in [1, 2, 30] {
            assert_eq!(super::tests::lines(GenerateKind::Words, 1, words, 3).len(), 3);
        }
    }

    #[test]
    fn orders_and_activity_are_json() {
        for line in lines(GenerateKind::Orders, 1, 1, 100) {
            let order: serde_json::Value = serde_json::from_str(&line).unwrap();
            let id = order["order_id"].as_str().unwrap();
            assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()), "{line}");
            let status = order["status"].as_str().unwrap();
            assert!(["PLACED", "INPROGRESS", "COMPLETED", "CANCELLED"].contains(&status), "{line}");
        }
        for line in lines(GenerateKind::Activity, 1, 1, 100) {
            let activity: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!((1_000..=101_000).contains(&activity["user_id"].as_i64().unwrap()), "{line}");
        }
    }

    #[test]
    fn points_lie_everywhere_and_some_are_bad() {
        let mut kinds: HashMap<(i8, i8), u32> = HashMap::new();
        let mut bad = 0;
        for line in lines(GenerateKind::Points, 1, 1, 5_000) {
            let numbers: Vec<f64> = line.split(' ').filter_map(|part| part.parse().ok()).collect();
            match numbers[..] {
                [x, y] if line.split(' ').count() == 2 => {
                    let sign = |v: f64| if v == 0.0 { 0 } else { v.signum() as i8 };
                    *kinds.entry((sign(x), sign(y))).or_default() += 1;
                }
                _ => bad += 1,
            }
        }
        assert_eq!(kinds.len(), 9, "{kinds:?}");
        assert!((60..150).contains(&bad), "{bad}");
    }
}
