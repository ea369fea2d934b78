//! A feed of numbered lines, a pipeline that delivers and counts them, and a reader of its own for what has come out.

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use crate::{plugins, tool::Folder};

/// Keys that lines have in turn.
const KEYS: u64 = 7;

const PIPELINE: &str = r#"
[pipeline]
name = "kills"
interval = "50ms"
checkpoint = "checkpoint"

[plugins]
wordcount = "wordcount.wasm"

[streams.lines]
files = { path = "in", existing = true }

[streams.words]
from = "lines"
map = "wordcount/split"

[streams.totals]
from = "words"
by = "word"
update-state = "wordcount/running-total"

[outputs.lines]
from = "lines"
files = { folder = "lines", format = "text" }

[outputs.totals]
from = "totals"
files = { folder = "totals", format = "jsonl" }
"#;

/// A folder with the pipeline, its plugin and an empty `in`.
pub fn folder() -> Folder {
    let plugin = fs::read(plugins::built("wordcount")).unwrap();
    let folder = Folder::new().with("pipeline.toml", PIPELINE).with("wordcount.wasm", plugin);
    fs::create_dir(folder.path().join("in")).unwrap();
    folder
}

/// Adds a file with `count` lines from number `first` on, at once; gives `count`. Line n is `n<n> k<n mod KEYS>`.
pub fn add(folder: &Path, first: u64, count: u64) -> u64 {
    let text = text(first..first + count);
    let (draft, place) = (folder.join(".draft"), folder.join(format!("in/{first:012}")));
    fs::write(&draft, text).unwrap();
    fs::rename(draft, place).unwrap();
    count
}

/// Lines with these numbers.
pub fn text(lines: Range<u64>) -> String {
    lines.map(|n| format!("n{n} k{}\n", n % KEYS)).collect()
}

/// What is in the output folders, read without any of the program's code.
pub struct Delivered {
    /// The numbers of lines, in the order of batches, partitions and rows.
    pub lines: Vec<u64>,
    /// How often a number in a partition of a batch is not above the one before it, or in a batch not above those of the
    /// batch before.
    out_of_order: u64,
    /// For each word its totals, in the order of batches.
    totals: BTreeMap<String, Vec<u64>>,
}

impl Delivered {
    pub fn read(folder: &Path) -> Delivered {
        let mut delivered = Delivered { lines: Vec::new(), out_of_order: 0, totals: BTreeMap::new() };
        let mut highest = None;
        for batch in sorted(&folder.join("lines")) {
            let before = highest;
            for part in sorted(&batch) {
                let text = fs::read_to_string(part).unwrap();
                let number = |line: &str| line.split(' ').next().unwrap()[1..].parse().unwrap();
                let numbers: Vec<u64> = text.lines().map(number).collect();
                let falls = numbers.windows(2).filter(|pair| pair[0] >= pair[1]).count();
                let early = numbers.iter().filter(|&&number| Some(number) <= before).count();
                delivered.out_of_order += (falls + early) as u64;
                highest = highest.max(numbers.iter().copied().max());
                delivered.lines.extend(numbers);
            }
        }
        for part in sorted(&folder.join("totals")).iter().flat_map(|batch| sorted(batch)) {
            for line in fs::read_to_string(part).unwrap().lines() {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                let word = row["word"].as_str().unwrap().to_owned();
                let total = row.as_object().unwrap().values().find_map(serde_json::Value::as_u64).unwrap();
                delivered.totals.entry(word).or_default().push(total);
            }
        }
        delivered
    }

    /// Every line is there once and in order, and the totals are right; says so.
    #[track_caller]
    pub fn check(&self, lines: u64) -> String {
        let mut counts = vec![0u64; lines as usize];
        self.lines.iter().for_each(|&number| counts[number as usize] += 1);
        let lost = counts.iter().filter(|&&count| count == 0).count();
        let duplicated: u64 = counts.iter().map(|count| count.saturating_sub(1)).sum();
        let out_of_order = self.out_of_order;
        let told = format!("{lines} records, lost {lost}, duplicated {duplicated}, out of order {out_of_order}");
        assert_eq!((lost, duplicated, out_of_order), (0, 0, 0), "{told}");
        for (word, totals) in &self.totals {
            assert!(totals.is_sorted_by(|a, b| a < b), "{word}: {totals:?}");
        }
        for key in 0..KEYS {
            let expect = (0..lines).filter(|n| n % KEYS == key).count() as u64;
            assert_eq!(self.totals[&format!("k{key}")].last(), Some(&expect), "k{key}");
        }
        told
    }
}

/// What is in a folder, by name, without what is hidden: an output's mark, and what is being written.
pub fn sorted(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    paths.sort();
    paths
}
