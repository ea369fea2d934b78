//! Words of a stream and what they say of its mood: counted, and weighed by a static list of words.

use std::collections::BTreeMap;

use tidemill_sdk::prelude::*;

/// A word that was met.
#[derive(Clone, Debug, PartialEq, Eq, Record)]
struct Counted {
    word: String,
    count: i64,
}

/// A word of the list.
#[derive(Clone, Debug, PartialEq, Eq, Record)]
struct Scored<'a> {
    word: &'a str,
    score: i64,
}

/// The list of words.
#[derive(Debug, Parameters)]
struct Lists {
    /// What each word says, from -5 to 5.
    #[shared]
    scores: BTreeMap<String, i64>,
}

/// The words of a line in small letters, each counted once, without what stands around them.
#[map]
fn split(line: &str) -> impl Iterator<Item = Counted> {
    let plain = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    words(line).map(plain).filter(|word| !word.is_empty()).map(|word| Counted { word, count: 1 })
}

/// A word of the list and its score, from a line with both.
#[map]
fn scored(line: &str) -> Result<Scored<'_>, String> {
    let (word, score) = line.rsplit_once([' ', '\t']).ok_or("it is no word and score")?;
    Ok(Scored { word: word.trim(), score: score.parse().map_err(|_| format!("`{score}` is no score"))? })
}

/// The sum of a word's counts.
#[reduce(inverse = |whole, part| whole - part)]
fn sum(a: i64, b: i64) -> i64 {
    a + b
}

/// All that a word says: its score, as often as it was counted. Words that are not in the list say nothing.
#[map]
fn sentiment(context: &Context<Lists>, word: &str, count: i64) -> Option<i64> {
    Some(context.parameters().scores.get(word)? * count)
}

plugin!(split, scored, sum, sentiment);

#[cfg(test)]
mod tests {
    use tidemill_sdk::testing::{self, Kit};

    use super::*;

    #[test]
    fn words_are_plain() {
        let out = testing::map::<split>(["Good, GOOD - bad!", ""]);
        let words: Vec<String> = out.rows().into_iter().map(|row| row.word).collect();
        assert_eq!(words, ["good", "good", "bad"]);
    }

    #[test]
    fn lines_of_the_list_have_a_word_and_its_score() {
        let out = testing::map::<scored>(["can't stand -3", "bad -3", "bad", "bad worse"]);
        let expect = [Scored { word: "can't stand", score: -3 }, Scored { word: "bad", score: -3 }];
        assert_eq!(out.rows(), expect);
        assert_eq!(out.rejected(), [(2, "it is no word and score"), (3, "`worse` is no score")]);
    }

    #[test]
    fn words_say_their_score_as_often_as_they_come() -> Result<(), testing::Failed> {
        let kit = Kit::new().shared("scores", [("good", 3), ("bad", -3)]);
        let out = kit.map::<sentiment>([("good", 2), ("table", 9), ("bad", 1)])?;
        assert_eq!((out.rows(), out.origins()), (vec![6, -3], &[0, 2][..]));
        assert_eq!(testing::map::<sentiment>([("good", 2)]).rows(), []);
        Ok(())
    }

    #[test]
    fn the_list_is_what_a_pipeline_gives() {
        let shared = "sentiment(word: text, count: integer) shared scores(key: text, value: integer) -> value: integer";
        assert_eq!(testing::signature::<sentiment>(), shared);
    }
}
