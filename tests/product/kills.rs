//! The real program, killed at random instants: what it has written in the end is checked by a reader of its own.
//!
//! `TIDEMILL_KILLS=1000` kills it so often; `make soak` does. The seed of the instants is printed.
#![allow(clippy::print_stdout, reason = "how much was tried is part of the result")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, SystemTime},
};

use crate::{
    plugins,
    tool::{Folder, Running},
};

/// Kills unless it is said otherwise.
const KILLS: u64 = 30;

/// Lines of a file of the feed.
const LINES: u64 = 50;

/// Keys that lines have in turn.
const KEYS: u64 = 7;

/// Between two files of the feed.
const PAUSE: Duration = Duration::from_millis(15);

/// A run lives for less than this.
const LIFE_MS_MAX: u64 = 500;

/// How often it is looked whether everything has come out after the last kill, a pause apart: about a minute.
const LOOKS: u32 = 4_000;

const PIPELINE: &str = r#"
[pipeline]
name = "kills"
interval = "50ms"
checkpoint = "checkpoint"

[plugins]
wordcount = "PLUGIN"

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

#[test]
fn nothing_is_lost_or_doubled_however_often_it_is_killed() {
    let kills = kills();
    let folder = Folder::new()
        .with("pipeline.toml", PIPELINE.replace("PLUGIN", &plugins::built("wordcount").display().to_string()));
    fs::create_dir(folder.path().join("in")).unwrap();
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    println!("seed {seed}");
    let mut random = u64::from(seed) | 1;
    let (stop, stopped) = channel();
    let feed = {
        let folder = folder.path().to_owned();
        #[allow(clippy::disallowed_methods, reason = "whoever feeds the program is another than the program")]
        thread::spawn(move || feed(&folder, &stopped))
    };
    let (_never, nothing) = channel::<()>();
    for _ in 0..kills {
        // xorshift64: instants need be no better.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut command = folder.command(&["run", "pipeline.toml", "--log-level", "error"]);
        let run = Running::start(&mut command);
        let _ = nothing.recv_timeout(Duration::from_millis(random % LIFE_MS_MAX));
        run.signal("KILL");
        let ended = run.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (-1, ""), "it ended before it was killed");
    }
    drop(stop);
    let lines = feed.join().unwrap();
    let mut command = folder.command(&["run", "pipeline.toml", "--log-level", "error"]);
    let run = Running::start(&mut command);
    for _ in 0..LOOKS {
        if Delivered::read(folder.path()).lines.len() >= lines as usize {
            break;
        }
        let _ = nothing.recv_timeout(PAUSE);
    }
    run.signal("INT");
    let ended = run.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    Delivered::read(folder.path()).check(lines, kills);
}

#[allow(clippy::disallowed_methods, reason = "how long a soak is, whoever starts it says")]
fn kills() -> u64 {
    std::env::var("TIDEMILL_KILLS").map_or(KILLS, |kills| kills.parse().unwrap())
}

/// Moves files into the folder until it is told to stop; gives the number of lines. Line n is `n<n> k<n mod KEYS>`.
fn feed(folder: &Path, stopped: &Receiver<()>) -> u64 {
    let mut lines = 0;
    let mut file = 0;
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PAUSE) {
        let text: String = (lines..lines + LINES).map(|n| format!("n{n} k{}\n", n % KEYS)).collect();
        let (draft, place) = (folder.join(".draft"), folder.join(format!("in/{file:08}")));
        fs::write(&draft, text).unwrap();
        fs::rename(draft, place).unwrap();
        lines += LINES;
        file += 1;
    }
    lines
}

/// What is in the output folders, read without any of the program's code.
struct Delivered {
    /// The numbers of lines, in the order of batches, partitions and rows.
    lines: Vec<u64>,
    /// How often a number in a partition of a batch is not above the one before it, or in a batch not above those of the
    /// batch before.
    out_of_order: u64,
    /// For each word its totals, in the order of batches.
    totals: BTreeMap<String, Vec<u64>>,
}

impl Delivered {
    fn read(folder: &Path) -> Delivered {
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

    fn check(&self, lines: u64, kills: u64) {
        let mut counts = vec![0u64; lines as usize];
        self.lines.iter().for_each(|&number| counts[number as usize] += 1);
        let lost = counts.iter().filter(|&&count| count == 0).count();
        let duplicated: u64 = counts.iter().map(|count| count.saturating_sub(1)).sum();
        let out_of_order = self.out_of_order;
        println!("{kills} kills, {lines} records, lost {lost}, duplicated {duplicated}, out of order {out_of_order}");
        assert_eq!((lost, duplicated, out_of_order), (0, 0, 0));
        for (word, totals) in &self.totals {
            assert!(totals.is_sorted_by(|a, b| a < b), "{word}: {totals:?}");
        }
        for key in 0..KEYS {
            let expect = (0..lines).filter(|n| n % KEYS == key).count() as u64;
            assert_eq!(self.totals[&format!("k{key}")].last(), Some(&expect), "k{key}");
        }
    }
}

/// What is in a folder, by name, without what is being written.
fn sorted(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    paths.sort();
    paths
}
