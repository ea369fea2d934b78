//! Counts words: per batch, and for ever.

use tidemill_sdk::prelude::*;

/// A word that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record)]
struct Word<'a> {
    word: &'a str,
    count: i64,
}

/// The words of a line, each counted once. White space separates words.
#[map]
fn split(line: &str) -> impl Iterator<Item = Word<'_>> {
    words(line).map(|word| Word { word, count: 1 })
}

/// The words of a line, each counted once. A single space separates words: two spaces have an empty word between them.
#[map]
fn split_spaces(line: &str) -> impl Iterator<Item = Word<'_>> {
    line.split(' ').map(|word| Word { word, count: 1 })
}

/// The words of a line, each with its length in bytes. White space separates words.
#[map]
fn lengths(line: &str) -> impl Iterator<Item = Word<'_>> {
    words(line).map(|word| Word { word, count: word.len() as i64 })
}

/// The sum of a key's values.
#[reduce(inverse = |whole, part| whole - part)]
fn sum(a: i64, b: i64) -> i64 {
    a + b
}

/// The sum of a key's values since the pipeline began.
#[update_state]
fn running_total(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    Some(total.unwrap_or(0) + new.iter().sum::<i64>())
}

plugin!(split, split_spaces, lengths, sum, running_total);

#[cfg(test)]
mod tests {
    use tidemill_sdk::testing;

    use super::*;

    #[track_caller]
    fn check<F>(lines: &[&'static str], expect: &[&str])
    where
        F: for<'a> testing::RowsFunction<Input<'a> = &'a str, Output<'a> = Word<'a>>,
    {
        let out = testing::map::<F>(lines.iter().copied());
        let words: Vec<&str> = out.rows().iter().map(|row| row.word).collect();
        assert_eq!(words, expect);
        assert!(out.rows().iter().all(|row| row.count == 1));
    }

    #[test]
    fn white_space_separates_words() {
        check::<split>(&["to be, or", "", "  not\tto  be  "], &["to", "be,", "or", "not", "to", "be"]);
        check::<split>(&[], &[]);
        check::<split>(&["\u{a0}é\u{2003}\n"], &["\u{a0}é\u{2003}"]);
    }

    #[test]
    fn each_word_knows_its_line() {
        assert_eq!(testing::map::<split>(["a b", "", "c", "d e"]).origins(), [0, 0, 2, 3, 3]);
    }

    #[test]
    fn a_single_space_separates_words_even_empty_ones() {
        check::<split_spaces>(&["a  b", "", "c\td "], &["a", "", "b", "", "c\td", ""]);
    }

    #[test]
    fn words_are_summed_and_taken_out_again() -> Result<(), testing::Failed> {
        let whole = testing::reduce::<sum, _>([("to", 1), ("be", 1), ("or", 1), ("not", 1), ("to", 1), ("be", 1)]);
        assert_eq!(whole.rows::<i64>(), [("to", 2), ("be", 2), ("or", 1), ("not", 1)]);
        let part = testing::reduce::<sum, _>([("be", 1), ("not", 1)]);
        assert_eq!(whole.subtract(&part)?.rows::<i64>(), [("to", 2), ("be", 1), ("or", 1), ("not", 0)]);
        Ok(())
    }

    #[test]
    fn totals_run_over_batches() -> Result<(), testing::Failed> {
        let mut totals = testing::keyed::<running_total, _>();
        totals.batch([("to", 1), ("be", 1), ("to", 1)])?;
        totals.batch([])?;
        totals.batch([("be", 5)])?;
        assert_eq!(totals.states(), [("to", 2), ("be", 6)]);
        Ok(())
    }

    #[test]
    fn signatures_are_what_pipelines_bind_to() {
        assert_eq!(testing::signature::<split>(), "split(line: text) -> word: text, count: integer");
        assert_eq!(testing::signature::<split_spaces>(), "split-spaces(line: text) -> word: text, count: integer");
        assert_eq!(testing::signature::<sum>(), "sum(value: integer) [value: integer] -> value: integer invertible");
        assert_eq!(testing::signature::<running_total>(), "running-total(value: integer) [value: integer]");
    }
}
