//! Which mutants are drawn by a seed.

use super::mutant::Mutant;

/// Draws `count` of the mutants, or all if there are not so many; the same ones for the same seed.
pub fn draw(mutants: &[&Mutant], seed: u64, count: usize) -> Vec<Mutant> {
    let mut left: Vec<&Mutant> = mutants.to_vec();
    let mut numbers = SplitMix(seed);
    let mut drawn = Vec::new();
    while drawn.len() < count && !left.is_empty() {
        let at = numbers.below(left.len());
        drawn.push(left.swap_remove(at).clone());
    }
    drawn
}

/// The generator SplitMix64: it gives the same numbers for ever.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::mutant::{Identity, Kind};

    fn mutant(number: u32) -> Mutant {
        let (file, function, change) = ("a.rs".to_owned(), "a".to_owned(), "x -> y".to_owned());
        let identity = Identity { file, function, kind: Kind::Body, change, ordinal: number as usize };
        Mutant { number, identity, line: 1, column: 1, after: "y".to_owned(), function_hash: 0 }
    }

    #[test]
    fn the_generator_gives_its_known_numbers() {
        let mut numbers = SplitMix(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| numbers.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_seed_draws_each_once_and_always_the_same() {
        let mutants: Vec<Mutant> = (0..50).map(mutant).collect();
        let all: Vec<&Mutant> = mutants.iter().collect();
        let numbers = |seed, count| draw(&all, seed, count).iter().map(|mutant| mutant.number).collect::<Vec<_>>();
        assert_eq!(numbers(1, 10), numbers(1, 10));
        assert_ne!(numbers(1, 10), numbers(2, 10));
        assert_eq!(numbers(1, 20)[..10], numbers(1, 10), "more are drawn behind those");
        let mut every = numbers(3, 100);
        every.sort();
        assert_eq!(every, (0..50).collect::<Vec<u32>>());
    }
}
