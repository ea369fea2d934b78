//! Counts words but for those on a list, says how many were dropped, and goes on with that after a restart.

use tidemill_sdk::prelude::*;

/// Which words are dropped.
#[derive(Debug, Parameters)]
struct Dropped {
    /// Words with commas between them.
    #[parameter(name = "blacklist", default = "a,b,c")]
    words: String,
}

/// A word, and whether it is on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record)]
struct Word<'a> {
    word: &'a str,
    dropped: bool,
    kept: bool,
}

/// The words of a line, and which of them are dropped. The counter `dropped-words` says how many that were since the pipeline began.
#[map]
fn split<'a>(context: &Context<Dropped>, line: &'a str) -> Vec<Word<'a>> {
    let blacklist = &context.parameters().words;
    let is_dropped = |word: &str| blacklist.split(',').any(|dropped| dropped == word);
    let words: Vec<Word<'a>> = line.split(' ').map(|word| (word, is_dropped(word))).map(word_of).collect();
    context.count("dropped-words", words.iter().filter(|word| word.dropped).count() as u64);
    words
}

fn word_of((word, dropped): (&str, bool)) -> Word<'_> {
    Word { word, dropped, kept: !dropped }
}

/// The number of dropped words since the pipeline began.
#[update_state]
fn total(new: Values<'_, i64>, total: Option<i64>) -> Option<i64> {
    Some(total.unwrap_or(0) + new.iter().sum::<i64>())
}

/// All counts of a batch in a line.
#[map]
fn counts_line(context: &Context, counts: Vec<Count>) -> String {
    let shown: Vec<String> = counts.iter().map(|Count { word, count }| format!("({word}, {count})")).collect();
    format!("Counts at time {} ms [{}]", context.batch_time().0 / 1_000, shown.join(", "))
}

/// A word that stayed, and how often it came.
#[derive(Clone, Debug, PartialEq, Eq, Record)]
struct Count {
    word: String,
    count: i64,
}

/// The total in a line.
#[map]
fn dropped_line(total: i64) -> String {
    format!("Dropped {total} word(s) totally")
}

plugin!(split, total, counts_line, dropped_line);

#[cfg(test)]
mod tests {
    use tidemill_sdk::testing;

    use super::*;

    #[test]
    fn words_on_the_list_are_dropped_and_counted() -> Result<(), testing::Failed> {
        let kit = testing::Kit::new().parameter("blacklist", "to,or");
        let out = kit.map::<split>(["to be or", "not"])?;
        let dropped: Vec<(&str, bool)> = out.rows().iter().map(|word| (word.word, word.dropped)).collect();
        assert_eq!(dropped, [("to", true), ("be", false), ("or", true), ("not", false)]);
        Ok(())
    }

    #[test]
    fn totals_run_over_batches() -> Result<(), testing::Failed> {
        let mut total = testing::keyed::<total, _>();
        total.batch([("all", 2)])?;
        total.batch([("all", 3)])?;
        assert_eq!(total.states(), [("all", 5)]);
        Ok(())
    }
}
