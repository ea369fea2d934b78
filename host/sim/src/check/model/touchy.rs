//! The functions of `hostile` that stumble over some rows, and what is set aside of them.

use std::collections::BTreeMap;

use tidemill_model::time::Timestamp;

use super::{Values, Wakes};
use crate::{
    check::lines::Numbered,
    scenario::{POISON, REJECTED},
};

/// The value that fails calls.
const UNLUCKY: i64 = 13;

/// The value that is rejected, and counted.
const FIVE: i64 = 5;

/// The value whose word is woken a second later, and the total that fails the call then.
const SEVEN: i64 = 7;

#[derive(Default)]
pub(super) struct Touchy {
    /// Of the newest batch.
    pub taken: Vec<String>,
    pub sums: BTreeMap<String, i64>,
    pub rows: Vec<String>,
    pub behind: Vec<String>,
    /// The rows of `behind` since the beginning, and those that were rejected: what its guest counts.
    pub counted: u64,
    /// By stream: the time, stream and function, why, and what it was.
    pub letters: BTreeMap<&'static str, Vec<String>>,
    pub totals: BTreeMap<String, i64>,
    wakes: Wakes,
}

impl Touchy {
    pub fn batch(&mut self, time: Timestamp, lines: &[Numbered<'_>], values: &Values) {
        self.letters.clear();
        self.take(time, lines);
        self.sum(time, values);
        self.rows.clear();
        for (word, is_due) in self.wakes.called(time, values) {
            self.add(time, &word, values.get(&word).map_or(&[][..], |values| values), is_due);
            self.rows.extend(self.totals.get(&word).map(|total| format!("{word} {total}")));
        }
    }

    fn letter(&mut self, time: Timestamp, (stream, function): (&'static str, &str), letter: &str) {
        let letter = format!("{} {stream} hostile/{function} {letter}", time.0);
        self.letters.entry(stream).or_default().push(letter);
    }

    /// What a map behind running totals makes of the words of the batch.
    pub fn behind<'a>(&mut self, time: Timestamp, totals: impl Iterator<Item = (&'a str, i64)>) {
        self.behind.clear();
        for (word, total) in totals {
            self.counted += u64::from(!POISON.contains(&word));
            match why(word) {
                Some(why) => {
                    self.letter(time, ("behind", "touchy-counted"), &format!("{why} {{{word} {total}}}"));
                }
                None => self.behind.push(format!("{word} {total}")),
            }
        }
    }

    fn take(&mut self, time: Timestamp, lines: &[Numbered<'_>]) {
        self.taken.clear();
        for Numbered { number, value, text } in lines {
            let Some(why) = why(text) else {
                self.taken.push(format!("{text} {number}"));
                continue;
            };
            self.letter(time, ("taken", "touchy"), &format!("{why} {{{number} {value} {text}}}"));
        }
    }

    fn sum(&mut self, time: Timestamp, values: &Values) {
        self.sums.clear();
        for (word, &value) in values.iter().flat_map(|(word, values)| values.iter().map(move |value| (word, value))) {
            if value == UNLUCKY {
                let letter = format!("the function panicked: unlucky - {{{word} 1 {value}}}");
                self.letter(time, ("sums", "touchy-sum"), &letter);
            } else {
                *self.sums.entry(word.clone()).or_default() += value;
            }
        }
    }

    fn add(&mut self, time: Timestamp, word: &str, all: &[i64], is_due: bool) {
        let of = ("touchy", "touchy-total");
        let (unlucky, kept): (Vec<i64>, Vec<i64>) = all.iter().partition(|value| **value == UNLUCKY);
        for value in unlucky {
            self.letter(time, of, &format!("the function panicked: unlucky {{{word}}} {{{value}}}"));
        }
        if kept.is_empty() && !is_due {
            return;
        }
        if kept.is_empty() && self.totals[word] == SEVEN {
            // It keeps its state, and its time.
            return self.letter(time, of, &format!("the function panicked: woken for nothing {{{word}}} -"));
        }
        for value in kept.iter().filter(|value| **value == FIVE) {
            self.letter(time, of, &format!("a five {{{word}}} {{{value}}}"));
        }
        *self.totals.entry(word.to_owned()).or_default() += kept.iter().sum::<i64>();
        self.wakes.set(word, time, kept.contains(&SEVEN).then_some(1));
    }
}

/// Why `hostile/touchy` does not take a line, if it does not.
fn why(line: &str) -> Option<&'static str> {
    Some(match line {
        line if line == POISON[0] => "the function panicked: a row says panic",
        line if line == POISON[1] => "the function failed: a row says fail",
        line if line == POISON[2] => "the function failed: a row says again",
        line if line == REJECTED => "a row says reject",
        _ => return None,
    })
}
