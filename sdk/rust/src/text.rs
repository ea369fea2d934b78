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
    Words { text, at: 0, starts: 0, ends: 0, open: None, memory_end: memory_end() }
}

/// The iterator of [`words`].
#[derive(Clone, Debug)]
pub struct Words<'a> {
    text: &'a str,
    /// Where the next block starts.
    at: usize,
    /// The starts and ends of words in the block before `at` that have not been returned. Bit i is byte i of it.
    starts: u64,
    ends: u64,
    /// The start of a word that has not ended before this block.
    open: Option<usize>,
    memory_end: usize,
}

/// Bytes of a block.
const BLOCK: usize = 64;

impl<'a> Words<'a> {
    /// Finds the starts and ends in the next block.
    #[inline(always)]
    fn next_block(&mut self) {
        let spaces = spaces_at(self.text.as_bytes(), self.at, self.memory_end);
        let outside_before = u64::from(self.open.is_none());
        let after_space = spaces << 1 | outside_before;
        self.starts = !spaces & after_space;
        self.ends = spaces & !after_space;
        self.at += BLOCK;
    }

    /// The word that ends first in this block.
    #[inline(always)]
    fn take_word(&mut self) -> &'a str {
        let block = self.at - BLOCK;
        let end = block + self.ends.trailing_zeros() as usize;
        self.ends &= self.ends - 1;
        let start = self.open.take().unwrap_or_else(|| {
            let start = block + self.starts.trailing_zeros() as usize;
            self.starts &= self.starts.wrapping_sub(1);
            start
        });
        self.word(start, end)
    }

    /// A word that has not ended in this block goes on in the next.
    #[inline(always)]
    fn keep_open(&mut self) {
        if self.starts != 0 {
            self.open = Some(self.at - BLOCK + self.starts.trailing_zeros() as usize);
            self.starts = 0;
        }
    }

    #[inline(always)]
    fn word(&self, start: usize, end: usize) -> &'a str {
        debug_assert!(start < end && end <= self.text.len(), "a word lies in its text");
        // SAFETY: `start` and `end` are places of bits of a block's mask, whose bits beyond the text are all white
        // space, so that start <= end <= text.len(). ASCII white space and the text's ends stand at both, so that they
        // are boundaries of characters.
        unsafe { self.text.get_unchecked(start..end) }
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
            self.keep_open();
            if self.at >= self.text.len() {
                return self.open.take().map(|start| self.word(start, self.text.len()));
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
            self.keep_open();
            if self.at >= self.text.len() {
                return match self.open {
                    Some(start) => f(result, self.word(start, self.text.len())),
                    None => result,
                };
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
    let mut block = [b' '; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    beyond | spaces(&block)
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
