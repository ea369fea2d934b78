//! The pipeline once more, in the plainest way.

mod alarms;
mod in_order;
mod moved;
mod past;
mod touchy;

use std::collections::BTreeMap;

use tidemill_model::time::Timestamp;

use super::lines::Numbered;
use crate::scenario::{Content, Edition};
use alarms::Alarms;
use in_order::InOrder;
use moved::Moved;
use past::Past;
use touchy::Touchy;

/// How many words [`Content::Top`] has.
const TOP: usize = 2;

/// All batches up to one.
#[derive(Default)]
pub(super) struct Model {
    /// Of the newest batch.
    counts: BTreeMap<String, i64>,
    totals: BTreeMap<String, i64>,
    ages: BTreeMap<String, i64>,
    busy: BTreeMap<String, i64>,
    alarms: Alarms,
    moved: Moved,
    touchy: Touchy,
    in_order: InOrder,
    past: Past,
    window: u32,
    /// The stream whose order shows.
    single: &'static str,
    /// The lines of the newest batch with their numbers, and how many there were in all.
    lines: Vec<String>,
    count: u64,
}

/// Each word's values in a batch, in order.
type Values = BTreeMap<String, Vec<i64>>;

/// Words and when they are woken.
#[derive(Default)]
struct Wakes(BTreeMap<String, Timestamp>);

impl Wakes {
    /// The words that are called for, and whether they are woken.
    fn called(&self, time: Timestamp, values: &Values) -> BTreeMap<String, bool> {
        let due = self.0.iter().filter(|(_, at)| **at <= time).map(|(word, _)| (word.clone(), true));
        let mut called: BTreeMap<String, bool> = values.keys().map(|word| (word.clone(), false)).collect();
        called.extend(due);
        called
    }

    /// From now on it is so many seconds later, or never.
    fn set(&mut self, word: &str, time: Timestamp, seconds: Option<i64>) {
        self.0.remove(word);
        self.0.extend(seconds.map(|seconds| (word.to_owned(), Timestamp(time.0 + seconds * 1_000_000))));
    }
}

impl Model {
    /// Before the first batch.
    /// `single`: the stream of [`Content::InOrder`].
    pub fn new(single: &'static str, interval_micros: i64) -> Model {
        Model { single, past: Past::new(interval_micros), ..Model::default() }
    }

    /// The next batch counts, whether anything comes of it or not, of this pipeline.
    pub fn begin(&mut self, edition: Edition) {
        self.moved.migrate(edition.version);
        self.window = edition.window;
    }

    /// What comes of it, of these lines.
    pub fn batch(&mut self, time: Timestamp, lines: &[Numbered<'_>]) {
        let mut values = Values::new();
        for line in lines {
            line.text.split_whitespace().for_each(|word| values.entry(word.to_owned()).or_default().push(line.value));
        }
        self.counts = values.iter().map(|(word, values)| (word.clone(), values.len() as i64)).collect();
        self.ages.values_mut().for_each(|age| *age += 1);
        for (word, count) in &self.counts {
            *self.totals.entry(word.clone()).or_default() += count;
            self.ages.entry(word.clone()).or_default();
            *self.busy.entry(word.clone()).or_default() += count;
        }
        self.busy.retain(|word, _| self.counts.contains_key(word));
        self.past.batch(time, &self.counts, self.window);
        self.alarms.batch(time, &values);
        self.moved.batch(&values);
        self.touchy.batch(time, lines, &values);
        self.touchy.behind(time, self.counts.keys().map(|word| (&word[..], self.totals[word])));
        self.in_order.batch(lines, self.single);
        self.lines = lines.iter().map(|line| format!("{} {}", line.text, line.number)).collect();
        self.count += lines.len() as u64;
    }

    /// What a guest has counted since the beginning.
    pub fn counted(&self, content: Content) -> u64 {
        if content == Content::Behind { self.touchy.counted } else { self.count }
    }

    /// How many rows functions have not taken of the newest batch. `has`: which contents there are.
    pub fn rejected(&self, has: impl Fn(Content) -> bool) -> u64 {
        let stumbling = [
            (Content::Taken, "taken"),
            (Content::Sums, "sums"),
            (Content::Touchy, "touchy"),
            (Content::Behind, "behind"),
        ];
        let of_letters = stumbling.iter().filter(|(content, _)| has(*content));
        let letters = of_letters.filter_map(|(_, stream)| self.touchy.letters.get(stream)).map(Vec::len).sum::<usize>();
        letters as u64 + if has(Content::Alarms) { self.alarms.rejected } else { 0 }
    }

    /// What an output's stream keeps, sorted as text; `None` if it keeps nothing.
    pub fn states(&self, content: Content) -> Option<Vec<String>> {
        let rows = match content {
            Content::Totals | Content::Behind => self.rows(Content::All)?,
            Content::InOrder => self.in_order.states.iter().map(row).collect(),
            Content::All | Content::Ages | Content::Busy => self.rows(content)?,
            Content::Alarms => self.alarms.states.iter().map(row).collect(),
            Content::Moved => self.moved.states(),
            Content::Touchy => self.touchy.totals.iter().map(row).collect(),
            Content::Idle => self.rows(content)?,
            _ => return None,
        };
        Some(rows)
    }

    /// Whether an output has a batch at every tick: its stream keeps something.
    pub fn is_always_there(&self, content: Content) -> bool {
        use Content::{Gathered, Letters, Recent, Sliding};
        matches!(content, Letters("touchy" | "behind") | Recent | Sliding | Gathered) || self.states(content).is_some()
    }

    /// Whether an output can have a batch at this tick: a window that slides less often has not at each.
    pub fn can_be_there(&self, content: Content) -> bool {
        content != Content::Sliding || self.past.is_second()
    }

    /// The rows of an output, sorted as text; `None` for what is no part of the model.
    pub fn rows(&self, content: Content) -> Option<Vec<String>> {
        let counts = self.counts.iter();
        let mut rows: Vec<String> = match content {
            Content::Lines => return None,
            Content::Counts | Content::NativeCounts => counts.map(row).collect(),
            Content::Lengths => counts.map(|(word, count)| row((word, &(count * word.len() as i64)))).collect(),
            Content::Rows => vec![self.counts.values().sum::<i64>().to_string()],
            Content::Top => {
                let mut sorted: Vec<_> = counts.collect();
                sorted.sort_by_key(|&(word, count)| (-count, word));
                sorted.into_iter().take(TOP).map(row).collect()
            }
            Content::Totals => counts.map(|(word, _)| row((word, &self.totals[word]))).collect(),
            Content::All => self.totals.iter().map(row).collect(),
            Content::Ages => self.ages.iter().map(row).collect(),
            Content::Busy => self.busy.iter().map(row).collect(),
            Content::Alarms => self.alarms.rows.clone(),
            Content::Moved => self.moved.rows.clone(),
            Content::InOrder => self.in_order.rows.clone(),
            Content::Recent => self.past.recent().iter().map(row).collect(),
            Content::Sliding => self.past.three().iter().map(row).collect(),
            Content::Gathered => self.past.gathered().iter().map(row).collect(),
            Content::Idle => self.past.here().iter().map(row).collect(),
            Content::Paired => {
                counts.map(|(word, count)| format!("{word} {count} {}", count * word.len() as i64)).collect()
            }
            Content::Counted => self.lines.clone(),
            Content::Behind => self.touchy.behind.clone(),
            Content::Taken => self.touchy.taken.clone(),
            Content::Sums => self.touchy.sums.iter().map(row).collect(),
            Content::Touchy => self.touchy.rows.clone(),
            Content::Letters(stream) => self.touchy.letters.get(stream).cloned().unwrap_or_default(),
        };
        rows.sort();
        Some(rows)
    }
}

fn row((word, number): (&String, &i64)) -> String {
    format!("{word} {number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of lines with these values.
    fn batch(model: &mut Model, seconds: i64, lines: &[(&str, i64)]) {
        let numbered = |(number, &(text, value))| Numbered { number, value, text };
        let lines: Vec<_> = (0..).zip(lines).map(numbered).collect();
        model.batch(Timestamp(seconds * 1_000_000), &lines);
    }

    #[track_caller]
    fn check(model: &Model, content: Content, expect: &[&str]) {
        assert_eq!(model.rows(content).unwrap_or_default(), expect);
    }

    #[test]
    fn batches_add_up() {
        let mut model = Model::default();
        batch(&mut model, 1, &[("b a", 1), ("b", 1)]);
        batch(&mut model, 2, &[("a", 1), ("c", 1)]);
        check(&model, Content::Counts, &["a 1", "c 1"]);
        check(&model, Content::Rows, &["2"]);
        check(&model, Content::Totals, &["a 2", "c 1"]);
        check(&model, Content::All, &["a 2", "b 2", "c 1"]);
        check(&model, Content::Ages, &["a 1", "b 1", "c 0"]);
        check(&model, Content::Busy, &["a 2", "c 1"]);
    }

    #[test]
    fn order_shows_in_one_stream() {
        let number = |lines: &[(&str, i64)], stream| {
            let mut model = Model { single: stream, ..Model::default() };
            batch(&mut model, 1, lines);
            model.rows(Content::InOrder).unwrap_or_default()
        };
        assert_eq!(number(&[("a", 1), ("a b", 2)], "in"), ["a 257", "b 9"]);
        assert_eq!(number(&[("a b", 2), ("a", 1)], "in"), ["a 287", "b 9"]);
        assert!(number(&[("a", 1)], "live").is_empty());
    }

    #[test]
    fn words_are_woken_when_they_said() {
        let mut model = Model::default();
        batch(&mut model, 1, &[("a b", 2), ("c", 0), ("b", -2)]);
        check(&model, Content::Alarms, &[]);
        batch(&mut model, 3, &[]);
        check(&model, Content::Alarms, &["a 102"]);
        batch(&mut model, 4, &[]);
        check(&model, Content::Alarms, &[]);
        assert_eq!(model.states(Content::Alarms).unwrap_or_default(), ["a 2", "b 0"]);
    }

    #[test]
    fn states_say_which_versions_they_were() {
        let mut model = Model::default();
        let mut states = |version, text| {
            model.begin(Edition { version, ..Edition::FIRST });
            batch(&mut model, 1, &[(text, 2)]);
            model.states(Content::Moved).unwrap_or_default()
        };
        assert_eq!(states(1, "a"), ["a 2"]);
        assert_eq!(states(2, "b"), ["a 2 1", "b 2 new"]);
        assert_eq!(states(3, "a"), ["a 4 1 2", "b 2 new 2"]);
    }

    #[test]
    fn what_is_stumbled_over_is_told() {
        let mut model = Model::default();
        batch(&mut model, 1, &[("a", 7), ("panic", 1), ("a b", 13), ("b", 5), ("reject", 13)]);
        check(&model, Content::Taken, &["a 0", "a b 2", "b 3"]);
        let rejected = "1000000 taken hostile/touchy a row says reject {4 13 reject}";
        let panicked = "1000000 taken hostile/touchy the function panicked: a row says panic {1 1 panic}";
        check(&model, Content::Letters("taken"), &[rejected, panicked]);
        check(&model, Content::Sums, &["a 7", "b 5", "panic 1"]);
        check(&model, Content::Touchy, &["a 7", "b 5", "panic 1"]);
        let count = |stream| model.rows(Content::Letters(stream)).map_or(0, |letters| letters.len());
        assert_eq!((count("sums"), count("touchy")), (3, 4), "a five is set aside too");
        batch(&mut model, 2, &[]);
        let woken = "2000000 touchy hostile/touchy-total the function panicked: woken for nothing {a} -";
        check(&model, Content::Letters("touchy"), &[woken]);
    }
}
