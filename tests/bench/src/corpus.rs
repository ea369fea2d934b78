//! Text to count: lines of ten words, vocabularies after Zipf, always the same.

use tidemill_connect::generate::{GenerateKind, Generator};

/// Words of a line.
pub const WORDS_A_LINE: usize = 10;

/// About 20 M words by default.
pub struct Corpus {
    /// Lines with their ends.
    pub text: Vec<u8>,
    /// Words in it.
    pub words: usize,
}

impl Corpus {
    /// `words` words of a vocabulary.
    pub fn new(words: usize, vocabulary: usize) -> Corpus {
        let mut generator = Generator::with_vocabulary(GenerateKind::Words, 1, vocabulary);
        let mut text = Vec::with_capacity(words * 8);
        for _ in 0..words / WORDS_A_LINE {
            generator.append_line(&mut text);
        }
        Corpus { text, words: words / WORDS_A_LINE * WORDS_A_LINE }
    }
}
