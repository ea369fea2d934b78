//! Counts words. One function of each kind: change them, or write others beside them.
//!
//! A function is called for each row, or for each key; batches and columns are the SDK's business. It has no clock, no
//! network and no files: the same rows give the same rows.

use tidemill_sdk::prelude::*;

/// A row of the stream that `split` makes: a field for each field of the struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record)]
pub struct Word<'a> {
    pub word: &'a str,
    pub count: i64,
}

/// The words of a line. A map gives any number of rows for each row.
#[map]
pub fn split(line: &str) -> impl Iterator<Item = Word<'_>> {
    words(line).map(|word| Word { word, count: 1 })
}

/// The sum of a key's values in a batch. A reduce makes one value of two.
#[reduce(inverse = |whole, part| whole - part)]
pub fn sum(a: i64, b: i64) -> i64 {
    a + b
}

/// The sum of a key's values since the pipeline began: from a key's new values and what was kept for it to what is
/// kept from now on. `None` would forget the key.
#[update_state]
pub fn running_total(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    Some(total.unwrap_or(0) + new.iter().sum::<i64>())
}

/// What is printed of a word. An output makes of rows what a sink takes.
#[output]
pub fn sentence(word: &str, count: i64) -> String {
    format!("{word}: {count} so far")
}

plugin!(split, sum, running_total, sentence);

#[cfg(test)]
mod tests {
    use tidemill_sdk::testing;

    use super::*;

    #[test]
    fn lines_become_words() {
        let out = testing::map::<split>(["to be or", "", "not"]);
        let words: Vec<&str> = out.rows().iter().map(|row| row.word).collect();
        assert_eq!(words, ["to", "be", "or", "not"]);
        assert_eq!(out.origins(), [0, 0, 0, 2]);
    }

    #[test]
    fn counts_are_added_up() {
        let out = testing::reduce::<sum, _>([("be", 1), ("to", 1), ("be", 2)]);
        assert_eq!(out.rows(), [("be", 3), ("to", 1)]);
    }

    #[test]
    fn totals_grow_from_batch_to_batch() {
        let mut totals = testing::keyed::<running_total, &str>();
        totals.batch([("be", 1), ("to", 1)]).expect("the first batch");
        totals.batch([("be", 2)]).expect("the second batch");
        assert_eq!(totals.state(&"be"), Some(3));
        assert_eq!(totals.state(&"to"), Some(1));
    }

    #[test]
    fn sentences_are_for_people() {
        let out = testing::map::<sentence>([("be", 3)]);
        assert_eq!(out.rows(), ["be: 3 so far"]);
    }
}
