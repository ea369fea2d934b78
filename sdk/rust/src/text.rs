//! Words of a text, found 64 bytes at a time. The other of the two modules with `unsafe`.

use crate::buffer::memory_end;

/// The words of `text`: what lies between ASCII white space, never empty, as `str::split_ascii_whitespace` finds them, but
/// several times faster in a guest. White space outside ASCII, like U+00A0, does not separate words.
///
/// ```
/// let words: Vec<&str> = tidemill_sdk::text::words("to be,  or\tnot\n").collect();
/// assert_eq!(words, ["to", "be,", "or", "not"]);
/// ```
#[inline]
pub fn words(text: &str) -> Words<'_> {
    Words { text, at: 0, start: 0, starts: 0, ends: 0, open: false, memory_end: memory_end() }
}

/// The iterator of [`words`].
#[derive(Clone, Debug)]
pub struct Words<'a> {
    text: &'a str,
    /// Where the next block starts.
    at: usize,
    /// Where the next word starts, if it starts in a block before `at`.
    start: usize,
    /// The starts of words after it, and the ends of words, in the block before `at`. Bit i is byte i of it.
    starts: u64,
    ends: u64,
    /// Whether the block before `at` ends inside a word.
    open: bool,
    memory_end: usize,
}

/// Bytes of a block.
const BLOCK: usize = 64;

impl<'a> Words<'a> {
    /// Finds the starts and ends in the next block.
    #[inline(always)]
    fn next_block(&mut self) {
        let spaces = spaces_at(self.text.as_bytes(), self.at, self.memory_end);
        let after_space = spaces << 1 | u64::from(!self.open);
        self.starts = !spaces & after_space;
        self.ends = spaces & !after_space;
        self.at += BLOCK;
        if !self.open {
            self.next_start();
        }
        self.open = spaces >> (BLOCK - 1) == 0;
    }

    /// Where there is no start left, this is the next block's, and is found again there.
    #[inline(always)]
    fn next_start(&mut self) {
        self.start = self.at - BLOCK + self.starts.trailing_zeros() as usize;
        self.starts &= self.starts.wrapping_sub(1);
    }

    /// The word that ends first in this block. There is one.
    #[inline(always)]
    fn take_word(&mut self) -> &'a str {
        let end = self.at - BLOCK + self.ends.trailing_zeros() as usize;
        self.ends &= self.ends - 1;
        let word = self.word(end);
        self.next_start();
        word
    }

    /// From the start of the next word to `end`.
    #[inline(always)]
    fn word(&self, end: usize) -> &'a str {
        debug_assert!(self.start < end && end <= self.text.len(), "a word lies in its text");
        // SAFETY: starts and ends are bits of a block's mask and take turns, beginning with a start; bits beyond the text
        // are all white space. So start < end <= text.len(). ASCII white space or an end of the text stands before the
        // one and at the other, so both are boundaries of characters.
        unsafe { self.text.get_unchecked(self.start..end) }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        loop {
            if self.ends != 0 {
                return Some(self.take_word());
            }
            if self.at >= self.text.len() {
                return std::mem::take(&mut self.open).then(|| self.word(self.text.len()));
            }
            self.next_block();
        }
    }

    /// What `for_each` and its like use: the masks of a block stay in registers.
    #[inline]
    fn fold<B, F: FnMut(B, &'a str) -> B>(mut self, initial: B, mut f: F) -> B {
        let mut result = initial;
        loop {
            while self.ends != 0 {
                result = f(result, self.take_word());
            }
            if self.at >= self.text.len() {
                return if self.open { f(result, self.word(self.text.len())) } else { result };
            }
            self.next_block();
        }
    }
}

impl std::iter::FusedIterator for Words<'_> {}

/// The white space of the block at `at`, which is below `bytes.len()`: bit i is byte i. Bits beyond the text are set.
#[inline(always)]
fn spaces_at(bytes: &[u8], at: usize, memory_end: usize) -> u64 {
    let rest = &bytes[at..];
    if let Some(block) = rest.first_chunk::<BLOCK>() {
        return spaces(block);
    }
    let beyond = !0 << rest.len();
    if cfg!(target_arch = "wasm32") && memory_end - rest.as_ptr().addr() >= BLOCK {
        // SAFETY: the 64 bytes lie before the end of linear memory, every byte of which can be read.
        return beyond | spaces(unsafe { &*rest.as_ptr().cast::<[u8; BLOCK]>() });
    }
    beyond | spaces_of_copy(rest)
}

/// The white space of less than a block behind which nothing may be read. A function of its own: see `Slices::push_slowly`.
#[cold]
#[inline(never)]
fn spaces_of_copy(rest: &[u8]) -> u64 {
    let mut block = [b' '; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    spaces(&block)
}

/// The ASCII white space of a block: tab, line feed, form feed, carriage return, space.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn spaces(block: &[u8; BLOCK]) -> u64 {
    use core::arch::wasm32::{
        i8x16_eq, u8x16_bitmask, u8x16_le, u8x16_splat, u8x16_sub, v128, v128_andnot, v128_load, v128_or,
    };
    let mask = |quarter: usize| {
        let bytes = block[quarter * 16..].as_ptr().cast::<v128>();
        // SAFETY: `quarter` is below 4, so 16 bytes of the block stand there; a v128 load needs no alignment.
        let bytes = unsafe { v128_load(bytes) };
        let control = u8x16_le(u8x16_sub(bytes, u8x16_splat(b'\t')), u8x16_splat(b'\r' - b'\t'));
        let control = v128_andnot(control, i8x16_eq(bytes, u8x16_splat(0x0b)));
        u64::from(u8x16_bitmask(v128_or(i8x16_eq(bytes, u8x16_splat(b' ')), control))) << (quarter * 16)
    };
    mask(0) | mask(1) | mask(2) | mask(3)
}

/// The ASCII white space of a block, on any machine.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn spaces(block: &[u8; BLOCK]) -> u64 {
    block.iter().rev().fold(0, |mask, byte| mask << 1 | u64::from(byte.is_ascii_whitespace()))
}

#[cfg(test)]
#[path = "../tests/sdk/cases.rs"]
mod cases;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str) {
        let expect: Vec<&str> = text.split_ascii_whitespace().collect();
        assert_eq!(words(text).collect::<Vec<_>>(), expect, "{text:?}");
        let mut folded = Vec::new();
        words(text).for_each(|word| folded.push(word));
        assert_eq!(folded, expect, "{text:?} folded");
        let mut halfway = words(text);
        let first = halfway.next();
        let rest = first.into_iter().chain(halfway).collect::<Vec<_>>();
        assert_eq!(rest, expect, "{text:?} after the first word");
    }

    #[test]
    fn words_may_lie_anywhere_in_a_block() {
        for length in [0, 1, 2, 62, 63, 64, 65, 127, 128, 129, 200] {
            check(&"a".repeat(length));
            check(&" ".repeat(length));
            check(&"a ".repeat(length));
            for place in 0..length {
                let (before, after) = ("a".repeat(place), "b".repeat(length - place));
                check(&format!("{before} {after}"));
                check(&format!("{}x{}", " ".repeat(place), "\n".repeat(length - place)));
            }
        }
    }

    #[test]
    fn only_ascii_white_space_separates() {
        check("\t\n\x0c\r a\x0bb\x1cc \u{85}d\u{a0}e\u{2003}f ");
        let mut done = words("a");
        assert_eq!((done.next(), done.next(), done.next()), (Some("a"), None, None));
    }

    proptest! {
        #![proptest_config(cases::cases(256))]

        #[test]
        fn words_are_those_of_the_standard_library(text in "([a-zé\u{1F600}]{0,20}[ \t\n\u{a0}]{0,3}){0,30}") {
            check(&text);
        }
    }
}
