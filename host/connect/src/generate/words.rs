//! Lines of words. The word of rank r is 1/r times as frequent as the first, and frequent words are short.

use std::collections::HashSet;

use super::Random;

/// Words of a line.
const WORDS_PER_LINE: usize = 10;

/// A word, the space behind it, and in the last byte the length of both: copied whole, which is faster than to measure.
type Entry = [u8; 32];

const WORD_BYTES_MAX: usize = 30;

/// A vocabulary, with a table to draw from it in one step (Walker's alias method).
#[derive(Clone, Debug)]
pub(super) struct Words {
    entries: Vec<Entry>,
    /// For each word: how much of its place is its own (of 2^32), and whose the rest is.
    shares: Vec<(u32, u32)>,
}

impl Words {
    pub fn new(words: usize, random: &mut Random) -> Words {
        let mut seen = HashSet::with_capacity(words);
        let entries = (0..words).map(|rank| new_word(rank, random, &mut seen)).collect();
        Words { entries, shares: alias_table(words) }
    }

    pub fn append_line(&self, random: &mut Random, out: &mut Vec<u8>) {
        out.reserve(WORDS_PER_LINE * size_of::<Entry>());
        for _ in 0..WORDS_PER_LINE {
            let bits = random.bits();
            let place = (((bits >> 32) * self.shares.len() as u64) >> 32) as usize;
            let (own, other) = self.shares[place];
            let word = if (bits as u32) < own { place } else { other as usize };
            let entry = &self.entries[word];
            let end = out.len() + usize::from(entry[31]);
            out.extend_from_slice(entry);
            out.truncate(end);
        }
        // The last space.
        out.pop();
    }
}

/// A word that is not there yet. Its length is about 2.75 and 0.43 more each time the rank doubles.
fn new_word(rank: usize, random: &mut Random, seen: &mut HashSet<Entry>) -> Entry {
    let rank = rank as u64 + 1;
    let doubled = u64::from(rank.ilog2());
    // Hundredths of a letter; in whole numbers, because logarithms of floats differ between machines.
    let mean = 275 + 43 * doubled + 43 * (rank - (1 << doubled)) / (1 << doubled);
    let mut tries = 0;
    loop {
        let len = ((mean * (500 + random.below(1_000)) + 50_000) / 100_000) as usize;
        let len = (len.clamp(1, 24) + tries / 20).min(WORD_BYTES_MAX);
        let mut entry = [0; 32];
        for letter in &mut entry[..len] {
            *letter = b'a' + random.below(26) as u8;
        }
        entry[len] = b' ';
        entry[31] = len as u8 + 1;
        if seen.insert(entry) {
            return entry;
        }
        tries += 1;
    }
}

/// Cuts the frequencies into equal places, each shared by at most two words.
fn alias_table(words: usize) -> Vec<(u32, u32)> {
    let sum: f64 = (1..=words).map(|rank| 1.0 / rank as f64).sum();
    let mut left: Vec<f64> = (1..=words).map(|rank| words as f64 / (rank as f64 * sum)).collect();
    let mut shares: Vec<(u32, u32)> = (0..words as u32).map(|word| (u32::MAX, word)).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..words).rev().partition(|&word| left[word] < 1.0);
    while let (Some(&less), Some(&more)) = (small.last(), large.last()) {
        small.pop();
        shares[less] = ((left[less] * 4_294_967_296.0) as u32, more as u32);
        left[more] -= 1.0 - left[less];
        if left[more] < 1.0 {
            large.pop();
            small.push(more);
        }
    }
    shares
}
