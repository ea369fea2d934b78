//! What a folder of many files costs a batch in which none comes.

use std::{fs, path::Path};

use anyhow::{Context, ensure};

use crate::{
    memory::most_mib,
    report::{Figure, Goal},
};

/// Files of the folder.
const FILES: usize = 100_000;

/// Batches: the first ones have all of the files.
const BATCHES: usize = 30;

/// The batches in the end that have none, of which a run writes a plan and a commit each.
const IDLE_BATCHES: usize = 10;

const PIPELINE: &str = r#"
[pipeline]
name = "many"
interval = "1s"
checkpoint = "checkpoint"
[streams.lines]
files = { path = "in", existing = true }
[streams.counts]
from = "lines"
by = "line"
reduce = "count"
[outputs.counts]
from = "counts"
files = { folder = "out" }
"#;

/// Bytes that an idle batch writes, and the most memory of the run, in MiB.
pub fn measure(program: &Path, folder: &Path) -> anyhow::Result<Vec<Figure>> {
    fs::create_dir(folder.join("in"))?;
    for number in 0..FILES {
        fs::write(folder.join(format!("in/file-{number}.txt")), "a line\n")?;
    }
    fs::write(folder.join("pipeline.toml"), PIPELINE)?;
    let rss_mib = most_mib(program, folder, &["--batches", &BATCHES.to_string()])?;
    let log = folder.join("checkpoint/log");
    let mut records = fs::read_dir(&log)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    records.sort();
    // The last record says that the last batch was delivered.
    records.pop();
    let idle = records.len().checked_sub(2 * IDLE_BATCHES).context("there are not so many records")?;
    let mut bytes = 0;
    for record in &records[idle..] {
        bytes += record.metadata()?.len();
    }
    let counted = fs::read_dir(folder.join("out"))?.count();
    ensure!(counted > FILES / 20_000, "the files were not read");
    let mib = Figure { value: rss_mib, ..figure("folder.rss_mib", "MiB", 100.0) };
    let plan_bytes = bytes as f64 / IDLE_BATCHES as f64;
    Ok(vec![Figure { value: plan_bytes, ..figure("folder.plan_bytes", "bytes", 10_240.0) }, mib])
}

fn figure(name: &'static str, unit: &'static str, most: f64) -> Figure {
    Figure { name, value: 0.0, unit, goal: Some(Goal::AtMost(most)), range: None }
}
